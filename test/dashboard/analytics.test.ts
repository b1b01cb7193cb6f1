import assert from "node:assert/strict";
import { connectAsync, type MqttClient } from "mqtt";
import type { Locator } from "playwright-core";
import { type Application, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";
import { give, itComplainsOfNothing, itFits, openPage, showElement } from "./pages.ts";

describe("the page Analytics", function () {
  this.timeout(90_000);
  const userDir = newFolder();
  const now = Date.now();
  let application: Application;
  let room: ControlRoom;
  let operator: Operator;
  let client: MqttClient;
  let page: Locator;

  /** Temperatures 0 to 299 over 50 min; the load goes up with them, the level down. */
  const readings = (deviceId: string, location: string, more: number) =>
    Array.from({ length: 300 }, (_, n) => ({
      deviceId,
      timestamp: now - (300 - n) * 10_000,
      metrics: { temperature: n + more, load: 2 * n, level: 500 - n },
      tags: { location },
    }));

  before(async () => {
    application = await startApplication({ userDir });
    client = await connectAsync(application.mqttUrl);
    for (const [device, hall, more] of [["P7", "hall 3", 0] as const, ["P8", "hall 3", 1000] as const]) {
      await client.publishAsync(`plant/telemetry/${device}`, JSON.stringify(readings(device, hall, more)), { qos: 1 });
    }
    room = await ControlRoom.open();
    operator = await room.operator();
    page = await openPage(operator, application.url, "Analytics", "da-analytics");
    await until("devices", async () => {
      await page.getByRole("button", { name: "Refresh" }).click();
      return (await optionsOf(page)).includes("P8");
    });
    await choose("P7");
    await page.getByLabel("Of", { exact: true }).selectOption("temperature");
  });

  after(async () => {
    await room.close();
    await client.endAsync(true);
    await application.stop();
  });

  const optionsOf = (of: Locator) => of.getByLabel("Device", { exact: true }).locator("option").allTextContents();
  const choose = (name: string, of = page) => of.getByLabel("Device", { exact: true }).selectOption({ label: name });
  const limits = async (of = page) => (await of.locator("da-histogram .head").textContent()) ?? "";
  const bars = (of = page) =>
    of
      .locator("da-histogram rect")
      .evaluateAll((bars) =>
        bars.map((bar) => ({ count: Number(bar.getAttribute("data-count")), kind: bar.getAttribute("class") })),
      );
  const fill = async (label: string, text: string) => {
    await page.getByLabel(label, { exact: true }).fill(text);
    await page.getByLabel(label, { exact: true }).blur();
  };

  it("draws how the values of a metric are distributed, with their density", async () => {
    await until("300 values", async () => /300 values/.test(await limits()));
    const drawn = await bars();
    assert.equal(
      drawn.filter(({ kind }) => kind === "bar").reduce((sum, { count }) => sum + count, 0),
      300,
    );
    assert.ok(drawn.length > 3);
    assert.match((await page.locator("da-histogram .density").getAttribute("d")) ?? "", /^M.*L/);
  });

  it("tells how metrics go together", async () => {
    const cells = await page.locator("da-heatmap td").allTextContents();
    assert.deepEqual(
      cells.filter((text) => text !== ""),
      ["1.00", "-1.00", "-1.00", "-1.00", "1.00", "1.00", "-1.00", "1.00", "1.00"],
    );
  });

  it("tries limits out, by value and by quantile, and marks what they would hit", async () => {
    await fill("Above", "289.5");
    await until("ten", async () => /10 \(3.333 %\) above 289.5/.test(await limits()));
    await until("marks", async () => {
      const marks = (await operator.points("limits of temperature")).filter(({ series }) => /beyond/.test(series));
      return marks.length === 10 && marks.every(({ value }) => value > 289.5);
    });
    assert.ok((await bars()).some(({ kind }) => kind === "hit"));
    await fill("Below", "p10");
    await until("thirty", async () => /30 \(10 %\) below 29.9/.test(await limits()));
    await fill("Below", "much");
    await page.getByText(/lower: .*/).waitFor();
    await fill("Below", "");
    await until("no more", async () => (await page.locator(".problem").textContent()) === "");
  });

  it("gives statistics of all devices and locations", async () => {
    const rows = (by: string) => page.getByRole("region", { name: `Statistics by ${by}` }).locator("tbody tr");
    await until("devices", async () => (await rows("device").count()) >= 2);
    const texts = (await rows("device").allTextContents()).join("\n");
    assert.match(texts, /P7300149.5.*0.*299/);
    assert.match(texts, /P83001150.*1000.*1299/);
    assert.match((await rows("location").allTextContents()).join("\n"), /hall 3600649.5/);
  });

  it("keeps what one operator chose from the others, and across a reload", async () => {
    const other = await room.operator();
    const theirs = await openPage(other, application.url, "Analytics", "da-analytics");
    await until("devices", async () => (await optionsOf(theirs)).includes("hall 3"));
    await choose("hall 3", theirs);
    await theirs.getByLabel("Of", { exact: true }).selectOption("load");
    await until("load of both", async () => /load 600 values/.test(await limits(theirs)));
    assert.match(await limits(), /temperature 300 values/);
    await other.page.reload();
    await until("the same", async () => /load 600 values/.test(await limits(theirs)));
    await other.page.close();
  });

  itFits(
    "analytics",
    () => ({ operator, element: page }),
    ".bar > *, .metrics > *, da-chart, da-histogram svg, da-heatmap, .list",
  );

  itComplainsOfNothing(() => ({ operator, room }));

  it("asks again by itself when the connection is back", async () => {
    const port = new URL(application.url).port;
    await client.endAsync(true);
    await application.stop();
    // The dashboard covers the page while it is cut off.
    await page.getByRole("button", { name: "Refresh" }).dispatchEvent("click");
    await page.getByText("the connection is interrupted").waitFor({ timeout: 20_000 });
    application = await startApplication({ userDir, args: ["--port", port] });
    client = await connectAsync(application.mqttUrl);
    await until("an answer", async () => (await page.locator(".problem").textContent()) === "");
    await until("the same", async () => /temperature 300 values/.test(await limits()));
  });
});

describe("<da-analytics> on a page of its own", function () {
  this.timeout(30_000);
  let room: ControlRoom;

  before(async () => {
    room = await ControlRoom.open();
  });
  after(() => room.close());

  it("lists the most restless of a thousand devices first, sorts them as it is told, and finds any", async () => {
    const operator = await room.operator();
    const element = await showElement(operator, "da-analytics");
    const span = { from: 0, to: 1000 };
    const devices = Array.from({ length: 1000 }, (_, n) => `P${n}`);
    const statistics = devices.map((device, n) => {
      const others = { min: n, p05: n, p25: n, median: n, p75: n, p95: n, max: 2000 - n, quantilesOf: 60 };
      return { device, field: "level", count: 100, mean: n, stdev: (n * 7) % 1000, ...others };
    });
    const answers: Record<string, object> = {
      latest: { latest: devices.map((device) => ({ device, timestamp: 0, values: { level: 1 } })) },
      statistics: { statistics },
      distribution: { distributions: [] },
      correlation: { correlations: [] },
      aggregate: { series: [] },
    };
    await element.evaluate(
      (element, [answers, span]) => {
        element.addEventListener("command", (event) => {
          const { command, payload } = (event as CustomEvent).detail;
          if (command !== "query") return;
          const { queryType } = payload.query;
          const answer = { ...span, ...answers[queryType] };
          setTimeout(() => {
            Object.assign(element, { data: { id: payload.id, answer } });
            // What is drawn in the frame after the answer.
            const look = () =>
              Object.assign(window, { drawn: element.shadowRoot?.querySelectorAll("tbody tr").length });
            if (queryType === "statistics") requestAnimationFrame(() => requestAnimationFrame(look));
          });
        });
      },
      [answers, span] as const,
    );
    await give(element, { ask: true });
    const section = element.getByRole("region", { name: "Statistics by device" });
    const rows = section.locator("tbody tr");
    await until("rows", async () => (await rows.count()) > 0);
    const drawn = () => operator.page.evaluate(() => (window as unknown as { drawn?: number }).drawn ?? 0);
    await until("rows in the next frame", async () => (await drawn()) >= 50);
    assert.equal(await rows.count(), 50);
    assert.match((await rows.first().textContent()) ?? "", /^P857/);
    await section.getByText("and 950 more").waitFor();
    await section.getByText("quantiles are those of a part of the values").waitFor();
    await section.getByRole("button", { name: "max", exact: true }).click();
    await until("greatest", async () => /^P0/.test((await rows.first().textContent()) ?? ""));
    assert.equal(await section.locator("[aria-sort]").textContent(), "max");
    await section.getByRole("button", { name: "device", exact: true }).click();
    await until("by name", async () => /^P1100/.test((await rows.nth(1).textContent()) ?? ""));
    await element.getByLabel("Find a device").fill("P99");
    await until("eleven", async () => (await rows.count()) === 11);
    assert.deepEqual(operator.complaints, []);
  });
});

describe("<da-histogram> and <da-heatmap> on a page of their own", function () {
  this.timeout(30_000);
  let room: ControlRoom;
  let operator: Operator;

  before(async () => {
    room = await ControlRoom.open();
    operator = await room.operator();
  });
  afterEach(() => assert.deepEqual(operator.complaints, []));
  after(() => room.close());

  const distribution = {
    field: "level",
    unit: "m",
    count: 40,
    min: 58,
    max: 66,
    edges: [58, 60, 62, 64, 66],
    counts: [6, 14, 15, 5],
    density: { values: [55, 62, 69], densities: [0, 0.19, 0] },
    limits: { upper: 65, below: 0, above: 2, belowShare: 0, aboveShare: 0.05 },
  };

  it("draws a bar for each bin, as high as its count, and the limit", async () => {
    const element = await showElement(operator, "da-histogram");
    await element.getByText("No values in this time").waitFor();
    await give(element, distribution);
    await until("four", async () => (await element.locator("rect.bar").count()) === 4);
    const heights = await element
      .locator("rect.bar")
      .evaluateAll((bars) => bars.map((bar) => Number(bar.getAttribute("height"))));
    const [first = 0, second = 0] = heights;
    assert.ok(Math.abs(second / first - 14 / 6) < 1e-9);
    assert.equal(await element.locator("rect.hit").count(), 1);
    await element.getByText("2 (5 %) above 65 m").waitFor();
  });

  it("draws values that are all the same", async () => {
    const element = await showElement(operator, "da-histogram");
    await give(element, {
      ...distribution,
      min: 5,
      max: 5,
      edges: [5, 5],
      counts: [40],
      density: null,
      limits: { below: 0, above: 0, belowShare: 0, aboveShare: 0 },
    });
    await until("one", async () => (await element.locator("rect").count()) === 1);
    assert.ok(((await element.locator("rect").boundingBox())?.width ?? 0) > 5);
  });

  it("tells coefficients with their signs, those that are unknown, and names as what they are", async () => {
    const element = await showElement(operator, "da-heatmap");
    await element.getByText("Two metrics at least").waitFor();
    const name = "<img src=x onerror=alert(1)>";
    await give(element, {
      fields: ["level", name],
      matrix: [
        [1, -0.42],
        [-0.42, null],
      ],
      counts: [
        [9, 9],
        [9, 2],
      ],
    });
    await until(
      "cells",
      async () => (await element.locator("tbody td").allTextContents()).join() === "1.00,-0.42,-0.42,–",
    );
    assert.equal(await element.locator("img").count(), 0);
  });
});

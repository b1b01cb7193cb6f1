import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator } from "playwright-core";
import type { ChartAppend, ChartData } from "../../elements/chart-data.ts";
import type { DaChart } from "../../elements/da-chart.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";

const script = readFileSync(join(import.meta.dirname, "..", "..", "dist", "elements", "device-analytics.js"), "utf8");

const START = Date.UTC(2026, 2, 1, 12);

/** A chart of one line, a value a second. */
const line = (values: (number | null)[], more: Partial<ChartData> = {}): ChartData => ({
  title: "level",
  time: values.map((_, n) => START + 1000 * n),
  series: [{ name: "level", role: "value", unit: "m", values }],
  ...more,
});

describe("<da-chart> on a page of its own", function () {
  this.timeout(30_000);
  let room: ControlRoom;
  let operator: Operator;
  let chart: Locator;

  before(async () => {
    room = await ControlRoom.open();
  });

  beforeEach(async () => {
    operator = await room.operator();
    await operator.page.setContent(
      '<body style="color: #eee; background: #111; width: 600px"><da-chart data-chart="one"></da-chart></body>',
    );
    await operator.page.addScriptTag({ content: script });
    chart = operator.page.locator("da-chart");
  });

  afterEach(async () => {
    assert.deepEqual(operator.complaints, []);
    await operator.page.close();
  });

  after(() => room.close());

  const show = (data: ChartData | ChartAppend | null) =>
    chart.evaluate((chart, data) => {
      (chart as DaChart).data = data;
    }, data);
  const values = async () => (await operator.points("one")).map(({ value }) => value);
  const drawn = (count: number) => until(`${count} points`, async () => (await values()).length === count);
  const legend = async () => (await chart.locator(".legend > span").allTextContents()).join(" ");

  it("draws the points of its message from left to right", async () => {
    await show(line([1, 2, 3]));
    await drawn(3);
    const points = await operator.points("one");
    assert.ok(points.every(({ x }, n) => n === 0 || x > (points[n - 1]?.x ?? 0)));
    assert.ok(points.every(({ y }, n) => n === 0 || y < (points[n - 1]?.y ?? 0)));
  });

  it("takes a message that was there before the element was", async () => {
    await operator.page.setContent("<body></body>");
    await operator.page.evaluate(
      (data) => {
        const element = document.createElement("da-later") as unknown as DaChart;
        element.setAttribute("data-chart", "one");
        element.data = data;
        document.body.append(element);
        const Chart = customElements.get("da-chart") as typeof DaChart;
        customElements.define("da-later", class extends Chart {});
      },
      line([1, 2]),
    );
    const count = await operator.page.locator("da-later").evaluate((chart) => (chart as DaChart).points.length);
    assert.ok(count === 2 || count === 0);
    await until("two points", async () =>
      operator.page.locator("da-later").evaluate((chart) => (chart as DaChart).points.length === 2),
    );
  });

  it("goes on with what is appended, and keeps no more than it may", async () => {
    await show(line([1, 2, 3], { maxPoints: 4 }));
    await show({ append: { time: [START + 3000, START + 4000], values: [[4, 5]] } });
    await until("the newest four", async () => (await values()).join() === "2,3,4,5");
  });

  it("leaves the message as it is", async () => {
    const length = await chart.evaluate(
      (chart, data) => {
        (chart as DaChart).data = data;
        (chart as DaChart).data = { append: { time: [data.time.length + 1e13], values: [[4]] } };
        return data.time.length;
      },
      line([1, 2, 3]),
    );
    assert.equal(length, 3);
  });

  it("shows the newest value with its unit, and under the cursor the value there", async () => {
    await show(line([1, 2, 30]));
    await until("the newest", async () => (await legend()).includes("30 m"));
    await chart.locator(".u-over").hover({ position: { x: 2, y: 20 } });
    await until("the first", async () => / 1 m/.test(await legend()));
  });

  it("counts the anomalies that it marks", async () => {
    const marks = { name: "anomalies", role: "anomaly" as const, values: [null, 9, null] };
    await show({ ...line([1, 9, 1]), series: [...line([1, 9, 1]).series, marks] });
    await until("one", async () => (await legend()).includes("1 anomaly"));
    assert.equal((await operator.points("one")).filter(({ series }) => series === "anomalies").length, 1);
  });

  it("measures a second axis on the right", async () => {
    const right = {
      name: "flow",
      role: "value" as const,
      unit: "l/s",
      axis: "right" as const,
      values: [1000, 3000, 2000],
    };
    await show({ ...line([1, 2, 3]), series: [...line([1, 2, 3]).series, right] });
    await drawn(6);
    assert.match(await legend(), /3 m.*flow 2000 l\/s/s);
  });

  it("has room for the longest label beside each axis", async () => {
    const right = { name: "flow", role: "value" as const, axis: "right" as const, values: [0.0001, 0.00015, 0.000125] };
    await show({ ...line([1, 2, 3]), series: [...line([1, 2, 3]).series, right] });
    await drawn(6);
    const { label, left, end } = await chart.evaluate((chart) => {
      const context = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
      context.font = "12px system-ui, sans-serif";
      const root = chart.shadowRoot as ShadowRoot;
      const box = (name: string) => (root.querySelector(name) as HTMLElement).getBoundingClientRect();
      const [frame, plot] = [box(".frame"), box(".u-over")];
      const label = context.measureText("-0.00125").width;
      return { label, left: plot.left - frame.left, end: frame.right - plot.right };
    });
    const GAP = 5;
    assert.ok(Math.min(left, end) >= label + GAP, `${left} and ${end} px for ${label} px`);
  });

  it("leaves the time axis in sight, however many lines the legend has", async () => {
    const limits = (names: string[]) => names.map((name) => ({ name, role: "limit" as const, values: [1, 1, 1] }));
    const data = line([1, 2, 3]);
    for (const last of ["warm", "hot"]) {
      await show({
        ...data,
        series: [...data.series, ...limits(["a limit with a long name", "another of them", last])],
      });
      await drawn(12);
      await chart.evaluate((chart) => Object.assign(chart.style, { width: "300px" }));
      await until(`all of ${last}`, () =>
        chart.evaluate((chart) => {
          const part = (name: string) => chart.shadowRoot?.querySelector(name) as HTMLElement;
          const isWrapped = part(".legend").clientHeight > 30;
          return isWrapped && part(".uplot").clientHeight === part(".frame").clientHeight;
        }),
      );
    }
  });

  it("does without values that are missing, and without any", async () => {
    await show(line([1, null, 3]));
    await drawn(2);
    await show(null);
    await drawn(0);
    assert.equal(await chart.locator("canvas").count(), 0);
    await show({ ...line([]), series: [] });
    await show(line([5, 5]));
    await drawn(2);
  });

  it("fills what room it has", async () => {
    await show(line([1, 2, 3]));
    await drawn(3);
    await operator.page.evaluate(() => {
      document.body.style.width = "300px";
    });
    await until("a narrow plot", async () => ((await chart.locator(".uplot").boundingBox())?.width ?? 999) <= 300);
    await drawn(3);
  });

  it("leaves nothing behind when it is taken off the page, and is back when it returns", async () => {
    await show(line([1, 2, 3]));
    await drawn(3);
    const count = await chart.evaluate((chart) => {
      chart.remove();
      return chart.shadowRoot?.querySelectorAll("canvas").length;
    });
    assert.equal(count, 0);
    await operator.page.evaluate(() => document.body.append(document.createElement("da-chart")));
    await chart.evaluate(
      (chart, data) => {
        chart.setAttribute("data-chart", "one");
        const parent = chart.parentElement;
        chart.remove();
        (chart as DaChart).data = data;
        parent?.append(chart);
      },
      line([4, 5]),
    );
    await drawn(2);
  });
});

/**
 * `npm run pictures`: takes README's pictures of the dashboard anew, in some five minutes: of a fleet with a day of
 * history, and of one whose devices get into trouble while it runs.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync } from "mqtt";
import { Fleet } from "../core/simulator/fleet.ts";
import type { Reading } from "../core/types.ts";
import { ControlRoom, until } from "../test/dashboard/dashboard.ts";
import { goTo, openPage, stopSimulator, withDevices } from "../test/dashboard/pages.ts";
import { startApplication } from "../test/support/application.ts";

const DOCS = join(import.meta.dirname, "..", "docs");

const DAY = 86_400_000;
const DEVICES = 12;
const FLEET = {
  profile: "machine",
  devices: DEVICES,
  devicePrefix: "R",
  seed: 7,
  intervalSeconds: 60,
  jitterPercent: 20,
  faultsPerDeviceDay: 1,
};

/** Readings in one message. */
const BATCH = 500;

/** Until a day is analysed and stored, the detectors know the fleet, and faults are seen, ms. */
const STORING = 45_000;
const LEARNING = 120_000;
const TROUBLE = 75_000;

const room = await ControlRoom.open();
await takeHistory();
await takeTrouble();
await room.close();

/** The application with names for the devices, and an operator who has logged in. */
async function start() {
  const application = await startApplication();
  const devices = Array.from({ length: DEVICES }, (_, index) => ({
    deviceId: `R${index + 1}`,
    name: `Carrier ${index + 1}`,
    location: `hall ${1 + (index % 3)}`,
  }));
  const { flows } = await application.flow();
  await application.deploy(withDevices(flows, devices));
  const client = await connectAsync(application.mqttUrl);
  const operator = await room.operator();
  await operator.page.setViewportSize({ width: 1600, height: 900 });
  await operator.open(application.url);
  return {
    url: application.url,
    client,
    operator,
    send: (topic: string, payload: object) => client.publishAsync(topic, JSON.stringify(payload), { qos: 1 }),
    async picture(name: string, height = 900) {
      await operator.page.setViewportSize({ width: 1600, height });
      // Neither a notice nor the pointer is to be in it.
      await operator.page.locator("md-toast").waitFor({ state: "detached", timeout: 30_000 });
      await operator.page.mouse.move(0, 0);
      await delay(1000);
      await operator.page.screenshot({ path: join(DOCS, `${name}.png`) });
      console.log(`docs/${name}.png`);
    },
    async [Symbol.asyncDispose]() {
      await operator.page.close();
      await client.endAsync();
      await application.stop();
    },
  };
}

async function takeHistory(): Promise<void> {
  await using plant = await start();
  const { client, operator, picture, send } = plant;
  await stopSimulator(client);
  const end = Date.now();
  const past = new Fleet(FLEET, end - DAY);
  for (let readings: Reading[] = []; ; readings = []) {
    while (readings.length < BATCH && past.nextDue() < end) readings.push(...past.tick(past.nextDue()));
    if (readings.length === 0) break;
    await send("plant/telemetry/gateway", readings);
  }
  await delay(STORING);
  const trends = await openPage(operator, plant.url, "Trends", "da-trends");
  const device = trends.getByLabel("Device", { exact: true });
  await until("R6", async () => (await device.innerText()).includes(nameOf("R6")));
  await device.selectOption({ label: nameOf("R6") });
  await trends.getByLabel("Range").selectOption("last 24 hours");
  for (const metric of ["battery", "speed"]) await trends.getByRole("button", { name: metric, exact: true }).click();
  await until("two charts", async () => (await trends.locator('da-chart[data-chart^="metric "]').count()) === 2);
  await picture("trends");
}

async function takeTrouble(): Promise<void> {
  await using plant = await start();
  const { operator, picture, send } = plant;
  await send("plant/command/*", { command: "set", parameter: "devices", value: DEVICES });
  await send("plant/command/*", { command: "set", parameter: "intervalSeconds", value: 1 });
  await delay(LEARNING);
  for (const [deviceId, fault] of [
    ["R2", "overheating"],
    ["R4", "battery-drop"],
    ["R7", "dropout"],
    ["R9", "spike"],
  ]) {
    await send(`plant/command/${deviceId}`, { command: "fault", fault, seconds: 600 });
  }
  const work = { deviceId: "R10", seconds: 7200, by: "admin", reason: "new bearing" };
  await send("plant/operator/alarms", { command: "maintenance", ...work });
  await delay(TROUBLE);

  const alarms = await goTo(operator, "Alarms", "da-alarms");
  const acknowledge = alarms.getByRole("button", { name: `Acknowledge ${nameOf("R7")} offline` });
  await acknowledge.click();
  await acknowledge.waitFor({ state: "detached" });
  // Its figures follow within five seconds.
  await delay(6000);
  await picture("alarms");

  await goTo(operator, "Live", ".da-live");
  await operator.choose(nameOf("R2"));
  await until("its charts", async () => (await operator.points("metric temperature")).length > 0);
  await picture("live");

  const devices = await goTo(operator, "Devices", "da-devices");
  await devices.getByRole("row").filter({ hasText: "R2" }).click();
  await until("its charts", async () => (await operator.points("metric temperature")).length > 0);
  await picture("devices", 1100);
}

/** What people call a device, as pickers show it. */
function nameOf(deviceId: string): string {
  return `Carrier ${deviceId.slice(1)} (${deviceId})`;
}

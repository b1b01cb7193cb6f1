/**
 * The main job on a real recording: `node bench/speed/recording.ts FILE.csv[.gz]` starts the application with
 * `--replay FILE --speed 0`, once with its embedded broker and once with a mosquitto, and counts what passes there.
 */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { connectAsync } from "mqtt";
import { startApplication } from "../../test/support/application.ts";
import { startMosquitto } from "../../test/support/mosquitto.ts";
import { freePort } from "../../test/support/ports.ts";

/** The count stands when nothing has come for this long, ms. */
const QUIET = 5000;

const file = process.argv[2];
if (!file) throw new Error("usage: node bench/speed/recording.ts FILE.csv[.gz]");

const rows = await countRows(file);
console.log(`${file}: ${rows} rows`);
const mqttPort = await freePort();
report("embedded broker", await count(["--mqtt-port", String(mqttPort)], `mqtt://127.0.0.1:${mqttPort}`, {}));
const mosquitto = await startMosquitto();
report("mosquitto", await count([], mosquitto.url, { MQTT_URL: mosquitto.url }));
await mosquitto.stop();

interface Counts {
  sent: number;
  analysed: number;
  anomalous: number;
  seconds: number;
  output: string;
}

/** Starts the application while a client of the broker listens, and waits until all has been quiet for a while. */
async function count(args: string[], url: string, env: NodeJS.ProcessEnv): Promise<Counts> {
  const application = startApplication({ args: [...args, "--replay", file as string, "--speed", "0"], env });
  const client = await connectWhenThere(url);
  const counts = { sent: 0, analysed: 0, anomalous: 0 };
  let first = 0;
  let last = 0;
  client.on("message", (topic, payload) => {
    last = performance.now();
    if (topic.startsWith("plant/telemetry/")) {
      first ||= last;
      counts.sent++;
      return;
    }
    counts.analysed++;
    const { verdicts } = JSON.parse(payload.toString());
    if (verdicts?.["z-score-anomaly"]?.isAnomaly) counts.anomalous++;
  });
  await client.subscribeAsync(["plant/telemetry/+", "plant/analysis/+"], { qos: 1 });
  const { stop, output } = await application;
  while (last === 0 || performance.now() - last < QUIET) await new Promise((resolve) => setTimeout(resolve, 200));
  await client.endAsync();
  await stop();
  return { ...counts, seconds: (last - first) / 1000, output: output() };
}

/** The embedded broker appears some time after the application is started. */
async function connectWhenThere(url: string) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await connectAsync(url, { reconnectPeriod: 0, connectTimeout: 1000 }, false);
    } catch (error) {
      if (attempt > 1000) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function countRows(path: string): Promise<number> {
  const stream = path.endsWith(".gz") ? createReadStream(path).pipe(createGunzip()) : createReadStream(path);
  let lines = 0;
  for await (const chunk of stream) for (const byte of chunk) if (byte === 10) lines++;
  return lines - 1;
}

function report(name: string, { sent, analysed, anomalous, seconds, output }: Counts): void {
  const rate = Math.round(sent / seconds);
  console.log(
    `${name}: sent ${sent}, analysed ${analysed}, rejected or lost ${rows - analysed}, anomalous ${anomalous}, ` +
      `${seconds.toFixed(1)} s, ${rate} readings/s`,
  );
  const trouble = output.split("\n").filter((line) => /\[(warn|error)\]/.test(line));
  for (const line of trouble.slice(0, 5)) console.log(`  ${line}`);
}

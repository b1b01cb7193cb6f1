import { strict as assert } from "node:assert";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EmbeddedHistorian } from "../../nodes/historian/embedded.ts";
import { InfluxHistorian } from "../../nodes/historian/influx.ts";
import { type Child, startChild } from "../support/child.ts";
import { newFolder } from "../support/folders.ts";
import { startInfluxd } from "../support/influxd.ts";

const program = join(import.meta.dirname, "..", "..", "app", "import.ts");
const NEUTRAL = { INFLUX_URL: "", INFLUX_DATABASE: "", INFLUX_USER: "", INFLUX_PASSWORD: "", INFLUX_TOKEN: "" };
const RETENTION = { retentionDays: 30, archiveDays: 365 };
const START = Date.now() - 3_600_000;

describe("npm run import", function () {
  this.timeout(60_000);
  let userDir: string;
  const children: Child[] = [];

  beforeEach(() => {
    userDir = newFolder();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await child.stop("SIGKILL");
  });

  const run = async (args: string[], env: NodeJS.ProcessEnv = {}) => {
    const child = await startChild(process.execPath, [program, ...args, "--user-dir", userDir], {
      env: { ...NEUTRAL, INIT_CWD: userDir, ...env },
    });
    children.push(child);
    return child;
  };
  const save = (name: string, rows: number) => {
    const lines = Array.from({ length: rows }, (_, x) => `R${x % 10},${START + x},${x}`);
    writeFileSync(join(userDir, name), ["machine,time,x", ...lines].join("\n"));
    return name;
  };
  const MAP = ["--map", '{"device":"machine"}'];
  const embedded = () =>
    new EmbeddedHistorian({ file: /into (.*\.sqlite)/.exec(children.at(-1)?.output() ?? "")?.[1] ?? "", ...RETENTION });
  async function countIn(historian: EmbeddedHistorian | InfluxHistorian): Promise<number> {
    let count = 0;
    for await (const { times } of historian.rows({ measurement: "readings", from: 0, to: 8e15 })) count += times.length;
    await historian.close();
    return count;
  }

  it("writes a file that is named from where it is called into the store of the user directory", async () => {
    const child = await run([save("a.csv", 1000), ...MAP]);
    assert.equal(await child.ended(), 0, child.output());
    assert.match(child.output(), /^100 %: 1000 rows, \d+ rows\/s, 0 refused, 0 in part, into .*\.sqlite$/m);
    assert.ok(child.output().includes(`into ${userDir}`));
    assert.equal(await countIn(embedded()), 1000);
  });

  it("takes the map from a file", async () => {
    writeFileSync(join(userDir, "map.json"), MAP[1] ?? "");
    const child = await run([save("b.csv", 10), "--map", "map.json"]);
    assert.equal(await child.ended(), 0, child.output());
    assert.equal(await countIn(embedded()), 10);
  });

  it("writes to the InfluxDB of the environment", async () => {
    await using influxd = await startInfluxd();
    const child = await run([save("c.csv", 1000), ...MAP], { INFLUX_URL: influxd.url, INFLUX_DATABASE: "plant" });
    assert.equal(await child.ended(), 0, child.output());
    const access = { url: influxd.url, database: "plant", username: "", password: "", token: "" };
    assert.equal(await countIn(new InfluxHistorian({ ...access, ...RETENTION })), 1000);
  });

  it("goes on after it was killed", async () => {
    const name = save("d.csv", 300_000);
    const progress = /"rows":(\d+)/;
    const first = await run([name, ...MAP]);
    const found = async () => {
      for (const end = performance.now() + 20_000; performance.now() < end; ) {
        const rows = Number(progress.exec(readProgress(userDir))?.[1] ?? 0);
        if (rows > 0) return rows;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return 0;
    };
    assert.ok((await found()) > 0, first.output());
    await first.stop("SIGKILL");
    const saved = Number(progress.exec(readProgress(userDir))?.[1]);
    assert.ok(saved > 0 && saved < 300_000, `${saved} rows`);
    const second = await run([name, ...MAP]);
    assert.equal(await second.ended(), 0, second.output());
    assert.match(second.output(), /: 300000 rows/);
    assert.equal(await countIn(embedded()), 300_000);
  });

  it("breaks off cleanly when it is told to stop", async () => {
    const child = await run([save("e.csv", 1_000_000), ...MAP]);
    while (!readProgress(userDir)) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(await child.stop("SIGINT"), 1);
    assert.match(child.output(), /Broken off: the same command goes on here/);
  });

  it("tells what is older than the store keeps, and where the report is", async () => {
    writeFileSync(join(userDir, "f.csv"), `device,time,x\nR1,${Date.UTC(2020, 0)},1\nR1,${START},2\n`);
    const child = await run(["f.csv"]);
    assert.equal(await child.ended(), 0, child.output());
    const [, report = ""] = /Why not all was taken: (.*)/.exec(child.output()) ?? [];
    assert.match(readFileSync(report, "utf8"), /^\{"line":2,"reason":".*retention/);
  });

  for (const [what, args, reason] of [
    ["no file", [], /One file is to be named/],
    ["two files", ["a", "b"], /One file is to be named/],
    ["a file that isn't there", ["none.csv"], /there is no file .*none\.csv/],
    ["an option that nobody knows", ["a.csv", "--speed", "1"], /--speed/],
    ["a map that is no JSON", ["a.csv", "--map", "{"], /--map: /],
    ["a map of nothing that there is", ["a.csv", "--map", '{"devices":"x"}'], /--map: .*not devices/],
  ] as const) {
    it(`says in a line what is wrong with ${what}`, async () => {
      const child = await run([...args]);
      assert.equal(await child.ended(), 1);
      assert.match(child.output(), reason);
      assert.equal(child.output().trim().split("\n").length, 1, child.output());
    });
  }
});

/** What an import has saved of how far it has come; empty if nothing. */
function readProgress(userDir: string): string {
  const folder = join(userDir, "device-analytics", "imports");
  try {
    const [name = ""] = readdirSync(folder).filter((name) => name.endsWith(".progress.json"));
    return readFileSync(join(folder, name), "utf8");
  } catch {
    return "";
  }
}

import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Reading } from "../../../core/types.ts";
import { Recording } from "../../../nodes/lib/recording.ts";

const TIME = Date.UTC(2026, 2, 1, 12);

describe("a recording", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "recording-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  const file = (name: string, content: string | Uint8Array) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };

  const read = async (path: string) => {
    const recording = await Recording.open(path);
    const readings: Reading[] = [];
    const refused: string[] = [];
    const refuse = (line: number, reason: string, isPartial: boolean) =>
      refused.push(`${isPartial ? "partly " : ""}line ${line}: ${reason}`);
    for await (const reading of recording.readings(refuse)) readings.push(reading);
    assert.equal(recording.percent, 100);
    return { readings, refused };
  };

  const CSV = `timestamp,device_id,temperature,running,location\n${TIME / 1000},R1,62.5,True,hall 3\n${TIME / 1000 + 1.5},R2,,False,\n`;
  const FROM_CSV = [
    { deviceId: "R1", timestamp: TIME, metrics: { temperature: 62.5, running: 1 }, tags: { location: "hall 3" } },
    { deviceId: "R2", timestamp: TIME + 1500, metrics: { running: 0 } },
  ];

  it("in CSV has numbers, True and False, missing cells, and tags", async () => {
    assert.deepEqual(await read(file("a.csv", CSV)), { readings: FROM_CSV, refused: [] });
  });

  for (const [name, content] of [
    ["gzipped.csv.gz", gzipSync(CSV)],
    ["gzipped without saying so", gzipSync(CSV)],
    ["named otherwise.txt", CSV],
    ["from Windows.csv", `\uFEFF${CSV.replaceAll("\n", "\r\n")}`],
    ["with semicolons.csv", CSV.replaceAll(",", ";")],
    ["with tabs.csv", CSV.replaceAll(",", "\t")],
    ["with blanks.csv", CSV.replaceAll(",", " , ")],
    ["without an end.csv", CSV.trimEnd()],
    ["with blank lines.csv", CSV.replaceAll("\n", "\n\n")],
    ["with quotes.csv", CSV.replaceAll(/[^,\n]+/g, '"$&"')],
    ["with row numbers.csv", CSV.replaceAll(/^(?=.)/gm, ",").replace(/^,t/, ",t")],
  ] as const) {
    it(`in CSV may be ${name}`, async () => {
      assert.deepEqual((await read(file(name, content))).readings, FROM_CSV);
    });
  }

  it("in CSV may be in the narrow form", async () => {
    const { readings } = await read(file("b.csv", `ts,sensor_id,sensor_type,value,unit\n${TIME},7,co2,412,ppm\n`));
    assert.deepEqual(readings, [{ deviceId: "7", timestamp: TIME, metrics: { co2: 412 }, units: { co2: "ppm" } }]);
  });

  it("keeps names that look like numbers as they are written", async () => {
    const { readings } = await read(file("c.csv", "device,floor,x\n007,02,1\n1e5,-1.0,2\n12345678901234567890,,3\n"));
    assert.deepEqual(
      readings.map(({ deviceId, tags }) => [deviceId, tags?.floor]),
      [
        ["007", "02"],
        ["1e5", "-1.0"],
        ["12345678901234567890", undefined],
      ],
    );
  });

  it("in CSV without a column for the device is one device, named after the file", async () => {
    const { readings } = await read(file("pump 4.csv.gz", gzipSync(`datetime;x\n2026-03-01 12:00:00;1\n`)));
    assert.deepEqual(readings, [{ deviceId: "pump 4", timestamp: TIME, metrics: { x: 1 } }]);
  });

  it("in CSV takes columns named like what objects have for metrics", async () => {
    const { readings, refused } = await read(file("d.csv", "device,constructor,__proto__,toString\nR1,1,2,3\n"));
    assert.deepEqual(Object.entries(readings[0]?.metrics ?? {}), [
      ["constructor", 1],
      ["toString", 3],
    ]);
    assert.deepEqual(refused, []);
  });

  it("tells the line of each record that can't be taken, and goes on with the next", async () => {
    const rows = ["device,x,y", "R1,1,2", "R1,1", "R1,1,2,3", ",1,2", "R1,,", "R1,much,2", 'R1,5",6'];
    const { readings, refused } = await read(file("e.csv", rows.join("\n")));
    assert.deepEqual(
      readings.map(({ metrics }) => metrics),
      [{ x: 1, y: 2 }, { y: 2 }, { y: 6 }],
    );
    assert.deepEqual(refused.slice(0, 2), [
      "line 3: it has 2 cells, and the header names 3",
      "line 4: it has 4 cells, and the header names 3",
    ]);
    assert.match(refused[2] ?? "", /^line 5: no device/);
    assert.match(refused[3] ?? "", /^line 6: it holds no metric/);
    assert.match(refused[4] ?? "", /^partly line 7: x: "much" is not a finite number/);
  });

  const LINES = [
    { deviceId: "R1", timestamp: TIME, metrics: { temperature: 62.5 }, units: { temperature: "°C\u2028" } },
    { device_id: "R2", timestamp: TIME / 1000, temperature: 60, running: true },
    [
      { sensor_id: "R3", sensor_type: "co2", value: 412, timestamp: TIME },
      { device: "R4", x: 1, ts: TIME },
    ],
  ].map((payload) => JSON.stringify(payload));
  const FROM_LINES = [
    { deviceId: "R1", timestamp: TIME, metrics: { temperature: 62.5 }, units: { temperature: "°C\u2028" } },
    { deviceId: "R2", timestamp: TIME, metrics: { temperature: 60, running: 1 } },
    { deviceId: "R3", timestamp: TIME, metrics: { co2: 412 } },
    { deviceId: "R4", timestamp: TIME, metrics: { x: 1 } },
  ];

  for (const [name, content] of [
    ["a.jsonl", LINES.join("\n")],
    ["a.ndjson", `${LINES.join("\r\n")}\r\n`],
    ["a.json.gz", gzipSync(LINES.join("\n\n"))],
    ["a.log", `\uFEFF ${LINES.join("\n")}`],
    ["a", gzipSync(LINES.join("\n"))],
  ] as const) {
    it(`of JSON lines in any of the forms that devices send may be named ${name}`, async () => {
      assert.deepEqual(await read(file(name, content)), { readings: FROM_LINES, refused: [] });
    });
  }

  it("tells the line of JSON that can't be taken", async () => {
    const { readings, refused } = await read(file("f.jsonl", `${LINES[0]}\n\n{"device":\n{"x":1}\n[]\n${LINES[1]}\n`));
    assert.equal(readings.length, 2);
    assert.deepEqual(
      refused.map((reason) => reason.slice(0, 7)),
      ["line 3:", "line 4:", "line 5:"],
    );
  });

  it("puts characters together that were read in two pieces", async () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `{"device":"Öfen ${index}","x":1}`);
    const { readings, refused } = await read(file("g.jsonl", lines.join("\n")));
    assert.deepEqual(refused, []);
    assert.ok(readings.every(({ deviceId }, index) => deviceId === `Öfen ${index}`));
  });

  it("gives a record without a time that of the record before it", async () => {
    const { readings } = await read(file("h.jsonl", `{"device":"R1","x":1,"ts":${TIME}}\n{"device":"R2","x":2}\n`));
    assert.equal(readings[1]?.timestamp, TIME);
  });

  it("tells how far it has been read", async () => {
    const lines = Array.from({ length: 5000 }, () => '{"device":"R1","x":1}');
    const recording = await Recording.open(file("i.jsonl", lines.join("\n")));
    assert.equal(recording.percent, 0);
    let count = 0;
    for await (const _ of recording.readings(() => assert.fail())) {
      if (++count === 1000 || count === 2500) assert.ok(Math.abs(recording.percent - count / 50) < 0.1);
    }
    assert.equal(count, 5000);
  });

  for (const [name, content, reason] of [
    ["empty.csv", "", /it is empty/],
    ["empty.csv.gz", gzipSync(""), /it is empty/],
    ["no gzip.csv.gz", CSV, /incorrect header check/],
  ] as const) {
    it(`can't be opened if it is ${name}`, async () => {
      const path = file(name, content);
      await assert.rejects(
        Recording.open(path),
        (error: Error) => error.message.includes(path) && reason.test(error.message),
      );
    });
  }

  it("can't be opened if it isn't there, or is a folder", async () => {
    await assert.rejects(Recording.open(join(folder, "none.csv")), { message: `there is no file ${folder}/none.csv` });
    await assert.rejects(Recording.open(folder), { message: `${folder} is a folder, not a file` });
  });

  for (const [name, damage, reason] of [
    ["is damaged", (bytes: Buffer) => bytes.fill(0x55, bytes.length / 2, bytes.length / 2 + 100), /cannot be read: /],
    ["breaks off", (bytes: Buffer) => bytes.subarray(0, bytes.length / 2), /cannot be read: unexpected end of file/],
  ] as const) {
    it(`gives what comes before the place where a gzipped file ${name}, and then an error`, async () => {
      const rows = Array.from({ length: 100_000 }, (_, index) => `R${index % 7},${Math.sin(index)}`);
      const path = file("j.csv.gz", damage(gzipSync(`device,x\n${rows.join("\n")}`)));
      const recording = await Recording.open(path);
      let count = 0;
      await assert.rejects(async () => {
        for await (const _ of recording.readings(() => undefined)) count++;
      }, reason);
      assert.ok(count > 20_000 && count < 80_000, `${count} readings`);
    });
  }

  it("notices that the file became shorter while it was read", async () => {
    const path = file("k.jsonl", `${LINES[0]}\n`.repeat(10_000));
    const recording = await Recording.open(path);
    truncateSync(path, 100_000);
    await assert.rejects(async () => {
      for await (const _ of recording.readings(() => undefined));
    }, /it became shorter while it was read/);
  });

  for (const name of ["l.csv", "l.jsonl"]) {
    it(`takes no memory for a record without end in ${name}`, async () => {
      const recording = await Recording.open(file(name, `"${"x".repeat(10_000_000)}`));
      await assert.rejects(async () => {
        for await (const _ of recording.readings(() => undefined));
      }, /4000000/);
    });
  }
});

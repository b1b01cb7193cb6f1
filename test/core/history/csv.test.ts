import assert from "node:assert/strict";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { csvHeader, csvLines, csvText } from "../../../core/history/csv.ts";

const chunk = (device: string, fields: string[], values: (number | string | null)[][]) => ({
  tags: { device },
  times: values[0]?.map((_, row) => 1_772_359_200_000 + row) ?? [],
  fields,
  values,
});

describe("CSV", () => {
  it("has a header and a row an instant, with ISO times and empty cells where there is no value", () => {
    const columns = { tags: ["device", "location"] as const, fields: ["temperature", "_quality", "lastSeen"] };
    const text = csvLines(
      { ...columns, times: ["lastSeen"] },
      chunk(
        "P7",
        ["_quality", "temperature", "lastSeen"],
        [
          ["bad", null],
          [62.5, -1e-7],
          [1_772_359_200_000, null],
        ],
      ),
    );
    assert.equal(csvHeader(columns), "time,device,location,temperature,_quality,lastSeen\r\n");
    assert.equal(
      text,
      "2026-03-01T10:00:00.000Z,P7,,62.5,bad,2026-03-01T10:00:00.000Z\r\n2026-03-01T10:00:00.001Z,P7,,-1e-7,,\r\n",
    );
  });

  it("makes text of what a spreadsheet would take for a formula, and leaves numbers as they are", () => {
    for (const text of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x")', "＝1"]) {
      const cell = csvText(text);
      assert.ok(cell.startsWith(`"'`), cell);
      assert.deepEqual(parse(cell), [[`'${text}`]]);
    }
    const line = csvLines({ tags: ["device"], fields: ["=x"] }, chunk("-5", ["=x"], [[-5]]));
    assert.equal(line, `2026-03-01T10:00:00.000Z,"'-5",-5\r\n`);
    assert.equal(csvHeader({ tags: [], fields: ["=x"] }), `time,"'=x"\r\n`);
  });

  it("is read back as it was by csv-parse, whatever the names and texts", () => {
    const names = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom('a"b', "a,b", "a\r\nb", " a ", "__proto__"),
    );
    fc.assert(
      fc.property(names, fc.array(names, { minLength: 1 }), (device, texts) => {
        const [row] = parse(csvLines({ tags: ["device"], fields: ["text"] }, chunk(device, ["text"], [texts])));
        assert.deepEqual((row as string[]).slice(1).map(bare), [device, texts[0]]);
      }),
    );
  });
});

/** A cell without the apostrophe that makes it text. */
function bare(cell: string): string {
  return /^'[=+\-@\t\r\n＝＋－＠]/.test(cell) ? cell.slice(1) : cell;
}

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeAbandoned, stateFolder } from "../../../nodes/lib/state-folders.ts";

const DAY = 24 * 3_600_000;
const NOW = Date.UTC(2024, 1, 29);

describe("the folders of nodes' state", () => {
  let userDir: string;
  beforeEach(() => {
    userDir = mkdtempSync(join(tmpdir(), "device-analytics-"));
  });
  afterEach(() => rmSync(userDir, { recursive: true }));

  /** Makes the folder of a node that last wrote so many days ago. */
  function madeFolder(nodeId: string, days: number): string {
    const folder = stateFolder(userDir, nodeId);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "00.jsonl"), "");
    const time = new Date(NOW - days * DAY);
    utimesSync(folder, time, time);
    return folder;
  }

  it("are one a node, within the user directory whatever the node's id", () => {
    assert.notEqual(stateFolder(userDir, "a"), stateFolder(userDir, "b"));
    assert.ok(stateFolder(userDir, "../../etc").startsWith(join(userDir, "device-analytics")));
  });

  it("go when the node is gone and has not written for 90 days", async () => {
    const old = madeFolder("gone", 91);
    const recent = madeFolder("gone recently", 89);
    await removeAbandoned(userDir, ["other"], NOW);
    assert.ok(!existsSync(old));
    assert.ok(existsSync(recent));
  });

  it("stay while the node is in the flows, however long ago it wrote", async () => {
    const folders = ["a1b2", "a/b", "node-with-dashes"].map((id) => madeFolder(id, 1000));
    await removeAbandoned(userDir, ["a1b2", "a/b", "node-with-dashes"], NOW);
    for (const folder of folders) assert.ok(existsSync(folder));
  });

  it("stay while the node is in an instance of a subflow, even of one within another", async () => {
    const folders = ["instance-node", "outer-inner-node", "my-instance-node"].map((id) => madeFolder(id, 1000));
    const gone = madeFolder("instances-node", 1000);
    await removeAbandoned(userDir, ["instance", "outer", "my-instance"], NOW);
    for (const folder of folders) assert.ok(existsSync(folder));
    assert.ok(!existsSync(gone));
  });

  it("need not be there", async () => {
    await removeAbandoned(userDir, [], NOW);
    assert.ok(!existsSync(join(userDir, "device-analytics")));
  });
});

import assert from "node:assert/strict";
import type { HeldCount } from "../../core/alert-limit.ts";
import type { Alarm } from "../../core/types.ts";
import { AlertText } from "../../nodes/alert-router/alert-text.ts";
import locale from "../../nodes/alert-router/locale.json" with { type: "json" };
import { fill } from "../../nodes/lib/options.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NIGHT = Date.UTC(2026, 2, 1, 2, 59, 30);

/** The text of a key, as Node-RED finds it. */
function translate(key: string, values: Record<string, string | number> = {}): string {
  const find = (name: string) =>
    name.split(".").reduce((texts: unknown, step) => (texts as Record<string, unknown> | undefined)?.[step], locale);
  const text = find(key) ?? find(`${key}_${values.count === 1 ? "one" : "other"}`);
  assert.equal(typeof text, "string", key);
  return fill(text as string, values);
}

const alarm: Alarm = {
  alarmId: "P7/overheating",
  deviceId: "P7",
  condition: "overheating",
  severity: "critical",
  state: "unacknowledged",
  name: "Cooling pump",
  location: "hall 3",
  metric: "temperature",
  value: 81.20000001,
  limit: 75,
  unit: "°C",
  advice: "Stop the pump and look at the filter.\nThen call the workshop.",
  raisedAt: NIGHT,
  count: 3,
};
const bare: Alarm = {
  alarmId: "P7/offline",
  deviceId: "P7",
  condition: "offline",
  severity: "warning",
  state: "unacknowledged",
};

describe("the text of an alert", () => {
  const words = new AlertText(translate, "Europe/Berlin");

  it("says which device, what, how bad, since when, the value and its limit, and what to do", () => {
    assert.deepEqual(words.alert("alarm", alarm, NIGHT + 30 * SECOND), {
      title: "CRITICAL: Cooling pump (hall 3): overheating, temperature 81.2 °C (limit 75 °C)",
      text: [
        "CRITICAL: Cooling pump (hall 3): overheating, temperature 81.2 °C (limit 75 °C)",
        "",
        "Device: Cooling pump (P7)",
        "Place: hall 3",
        "Alarm: overheating, CRITICAL",
        "Value: temperature 81.2 °C (limit 75 °C)",
        "Since: 2026-03-01 03:59:30 Europe/Berlin, for 30 s",
        "Raised 3 times",
        "",
        "What to do: Stop the pump and look at the filter.",
        "Then call the workshop.",
      ].join("\n"),
    });
  });

  it("leaves out what is not known", () => {
    assert.deepEqual(words.alert("alarm", bare, NIGHT), {
      title: "WARNING: P7: offline",
      text: "WARNING: P7: offline\n\nDevice: P7\nAlarm: offline, WARNING",
    });
    const title = (more: Partial<Alarm>) => words.alert("alarm", { ...bare, ...more }, NIGHT).title;
    assert.equal(title({ metric: "speed" }), "WARNING: P7: offline, speed");
    assert.equal(title({ value: 20 }), "WARNING: P7: offline, 20");
    assert.equal(title({ value: 20, unit: "s", limit: 15 }), "WARNING: P7: offline, 20 s (limit 15 s)");
    assert.doesNotMatch(words.alert("alarm", { ...bare, raisedAt: 1e300 }, NIGHT).text, /Since/);
  });

  it("tells a reminder, an escalation and the end apart in the title", () => {
    const title = (kind: "repeat" | "escalation" | "normal") => words.alert(kind, alarm, NIGHT).title;
    assert.match(title("repeat"), /^Reminder, CRITICAL: Cooling pump/);
    assert.match(title("escalation"), /^Not acknowledged, CRITICAL: Cooling pump/);
    assert.equal(title("normal"), "Back to normal: Cooling pump (hall 3): overheating");
  });

  it("says from when to when it was, once it is over, and no more what to do", () => {
    const { text } = words.alert("normal", { ...alarm, clearedAt: NIGHT + 2 * HOUR + 10 * MINUTE }, NIGHT + DAY);
    assert.match(text, /^From 2026-03-01 03:59:30 Europe\/Berlin to 2026-03-01 06:09:30 Europe\/Berlin, 2 h 10 min$/m);
    assert.doesNotMatch(text, /What to do/);
  });

  it("tells how long in two units at most", () => {
    const duration = (ms: number) => /, for (.*)/.exec(words.alert("repeat", alarm, NIGHT + ms).text)?.[1];
    assert.deepEqual([-SECOND, 59 * SECOND, MINUTE, HOUR - 1, HOUR, DAY - 1, 3 * DAY + 4 * HOUR].map(duration), [
      "0 s",
      "59 s",
      "1 min",
      "59 min",
      "1 h 0 min",
      "23 h 59 min",
      "3 d 4 h",
    ]);
  });

  it("keeps a title on one line, whatever names hold", () => {
    const strange = { ...alarm, name: "Pump\n7", location: "hall\r\n3", condition: "too\thot", metric: "a\nb" };
    assert.equal(words.alert("alarm", strange, NIGHT).title.split(/[\r\n\t]/).length, 1);
  });

  it("counts in a summary what was held back, the worst in the title", () => {
    const held = (more: Partial<HeldCount>): HeldCount => ({
      ...{ kind: "alarm", severity: "warning", condition: "hot", count: 1, devices: ["P1"] },
      ...more,
    });
    const counts = [
      held({ severity: "critical", condition: "fire", count: 5, devices: ["P1", "P2", "P3"] }),
      held({ count: 30, devices: ["P3", "P4", "P5"] }),
      held({ kind: "repeat", condition: "dry" }),
      { kind: "alarm", severity: "info", count: 1, devices: ["P9"] } as const,
      held({ kind: "escalation" }),
      held({ kind: "normal" }),
    ].map((count) => ({ ...count, devices: [...count.devices] }));
    const { title, text } = words.summary({ count: 39, severity: "critical", counts });
    assert.equal(title, "39 more alerts: 5 × fire (CRITICAL), 30 × hot (WARNING), 1 × dry (WARNING, again), …");
    assert.equal(
      text,
      [
        title,
        "",
        "5 × fire (CRITICAL): P1, P2, P3, …",
        "30 × hot (WARNING): P3, P4, P5, …",
        "1 × dry (WARNING, again): P1",
        "1 × others (info): P9",
        "1 × hot (WARNING, not acknowledged): P1",
        "1 × hot back to normal: P1",
      ].join("\n"),
    );
    const many = words.summary({ count: 50, severity: "info", counts: Array.from({ length: 50 }, () => held({})) });
    assert.equal(many.text.split("\n").length, 23);
  });

  it("is in no time zone that there is not", () => {
    assert.throws(() => new AlertText(translate, "Europe/Nowhere"), RangeError);
  });
});

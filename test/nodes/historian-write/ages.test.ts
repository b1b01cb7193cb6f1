import assert from "node:assert/strict";
import { Ages } from "../../../nodes/historian-write/ages.ts";

describe("the ages of what is numbered", () => {
  it("are told from when a number was reached", () => {
    const ages = new Ages();
    ages.push(10, 1000);
    ages.push(10, 2000);
    ages.push(20, 3000);
    assert.deepEqual(
      [0, 9, 10, 19].map((number) => ages.ageOf(number, 4000)),
      [3000, 3000, 1000, 1000],
    );
    assert.equal(ages.ageOf(20, 5000), 0);
  });

  it("are not below zero when the clock is set back", () => {
    const ages = new Ages();
    ages.push(10, 1000);
    assert.equal(ages.ageOf(0, 500), 0);
  });

  it("stay nearly right over any time, in bounded memory", () => {
    const ages = new Ages();
    const hours = 200;
    for (let second = 1; second <= hours * 3600; second++) ages.push(second, second * 1000);
    const age = ages.ageOf(1800, hours * 3_600_000) / 3_600_000;
    assert.ok(age > hours - 2 && age <= hours - 0.5, `${age} h`);
  });
});

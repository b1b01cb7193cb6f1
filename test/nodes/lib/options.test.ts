import assert from "node:assert/strict";
import fc from "fast-check";
import {
  fill,
  flag,
  integer,
  isEnvironment,
  list,
  number,
  numberPairs,
  type Option,
  OptionError,
  oneOf,
  optionalNumber,
  pairs,
  parseAll,
  reference,
  SettingError,
  secret,
  stateOptions,
  table,
  text,
} from "../../../nodes/lib/options.ts";

/** Why an option refuses a value. */
function refusal(option: Option<unknown>, raw: unknown): string {
  try {
    option.parse(raw);
  } catch (error) {
    assert.ok(error instanceof OptionError, String(error));
    return error.message;
  }
  return assert.fail(`${String(raw)} is taken`);
}

/** A setting that stands for an environment variable. */
const variable = (name: string) => `\${${name}}`;

const every: Record<string, Option<unknown>> = {
  text: text("a"),
  number: number(1.5),
  optionalNumber: optionalNumber(),
  pairs: pairs(),
  numberPairs: numberPairs(),
  integer: integer(3),
  oneOf: oneOf("a", ["a", "b"]),
  flag: flag(true),
  list: list(["a", "b"]),
  secret: secret(),
  reference: reference("some-config"),
  table: table({ metric: text("x") }, [{ metric: "y" }]),
};

describe("every option", () => {
  for (const [kind, option] of Object.entries(every)) {
    it(`${kind} falls back to its default where a flow is older than it`, () => {
      assert.deepEqual(option.parse(undefined), option.parse(option.value));
      assert.deepEqual(option.parse(null), option.parse(option.value));
    });

    it(`${kind} says which environment variable is not set`, () => {
      assert.equal(refusal(option, variable("PLANT_NAME")), "the environment variable PLANT_NAME is not set");
    });

    it(`${kind} gives a value or an OptionError for anything`, () => {
      fc.assert(
        fc.property(fc.anything(), (raw) => {
          try {
            option.parse(raw);
          } catch (error) {
            assert.ok(error instanceof OptionError && error.message !== "", String(error));
          }
        }),
        { seed: 1 },
      );
    });
  }

  it("takes text that merely holds an environment variable as it is, as Node-RED does", () => {
    assert.equal(isEnvironment(`${variable("A")}/b`), false);
    assert.equal(text("").parse(`${variable("A")}/b`), `${variable("A")}/b`);
  });
});

describe("text", () => {
  it("is trimmed", () => {
    assert.equal(text("").parse("  hall 3 "), "hall 3");
  });

  it("takes a number, which an environment variable may look like", () => {
    assert.equal(text("").parse(7), "7");
  });

  it("may be required", () => {
    assert.equal(refusal(text("", { required: true }), " "), "must not be empty");
    assert.equal(refusal(text("", { required: true }), undefined), "must not be empty");
    assert.equal(text("").parse(""), "");
  });

  it("refuses anything else", () => {
    for (const raw of [true, {}, []]) assert.equal(refusal(text(""), raw), "must be text");
  });
});

describe("number", () => {
  it("takes text, as the editor and the environment give it", () => {
    assert.equal(number(0).parse("2.5"), 2.5);
    assert.equal(number(0).parse(" -1e3 "), -1000);
    assert.equal(number(0).parse(2.5), 2.5);
  });

  it("includes its limits", () => {
    const option = number(1, { min: 0, max: 10 });
    assert.equal(option.parse(0), 0);
    assert.equal(option.parse("10"), 10);
    for (const raw of [-0.001, "10.001"]) assert.equal(refusal(option, raw), "must be a number from 0 to 10");
  });

  it("says which limit there is", () => {
    assert.equal(refusal(number(1), "much"), "must be a number");
    assert.equal(refusal(number(1, { min: 0 }), -1), "must be a number from 0 up");
    assert.equal(refusal(number(1, { max: 9 }), 10), "must be a number up to 9");
  });

  it("refuses what is no finite number", () => {
    for (const raw of ["", " ", "1,5", "1 2", "NaN", "Infinity", Number.NaN, Infinity, true, {}, []]) {
      assert.equal(refusal(number(1), raw), "must be a number");
    }
  });
});

describe("integer", () => {
  it("takes whole numbers only", () => {
    assert.equal(integer(1).parse("20"), 20);
    assert.equal(refusal(integer(1), "2.5"), "must be a whole number");
    assert.equal(refusal(integer(1), 2 ** 53), "must be a whole number");
    assert.equal(refusal(integer(5, { min: 2, max: 9 }), 2.5), "must be a whole number from 2 to 9");
    assert.equal(refusal(integer(5, { min: 2 }), 1), "must be a whole number from 2 up");
    assert.equal(refusal(integer(5, { max: 9 }), 10), "must be a whole number up to 9");
  });
});

describe("oneOf", () => {
  it("takes one of its words", () => {
    const option = oneOf("both", ["both", "above", "below"]);
    assert.equal(option.parse("above"), "above");
    for (const raw of ["", "Above", "constructor", 0]) {
      assert.equal(refusal(option, raw), "must be one of both, above, below");
    }
  });
});

describe("flag", () => {
  it("takes booleans and what an environment variable says instead", () => {
    for (const raw of [true, "true", "1"]) assert.equal(flag(false).parse(raw), true);
    for (const raw of [false, "false", "0", ""]) assert.equal(flag(true).parse(raw), false);
    for (const raw of ["yes", 1, {}]) assert.equal(refusal(flag(true), raw), "must be true or false");
  });
});

describe("list", () => {
  it("takes names separated by commas, blanks and empty ones aside", () => {
    assert.deepEqual(list().parse(" temperature, vibration*,,"), ["temperature", "vibration*"]);
    assert.deepEqual(list().parse(""), []);
    assert.deepEqual(list().parse(["a", " b "]), ["a", "b"]);
    assert.deepEqual(list(["a", "b"]).parse(undefined), ["a", "b"]);
    for (const raw of [7, [7], {}]) assert.equal(refusal(list(), raw), "must be names separated by commas");
  });

  it("may be limited to some words", () => {
    const option = list(["mean"], ["mean", "min"]);
    assert.deepEqual(option.parse("min,mean"), ["min", "mean"]);
    assert.equal(refusal(option, "mean,max"), "may hold only mean, min");
  });
});

describe("optionalNumber", () => {
  it("takes a number, or nothing", () => {
    const option = optionalNumber({ min: 1 });
    assert.deepEqual(["5", 5, "", " ", undefined].map(option.parse), [5, 5, undefined, undefined, undefined]);
    assert.equal(refusal(option, "0"), "must be a number from 1 up");
  });
});

describe("pairs", () => {
  it("takes names with texts, and texts with what separates them", () => {
    assert.deepEqual(pairs().parse(" line=A,model = X 200, , a=b=c,"), { line: "A", model: "X 200", a: "b=c" });
    assert.deepEqual(pairs().parse(""), {});
    assert.deepEqual(Object.entries(pairs().parse("__proto__=x")), [["__proto__", "x"]]);
  });

  it("refuses names and texts that are missing", () => {
    for (const raw of ["A", "=A", "line=", "line=A, B", 5, {}]) {
      assert.equal(refusal(pairs(), raw), "must be pairs such as line=A, model=X 200");
    }
  });
});

describe("numberPairs", () => {
  it("takes names with finite numbers", () => {
    assert.deepEqual(numberPairs().parse("overheating=80, low-battery=-2.5e1"), {
      overheating: 80,
      "low-battery": -25,
    });
    for (const raw of ["overheating", "overheating=hot", "overheating=", "overheating=Infinity"]) {
      assert.equal(refusal(numberPairs(), raw), "must be names with numbers, such as overheating=80");
    }
  });
});

describe("table", () => {
  const option = table({ metric: text("", { required: true }), limit: number(5, { min: 0 }) });

  it("parses each cell, and takes defaults for those that are missing", () => {
    assert.deepEqual(option.parse([{ metric: " t ", limit: "7" }, { metric: "v" }]), [
      { metric: "t", limit: 7 },
      { metric: "v", limit: 5 },
    ]);
    assert.deepEqual(option.parse([]), []);
  });

  it("names the row, the column and the reason", () => {
    assert.equal(
      refusal(option, [{ metric: "t" }, { metric: "v", limit: "-1" }]),
      "row 2: limit: must be a number from 0 up",
    );
    assert.equal(refusal(option, [{}]), "row 1: metric: must not be empty");
    assert.equal(refusal(option, [null]), "row 1: must be a table");
    assert.equal(refusal(option, "x"), "must be a table");
  });

  it("says which environment variable of a cell is not set", () => {
    assert.equal(
      refusal(option, [{ metric: variable("METRIC") }]),
      "row 1: metric: the environment variable METRIC is not set",
    );
  });
});

describe("parseAll", () => {
  const options = { name: text(""), size: integer(5, { min: 1 }), mode: oneOf("a", ["a", "b"]) };

  it("gives all settings, with nothing besides", () => {
    assert.deepEqual(parseAll(options, { id: "n1", size: "7", mode: "b", extra: 1 }), { name: "", size: 7, mode: "b" });
  });

  it("names the option that is wrong", () => {
    assert.throws(
      () => parseAll(options, { size: 0, mode: "c" }),
      (error) => error instanceof SettingError && error.message === "size: must be a whole number from 1 up",
    );
  });

  it("lets through errors that are none of the settings", () => {
    const broken: Option<never> = {
      kind: "text",
      value: "",
      parse() {
        throw new TypeError("bug");
      },
    };
    assert.throws(() => parseAll({ broken }, {}), TypeError);
  });
});

describe("the options of state", () => {
  it("never let an active device be forgotten at once", () => {
    assert.equal(refusal(stateOptions.forgetAfterHours, 0), "must be a number from 0.1 up");
    assert.equal(refusal(stateOptions.maxDevices, 0), "must be a whole number from 1 to 1000000");
    assert.equal(refusal(stateOptions.stateStore, ""), "must not be empty");
  });
});

describe("fill", () => {
  it("puts values where their names stand, and leaves the rest", () => {
    assert.equal(fill("__a__ of __b__, __c__", { a: 1, b: "x" }), "1 of x, __c__");
  });
});

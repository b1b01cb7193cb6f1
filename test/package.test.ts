/** The house rules: what every node, and the package as a whole, must have. The registry in package.json says of what. */
import { strict as assert } from "node:assert";
import { execFile } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, normalize, relative, sep } from "node:path";
import { promisify } from "node:util";
import type { Option, Options } from "../nodes/lib/options.ts";

const root = join(import.meta.dirname, "..");
const modules = join(root, "node_modules");
const run = promisify(execFile);

const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");
const readJson = (...path: string[]) => JSON.parse(read(...path));
/** Paths relative to the checkout. */
const find = (pattern: string) => globSync(pattern, { cwd: root }).sort();

const manifest = readJson("package.json");
const registry: Record<string, string> = manifest["node-red"].nodes;
const types = Object.keys(registry);

type Texts = { [key: string]: Texts | string };

interface FlowNode {
  id: string;
  type: string;
  z?: string;
  x?: number;
  wires?: string[][];
  func?: string;
  modules?: Record<string, string>;
}

/** What the editor half of a node says of it. */
interface Definition {
  category: string;
  inputs?: number;
  outputs?: number;
  ownOutputs?: number;
}

async function optionsOf(type: string): Promise<Options> {
  return (await import(`../nodes/${type}/options.ts`)).options;
}

async function definitionOf(type: string): Promise<Definition> {
  return (await import(`../nodes/${type}/editor.ts`)).default;
}

/** The nodes without those of configuration, which stand in no palette and take no messages. */
const paletteTypes: string[] = [];
for (const type of types) if ((await definitionOf(type)).category !== "config") paletteTypes.push(type);

const textsOf = (type: string): Texts => readJson("dist", "locales", "en-US", `${type}.json`);

/** What a dotted key names: a text, or a branch of them; undefined if there is none. */
function lookUp(texts: Texts, key: string): Texts | string | undefined {
  let found: Texts | string | undefined = texts;
  for (const step of key.split(".")) found = typeof found === "object" ? found[step] : undefined;
  return found;
}

const isText = (found: unknown) => typeof found === "string" && found.trim() !== "";

/** A text, be it in forms for one and for several. */
const hasText = (texts: Texts, key: string) =>
  isText(lookUp(texts, key)) || (isText(lookUp(texts, `${key}_one`)) && isText(lookUp(texts, `${key}_other`)));

for (const type of types) {
  describe(`the node ${type}`, () => {
    let options: Options;
    let texts: Texts;
    let definition: Definition;

    before(async () => {
      options = await optionsOf(type);
      texts = textsOf(type);
      definition = await definitionOf(type);
    });

    it("has its files, sources and built", () => {
      assert.equal(registry[type], `dist/${type}.js`);
      const sources = ["options.ts", "editor.ts", "form.html", "help.md", "locale.json", `${type}.ts`];
      const built = [`${type}.js`, `${type}.html`, `locales/en-US/${type}.json`];
      const files = [...sources.map((name) => `nodes/${type}/${name}`), ...built.map((name) => `dist/${name}`)];
      assert.deepEqual(
        files.filter((file) => !existsSync(join(root, file))),
        [],
      );
    });

    it("has an icon in white, in the shape that the editor wants, unless it is a configuration node", () => {
      const hasIcon = existsSync(join(root, "icons", `${type}.svg`));
      assert.equal(hasIcon, definition.category !== "config");
      assert.equal(existsSync(join(root, "dist", "icons", `${type}.svg`)), hasIcon);
      if (!hasIcon) return;
      const icon = read("icons", `${type}.svg`);
      assert.match(icon, /^<svg [^>]*viewBox="0 0 40 60"/);
      const colours = [...icon.matchAll(/(?:fill|stroke)="([^"]*)"/g)].map(([, colour]) => colour);
      assert.deepEqual(
        [...new Set(colours)].filter((colour) => colour !== "#fff" && colour !== "none"),
        [],
      );
    });

    it("occurs in an example", () => {
      const examples = find("examples/*.json").filter((file) =>
        readJson(file).some((node: FlowNode) => node.type === type),
      );
      assert.ok(examples.length > 0);
    });

    it("is registered in its html by literals, which the flow library looks for", () => {
      const html = read("dist", `${type}.html`);
      assert.ok(html.includes(`RED.nodes.registerType("${type}",{category:"`));
      assert.match(
        html,
        definition.category === "config"
          ? /\{category:"config",defaults:\{name:/
          : /,icon:"[\w-]+\.svg",defaults:\{name:/,
      );
    });

    it("has a text for each option, choice, column and output", () => {
      const missing = Object.entries(options).flatMap(([name, option]) => [
        ...keysOf(`options.${name}`, option),
        ...Object.entries(option.columns ?? {}).flatMap(([column, each]) =>
          keysOf(`options.${name}.columns.${column}`, each),
        ),
      ]);
      if (definition.category !== "config") missing.push("label");
      if (definition.inputs) missing.push("input");
      assert.deepEqual(
        missing.filter((key) => !isText(lookUp(texts, key))),
        [],
      );
      const outputs = Object.values((texts.outputs ?? []) as Texts);
      // Where a table names outputs, they need no texts.
      const count = definition.ownOutputs ?? definition.outputs ?? 0;
      assert.ok(outputs.every(isText) && outputs.length === count, `${outputs}`);
    });

    it("has no text of an option, choice or column that it lacks", () => {
      const own = (readJson("nodes", type, "locale.json").options ?? {}) as Record<string, Texts>;
      assert.deepEqual(
        Object.entries(own).flatMap(([name, texts]) => unused(`options.${name}`, texts, options[name])),
        [],
      );
    });

    it("has a form field for each option", () => {
      const html = read("dist", `${type}.html`);
      const isInForm = (name: string) => new RegExp(`id="node-(config-)?input-${name}(-rows)?"`).test(html);
      assert.deepEqual(
        Object.keys(options).filter((name) => !isInForm(name)),
        [],
      );
    });

    it("explains each option in its help, under the name that the form shows", () => {
      const help = read("nodes", type, "help.md");
      const isExplained = (name: string) =>
        help.includes(`\n: ${String(lookUp(texts, `options.${name}.label`)).replace(/:.*/, "")} (`);
      assert.deepEqual(
        Object.keys(options).filter((name) => !isExplained(name)),
        [],
      );
    });

    it("begins its help with one plain sentence, which is the tooltip of the palette", () => {
      const [first = ""] = read("nodes", type, "help.md").split("\n");
      assert.match(first, /^[A-Z][^*_`#<>]{10,110}\.$/);
    });

    it("explains inputs, outputs and details in its help, with an example message", () => {
      const help = read("nodes", type, "help.md");
      const headings = [...help.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading ?? "");
      const expected = [definition.inputs ? "Inputs" : "", definition.outputs ? "Outputs" : "", "Details"].filter(
        Boolean,
      );
      assert.deepEqual(
        headings.filter((heading) => expected.includes(heading)),
        expected,
      );
      const examples = [...help.matchAll(/^```json\n(.*?)^```/gms)].map(([, code]) => JSON.parse(code ?? ""));
      assert.ok(examples.length > 0);
      const lists = help
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line.startsWith(":"));
      assert.deepEqual(
        lists.filter((line) => !/^: [^:(]+\([^:]+\) : [^:]+$/.test(line)),
        [],
        "Node-RED cannot show these",
      );
    });

    it("uses only texts that it has", () => {
      const html = [...read("dist", `${type}.html`).matchAll(/data-i18n="(?:\[\w+\])?([^"]+)"/g)].map(
        ([, key]) => key ?? "",
      );
      const code = find(`nodes/{lib,${type}}/**/*.ts`).flatMap((file) => usedKeys(read(file)));
      const isUsed = (key: string) => key !== "input" || definition.inputs;
      assert.deepEqual(
        [...html, ...code].filter((key) => isUsed(key) && !hasText(texts, key)),
        [],
      );
    });
  });
}

/** The keys of the texts that an option or column must have. */
function keysOf(key: string, { choices = [] }: Option<unknown>): string[] {
  return [`${key}.label`, ...choices.map((choice) => `${key}.values.${choice}`)];
}

/** The keys of those texts of an option or column that nothing shows. */
function unused(key: string, texts: Texts, option: Option<unknown> | undefined): string[] {
  if (option === undefined) return [key];
  const { values = {}, columns = {}, ...others } = texts;
  return [
    ...Object.keys(others).filter((name) => !["label", "unit", "placeholder"].includes(name)),
    ...Object.keys(values).filter((choice) => !option.choices?.includes(choice)),
    ...Object.entries(columns).flatMap(([name, texts]) =>
      unused(`${key}.columns.${name}`, texts as Texts, option.columns?.[name]),
    ),
  ];
}

/** The keys of texts in a source. Those that are put together while it runs are the business of the other rules. */
function usedKeys(source: string): string[] {
  return [...source.matchAll(/(?:\._|\btranslate)\("([^"]+)"/g)].map(([, key]) => key ?? "");
}

describe("the sources", () => {
  /** Libraries of numerics that core may use. */
  const NUMERICS = ["simple-statistics"];
  /** What core must not have: a clock, timers, luck, input and output. */
  const IMPURE =
    /\b(Date\.now|new Date\(\)|performance\.|Math\.random|crypto\.|set(Timeout|Interval|Immediate)|queueMicrotask|process\.(env|argv|cwd|hrtime|nextTick|std\w+|getBuiltinModule)|console\.|fetch\(|require\()/;

  const sources = find("{core,nodes}/**/*.ts");
  const isIn = (folder: string, file: string) => file.startsWith(folder + sep);
  const withoutComments = (file: string) => read(file).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const importsOf = (file: string) => {
    // A text may be the word, or end with it.
    const imports = /(?<!["-])\b(?:(import type|import|export)\b[^"';=()]*?\bfrom\s*|import\s*\(?\s*)"([^"]+)"/g;
    return [...withoutComments(file).matchAll(imports)].map(([, keyword, name = ""]) => ({
      isType: keyword === "import type",
      name: name.startsWith(".") ? normalize(join(dirname(file), name)) : name,
      isFile: name.startsWith("."),
    }));
  };
  /** The imports that a rule does not allow, as texts. */
  const forbidden = (
    files: string[],
    isAllowed: (imported: ReturnType<typeof importsOf>[number], file: string) => boolean,
  ) =>
    files.flatMap((file) =>
      importsOf(file)
        .filter((each) => !isAllowed(each, file))
        .map(({ name }) => `${file}: ${name}`),
    );

  it("are one folder a node, each registered, with an icon for each that stands in the palette", () => {
    const folders = find("nodes/*/options.ts")
      .map((file) => basename(dirname(file)))
      .filter((name) => name !== "lib")
      .sort();
    assert.deepEqual(folders, [...types].sort());
    assert.deepEqual(find("icons/*"), paletteTypes.map((type) => join("icons", `${type}.svg`)).sort());
  });

  it("of core import only core and numerics", () => {
    const files = sources.filter((file) => isIn("core", file));
    assert.ok(files.length > 0);
    assert.deepEqual(
      forbidden(files, ({ name, isFile }) => (isFile ? isIn("core", name) : NUMERICS.includes(name))),
      [],
    );
  });

  it("of core have no clock, no timers, no luck, no input and no output", () => {
    const files = sources.filter((file) => isIn("core", file));
    assert.deepEqual(
      files.filter((file) => IMPURE.test(withoutComments(file))),
      [],
    );
  });

  it("of a node import core, nodes/lib and its own folder, never another node", () => {
    const files = sources.filter((file) => isIn("nodes", file));
    const own = (file: string) => join(...file.split(sep).slice(0, 2));
    const isInside = ({ name, isFile }: { name: string; isFile: boolean }, file: string) =>
      !isFile || ["core", join("nodes", "lib"), own(file)].some((folder) => isIn(folder, name));
    assert.deepEqual(forbidden(files, isInside), []);
  });

  it("of a node import only packages that the package depends on", () => {
    const files = sources.filter((file) => isIn("nodes", file));
    const known = Object.keys(manifest.dependencies);
    const packageOf = (name: string) => /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name;
    assert.deepEqual(
      forbidden(
        files,
        ({ name, isFile, isType }) => isFile || isType || isBuiltin(name) || known.includes(packageOf(name)),
      ),
      [],
    );
  });

  it("of options import nodes/lib/options alone, for the browser reads them", () => {
    const files = types.map((type) => join("nodes", type, "options.ts"));
    assert.deepEqual(
      forbidden(files, ({ name }) => name === join("nodes", "lib", "options.ts")),
      [],
    );
  });
});

describe("the examples", () => {
  const examples = find("examples/*.json");
  const coreTypes = new Set(
    globSync("core/**/*.html", { cwd: join(modules, "@node-red", "nodes") }).flatMap((file) => {
      const html = readFileSync(join(modules, "@node-red", "nodes", file), "utf8");
      return [...html.matchAll(/registerType\(['"]([^'"]+)/g)].map(([, type]) => type);
    }),
  );

  for (const file of examples) {
    describe(basename(file, ".json"), () => {
      const flow: FlowNode[] = readJson(file);
      const byId = new Map(flow.map((node) => [node.id, node]));

      it("is numbered, stands on a tab of its own, and a comment tells what to do", () => {
        assert.match(basename(file), /^\d\d - [A-Z].*\.json$/);
        assert.deepEqual(
          flow.filter(({ type }) => type === "tab").map(({ id }) => id),
          [flow[0]?.id],
        );
        assert.ok(flow.some(({ type }) => type === "comment"));
      });

      it("needs no other palette, and no function node with more than five lines", () => {
        const known = (type: string) =>
          type === "tab" || type === "group" || coreTypes.has(type) || types.includes(type);
        assert.deepEqual(
          flow.map(({ type }) => type).filter((type) => !known(type)),
          [],
        );
        assert.deepEqual(
          flow.filter(({ func = "" }) => func.split("\n").length > 5),
          [],
        );
      });

      it("is wired from left to right", () => {
        const backwards = flow.filter(({ x = 0, wires = [] }) =>
          wires.flat().some((id) => (byId.get(id)?.x ?? 0) <= x),
        );
        assert.deepEqual(backwards, []);
      });
    });
  }
});

describe("the package", () => {
  it("meets the flow library's scorecard", () => {
    assert.match(manifest.license, /./);
    assert.match(manifest.repository.url, /^git\+https:/);
    assert.match(manifest.bugs.url, /^https:/);
    assert.match(manifest.name, /^@[a-z\d][\w.-]+\/[a-z\d][\w.-]*$/);
    assert.ok(manifest.keywords.includes("node-red"));
    assert.match(manifest["node-red"].version, /^>=\d/);
    assert.match(manifest.engines.node, /^>=\d/);
    assert.ok(Object.keys(manifest.dependencies).length <= 6);
  });

  it("has a changelog that knows its version", () => {
    assert.ok(read("CHANGELOG.md").includes(`\n## [${manifest.version}]`));
  });
});

describe("the packed package", function () {
  this.timeout(120_000);

  /** A message for each node of the palette, and the output that answers to it. Configuration nodes are there as `a <type>`. */
  const TRIALS: Record<string, { settings?: object; message: object; output: number }> = {
    simulator: { settings: { autoStart: false }, message: { command: "status" }, output: 2 },
    telemetry: {
      settings: { registry: "a device-registry" },
      message: { payload: { device_id: "P7", temperature: 61.2 } },
      output: 1,
    },
    "rolling-features": { message: { payload: { deviceId: "P7", temperature: 61.2 } }, output: 1 },
    "z-score-anomaly": { message: { payload: { deviceId: "P7", temperature: 61.2 } }, output: 1 },
    "health-score": { message: { payload: { deviceId: "P7", temperature: 80 } }, output: 1 },
    "offline-watchdog": {
      settings: { stateStore: "memory" },
      message: { payload: { deviceId: "P7", temperature: 61.2 } },
      output: 1,
    },
    "device-alarms": { message: { command: "list" }, output: 3 },
    "fleet-status": { message: { command: "status" }, output: 1 },
    "live-series": { message: { command: "watch" }, output: 1 },
    "window-aggregate": {
      settings: { window: "count", countSize: 1 },
      message: { payload: { deviceId: "P7", temperature: 61.2 } },
      output: 1,
    },
    "device-command": { message: { payload: { deviceId: "P7", command: "restart" } }, output: 2 },
    delivery: { message: { payload: "P7 is hot" }, output: 1 },
    "alert-router": { message: { command: "list" }, output: 1 },
    "historian-write": {
      settings: { historian: "a historian" },
      message: { payload: { deviceId: "P7", temperature: 61.2 } },
      output: 1,
    },
    "historian-query": { settings: { historian: "a historian" }, message: { command: "cancel" }, output: 2 },
  };

  let folder: string;
  let packed: string[];
  let installed: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "device-analytics-package-"));
    // Packing a copy leaves the checkout, in which other tests run, as it is.
    const copy = join(folder, "copy");
    const isCopied = (path: string) => !/^(node_modules|\.git|\.device-analytics)$/.test(relative(root, path));
    await cp(root, copy, { recursive: true, filter: isCopied });
    await symlink(modules, join(copy, "node_modules"));
    const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: copy });
    const [{ filename, files }] = JSON.parse(stdout.slice(stdout.indexOf("[\n")));
    packed = files.map(({ path }: { path: string }) => path).sort();
    assert.deepEqual(
      globSync("examples/*", { cwd: copy }).sort(),
      find("examples/*"),
      "postpack leaves something behind",
    );

    const userModules = join(folder, "user", "node_modules");
    installed = join(userModules, manifest.name);
    await mkdir(installed, { recursive: true });
    await run("tar", ["-xzf", join(folder, filename), "-C", installed, "--strip-components=1"]);
    for (const name of Object.keys(manifest.dependencies)) {
      await mkdir(dirname(join(userModules, name)), { recursive: true });
      await symlink(join(modules, name), join(userModules, name));
    }
    await writeFile(join(folder, "user", "package.json"), JSON.stringify({ dependencies: { [manifest.name]: "*" } }));
    await writeFile(join(folder, "user", "flows.json"), JSON.stringify(flowOfTrials()));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  function flowOfTrials(): object[] {
    const nodes = Object.entries(TRIALS).map(([type, { settings }]) => ({
      id: type,
      type,
      z: "tab",
      x: 0,
      y: 0,
      ...settings,
      wires: [["sink"], ["sink"], ["sink"]],
    }));
    const configs = types.filter((type) => !paletteTypes.includes(type)).map((type) => ({ id: `a ${type}`, type }));
    return [
      { id: "tab", type: "tab" },
      ...configs,
      ...nodes,
      { id: "sink", type: "debug", z: "tab", active: false, wires: [] },
    ];
  }

  it("holds what is built, examples, flows and texts, and nothing else", () => {
    const built = types.flatMap((type) => [`${type}.js`, `${type}.html`, `locales/en-US/${type}.json`]);
    const icons = paletteTypes.map((type) => `icons/${type}.svg`);
    const workers = find("nodes/**/*.worker.ts").map((file) => `${basename(file, ".ts")}.js`);
    const pages = ["elements/device-analytics.js", "elements/session.js"];
    const login = ["login.js", "device-analytics.js"];
    const flows = find("flows/*.json").map((file) => basename(file));
    assert.ok(flows.length > 0);
    const expected = [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "package.json",
      ...[...built, ...icons, ...workers, ...pages, ...login].map((name) => `dist/${name}`),
      ...find("examples/*.json"),
      ...["00 - Whole application.json", ...flows].map((name) => `examples/Application/${name}`),
    ];
    assert.deepEqual(
      packed.filter((path) => !/^dist\/shared-\w+\.js$/.test(path)),
      expected.sort(),
    );
  });

  it("holds the whole application in one flow, which names the palettes that it needs", () => {
    const flow: FlowNode[] = JSON.parse(
      readFileSync(join(installed, "examples", "Application", "00 - Whole application.json"), "utf8"),
    );
    const ids = find("flows/*.json").flatMap((file) => readJson(file).map(({ id }: FlowNode) => id));
    assert.deepEqual(flow.map(({ id }) => id).sort(), [...new Set(ids)].sort());
    const [settings, ...others] = flow.filter(({ type }) => type === "global-config");
    assert.equal(settings?.modules?.[manifest.name], manifest.version);
    assert.deepEqual(others, []);
  });

  it("has every node entered in the bench", async () => {
    const bench = await import("../bench/speed/trials.ts");
    assert.deepEqual(Object.keys(bench.TRIALS).sort(), types.toSorted());
  });

  it("is tried with a message for every node", () => {
    assert.deepEqual(Object.keys(TRIALS).sort(), paletteTypes.sort());
  });

  const node20 = join(modules, "node20", "bin", "node");
  for (const [version, program, nodeRed] of [
    ["Node-RED 5 on Node 24", process.execPath, "node-red"],
    ["Node-RED 4.1 on Node 20", node20, "node-red-4"],
  ] as const) {
    it(`loads in ${version}, and each node passes a message`, async () => {
      const messages = Object.fromEntries(Object.entries(TRIALS).map(([type, { message }]) => [type, message]));
      const task = JSON.stringify({ nodeRed, userDir: join(folder, "user"), messages });
      const { stdout } = await run(program, [join(root, "test", "support", "try-nodes.js"), task]);
      const result = JSON.parse(stdout);
      assert.match(
        `Node-RED ${result.nodeRed} on Node ${result.node.slice(1)}`,
        new RegExp(version.replaceAll(/(\d) /g, "$1\\S* ")),
      );
      assert.deepEqual(result.failures, []);
      for (const [type, { output }] of Object.entries(TRIALS))
        assert.equal(result.answers[type]?.output, output, JSON.stringify(result.answers[type]));
    });
  }
});

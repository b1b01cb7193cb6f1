/**
 * Builds each node's folder into flat dist/: its runtime, its html (editor code, form, help), its texts and its icon;
 * and the custom elements of dashboard pages into one file.
 */
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { expandForm } from "./form.ts";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const DEFAULT_LANGUAGE = "en-US";

type Texts = { [key: string]: string | Texts };

const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
const types = Object.values<string>(manifest["node-red"].nodes).map((file) => basename(file, ".js"));

await rm(dist, { recursive: true, force: true });
await mkdir(join(dist, "icons"), { recursive: true });
await Promise.all([buildRuntime(), buildElements(), ...types.map(buildEditorHalf)]);
console.log(`built ${types.length} nodes`);

async function buildRuntime(): Promise<void> {
  const workers = (await readdir(join(root, "nodes"), { recursive: true })).filter((name) =>
    name.endsWith(".worker.ts"),
  );
  await build({
    entryPoints: [
      ...types.map((type) => `nodes/${type}/${type}.ts`),
      ...workers.map((name) => `nodes/${name}`),
      "app/login/login.ts",
      "app/login/device-analytics.ts",
    ],
    absWorkingDir: root,
    entryNames: "[name]",
    chunkNames: "shared-[hash]",
    outdir: "dist",
    bundle: true,
    splitting: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20.19",
  });
}

async function buildElements(): Promise<void> {
  const licence = await read(join(root, "node_modules", "uplot"), "LICENSE");
  const pages = {
    absWorkingDir: root,
    outdir: "dist/elements",
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    loader: { ".css": "text" },
  } as const;
  const banner = { js: `/*! With uPlot, https://github.com/leeoniya/uPlot\n\n${licence}*/` };
  await build({ ...pages, entryPoints: ["elements/device-analytics.ts"], banner });
  await build({ ...pages, entryPoints: ["elements/session.ts"] });
}

async function buildEditorHalf(type: string): Promise<void> {
  const folder = join(root, "nodes", type);
  const files = await readdir(folder);
  const texts = await mergedTexts(files, folder);
  const { options } = await import(pathToFileURL(join(folder, "options.ts")).href);
  const { default: definition } = await import(pathToFileURL(join(folder, "editor.ts")).href);
  const script = await build({
    stdin: { contents: registration(type, definition), resolveDir: folder },
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    target: "es2020",
    charset: "utf8",
  });
  const code = script.outputFiles[0]?.text.replaceAll("</script", "<\\/script") ?? "";
  const form = expandForm(
    await read(folder, "form.html"),
    options,
    texts.get(DEFAULT_LANGUAGE) ?? {},
    definition.category === "config",
  );
  const helps = files.filter((name) => /^help(\.[\w-]+)?\.md$/.test(name));
  const html = [
    tag("text/javascript", "", code),
    tag("text/html", ` data-template-name="${type}"`, form),
    ...(await Promise.all(
      helps.map(async (name) => {
        const language = name === "help.md" ? "" : ` data-lang="${name.slice("help.".length, -".md".length)}"`;
        return tag("text/markdown", `${language} data-help-name="${type}"`, await read(folder, name));
      }),
    )),
  ];
  await writeFile(join(dist, `${type}.html`), html.join("\n"));
  if ("icon" in definition) await cp(join(root, "icons", definition.icon), join(dist, "icons", definition.icon));
  for (const [language, content] of texts) {
    await mkdir(join(dist, "locales", language), { recursive: true });
    await writeFile(join(dist, "locales", language, `${type}.json`), JSON.stringify(content, null, 1));
  }
}

/**
 * The call that registers a node in the editor. Its properties stand in it one by one, and plain ones as literals, because
 * the flow library's scorecard reads them there.
 */
function registration(type: string, definition: Record<string, unknown>): string {
  const properties = Object.entries(definition).map(([key, value]) => {
    if (typeof value === "function") return `${key}: definition.${key}`;
    if (typeof value !== "object" || value === null) return `${key}: ${JSON.stringify(value)}`;
    return `${key}: { ${Object.keys(value).map((name) => `${name}: definition.${key}.${name}`)} }`;
  });
  return `import definition from "./editor.ts"; RED.nodes.registerType("${type}", { ${properties} });`;
}

/** A node's texts by language: `locale.json` and `locale.<language>.json`, on top of the texts that all nodes share. */
async function mergedTexts(files: string[], folder: string): Promise<Map<string, Texts>> {
  const merged = new Map<string, Texts>();
  for (const name of files.filter((file) => /^locale(\.[\w-]+)?\.json$/.test(file))) {
    const language = name === "locale.json" ? DEFAULT_LANGUAGE : name.slice("locale.".length, -".json".length);
    const shared = await read(join(root, "nodes", "lib"), name).catch(() => "{}");
    merged.set(language, merge(JSON.parse(shared), JSON.parse(await read(folder, name))));
  }
  return merged;
}

function merge(base: Texts, extra: Texts): Texts {
  const result = { ...base };
  for (const [key, value] of Object.entries(extra)) {
    const former = result[key];
    result[key] = typeof former === "object" && typeof value === "object" ? merge(former, value) : value;
  }
  return result;
}

function read(folder: string, name: string): Promise<string> {
  return readFile(join(folder, name), "utf8");
}

function tag(type: string, attributes: string, content: string): string {
  return `<script type="${type}"${attributes}>\n${content.trim()}\n</script>\n`;
}

// Bundles GraphiQL into dist/: main.js and main.css for the page, one script per Monaco worker, and the licenses of everything bundled.
// The page loads nothing else, so nothing in here may refer to an address of another origin.
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const dist = "dist";

const shared = {
  absWorkingDir: here,
  bundle: true,
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none", // gathered in licenses.txt
  logLevel: "warning",
  metafile: true,
  minify: true,
  outdir: dist,
  target: "es2022",
};

/** Monaco's modules import their own style sheets, which graphiql/style.css already contains. */
const withoutMonacoStyles = {
  name: "without-monaco-styles",
  setup: ({ onLoad }) => onLoad({ filter: /node_modules\/monaco-editor\/.*\.css$/ }, () => ({ contents: "", loader: "empty" })),
};

/** The license text of every package that `inputs` (paths of bundled files) come from. */
async function licenses(inputs) {
  const packages = new Set(inputs.map((path) => path.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]).filter(Boolean));
  const texts = [...packages].sort().map(async (folder) => {
    const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? await readFile(join(folder, file), "utf8") : "(the package carries no license text)\n";
    return `${name} ${version} (${license})\n\n${text}`;
  });
  return (await Promise.all(texts)).join(`\n${"-".repeat(80)}\n\n`);
}

process.chdir(here);
await rm(dist, { recursive: true, force: true });
await mkdir(dist);
const [page, workers] = await Promise.all([
  build({ ...shared, entryPoints: ["src/main.jsx"], format: "esm", jsx: "automatic", splitting: true, plugins: [withoutMonacoStyles] }),
  build({
    ...shared,
    entryPoints: {
      "editor.worker": "monaco-editor/esm/vs/editor/editor.worker.js",
      "graphql.worker": "monaco-graphql/esm/graphql.worker.js",
      "json.worker": "monaco-editor/esm/vs/language/json/json.worker.js",
    },
    format: "iife",
  }),
  copyFile("src/icon.svg", join(dist, "icon.svg")),
]);
const inputs = [page, workers].flatMap(({ metafile }) => Object.keys(metafile.inputs));
await writeFile(join(dist, "licenses.txt"), await licenses(inputs));

// Builds the page: `npm ci && npm run build`, or `node build.mjs FOLDER` into another folder.
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../dser_training/preferences/annotate/static"));

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: ["src/main.js", "src/figures.js", "src/style.css"],
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none", // the notice is a file of its own
});
for (const page of ["index.html", "figures.html", "icon.svg"]) copyFileSync(join(here, "src", page), join(out, page));
copyFileSync(join(here, "node_modules/three/LICENSE"), join(out, "three.LICENSE.txt"));

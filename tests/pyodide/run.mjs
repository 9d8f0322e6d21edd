// node run.mjs PYODIDE FILE.py PACKAGES.zip...: runs the `main` of a Python file in
// Pyodide, which has these packages, in a page that has Viz.js.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [home, file, ...packages] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(join(home, "pyodide.mjs")));
globalThis.Viz = await import("@viz-js/viz");
const pyodide = await loadPyodide({ indexURL: home });
for (const path of packages) pyodide.unpackArchive(new Uint8Array(readFileSync(path)), "zip");
try {
  pyodide.runPython(readFileSync(file, "utf8"));
  await pyodide.runPythonAsync("await main()");
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

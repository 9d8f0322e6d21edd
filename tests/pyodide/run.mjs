// node run.mjs PYODIDE FILE.py PACKAGES.zip...: runs a Python file in Pyodide, which has these packages.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [home, file, ...packages] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(join(home, "pyodide.mjs")));
const pyodide = await loadPyodide({ indexURL: home });
for (const path of packages) pyodide.unpackArchive(new Uint8Array(readFileSync(path)), "zip");
try {
  await pyodide.runPythonAsync(readFileSync(file, "utf8"));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

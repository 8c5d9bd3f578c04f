// Runs a core module of WASI preview 1: node run.mjs MODULE ARGUMENT... The simulator jumps out of
// nested calls, for which clang 16 emits what node takes and wasmtime does not.
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const wasi = new WASI({ version: "preview1", args: process.argv.slice(2) });
const module = await WebAssembly.compile(await readFile(process.argv[2]));
process.exitCode = wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));

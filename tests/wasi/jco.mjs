// A second host: node with jco's WASI 0.2. It takes wasmtime's words, as far as the tests use them.
//   node jco.mjs MODULES transpile COMPONENT FOLDER     what `jco transpile` does
//   node jco.mjs MODULES run [-S RIGHTS] [--dir HOST[::NAME]]... [--env NAME[=VALUE]]... FOLDER ARGUMENT...
// MODULES is the node_modules that has jco.
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [modules, verb, ...words] = process.argv.slice(2);
const ours = (path) => import(pathToFileURL(resolve(modules, "@bytecodealliance", path)));

async function transpile(component, folder) {
  const { transpile } = await ours("jco-transpile/dist/index.js");
  const { files } = await transpile(component, {
    name: "component",
    noTypescript: true,
    wasiShim: true,
  });
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(folder, basename(name));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
  await writeFile(join(folder, "package.json"), '{"type": "module"}\n');
  await symlink(resolve(modules), join(folder, "node_modules")).catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
}

async function run() {
  const preopens = {};
  const env = {};
  let rights = "";
  for (;;) {
    if (words[0] === "-S") {
      rights = words.splice(0, 2)[1];
    } else if (words[0] === "--dir") {
      const [host, name] = words.splice(0, 2)[1].split("::");
      preopens[name ?? host] = host;
    } else if (words[0] === "--env") {
      const [name, value] = words.splice(0, 2)[1].split("=");
      const text = value ?? process.env[name];
      if (text !== undefined) env[name] = text;
    } else if (words[0] === "--allow-precompiled") {
      words.shift();
    } else {
      break;
    }
  }
  const shim = (name) => ours(`preview2-shim/dist/nodejs/${name}.js`);
  (await shim("filesystem"))._setPreopens(preopens);
  const { _setArgs, _setEnv } = await shim("cli");
  const { _denyDnsLookup, _denyTcp, _denyUdp } = await shim("sockets");
  if (!rights.includes("inherit-network")) {
    _denyTcp();
    _denyUdp();
  }
  if (!rights.includes("allow-ip-name-lookup")) _denyDnsLookup();
  const component = resolve(words[0], "component.js");
  _setArgs(["dunlind", ...words.slice(1)]);
  _setEnv(env);
  const { run } = await import(pathToFileURL(component));
  try {
    await run.run();
  } catch (error) {
    if (error.payload === undefined && error.exitError === undefined) console.error(error);
    process.exitCode = 1;
  }
  process.exit();
}

await (verb === "transpile" ? transpile(...words) : run());

// SPDX-License-Identifier: Apache-2.0
// Where a test sends the operations of lib/driver.worker.mjs: a Worker over Miniflare's own KV, and
// the same Worker under workerd over the binding face of an edged node. A target has ask(operation)
// and close().
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { temporary_directory } from "./temporary.mjs";

export const COMPATIBILITY_DATE = "2026-11-01";
const here = import.meta.dirname;
const worker_file = path.join(here, "driver.worker.mjs");

async function ask_at(url, operation) {
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(operation) });
  return answer.json();
}

// The reference: Miniflare's KV, with its data in memory. `worker`: the file of another Worker.
export async function start_miniflare({ worker = worker_file } = {}) {
  const options = convertV4MiniflareOptions({
    modules: true,
    script: await readFile(worker, "utf8"),
    compatibilityDate: COMPATIBILITY_DATE,
    kvNamespaces: ["KV"],
    cf: false,
    host: "127.0.0.1",
    port: 0,
  });
  const miniflare = new Miniflare(options);
  const url = await miniflare.ready;
  return { name: "miniflare", url, ask: (operation) => ask_at(url, operation), close: () => miniflare.dispose() };
}

// A text in a Cap'n Proto file.
const quoted = (text) => JSON.stringify(text);

// `headers`: [name, value] pairs that workerd adds to each request for the node.
function config_text({ worker, address, headers }) {
  const injected = headers.map(([name, value]) => `(name = ${quoted(name)}, value = ${quoted(value)})`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "main", esModule = embed ${quoted(worker)})],
      compatibilityDate = ${quoted(COMPATIBILITY_DATE)},
      bindings = [(name = "KV", kvNamespace = "kv")])),
    (name = "kv", external = (address = ${quoted(address)}, http = (style = host,
      injectRequestHeaders = [${injected.join(", ")}]))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]);
`;
}

// Runs workerd with the files of a folder, {name: content}, among them config.capnp. The port of its
// socket comes over the control channel, descriptor 3.
async function run_workerd(files) {
  const folder = await temporary_directory();
  for (const [name, content] of Object.entries(files)) {
    await writeFile(path.join(folder.directory, name), content);
  }
  // The program itself: the script in .bin does not hand descriptor 3 on.
  const program = path.join(here, "..", "node_modules", "@cloudflare", "workerd-linux-64", "bin", "workerd");
  const config = path.join(folder.directory, "config.capnp");
  const child = spawn(program, ["serve", "--control-fd=3", config], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const port = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`workerd ended with exit code ${code}`)));
    createInterface({ input: child.stdio[3] }).on("line", (line) => {
      const message = JSON.parse(line);
      if (message.event === "listen") resolve(message.port);
    });
  });
  return {
    url: `http://127.0.0.1:${port}/`,
    async close() {
      child.kill();
      await ended;
      await folder.close();
    },
  };
}

// The driver, or another Worker, under workerd over the binding face at `address` ("HOST:PORT" or "unix:PATH").
export async function start_node_target({ address, headers, worker = worker_file }) {
  const name = "worker.mjs";
  const workerd = await run_workerd({
    [name]: await readFile(worker),
    "config.capnp": config_text({ worker: name, address, headers }),
  });
  const { url, close } = workerd;
  return { name: "edged", url, ask: (operation) => ask_at(url, operation), close };
}

// What the Worker of tools/examples/workerd answers, with the configuration as it stands there but
// for the addresses and the namespace.
export async function run_example({ address, namespace }) {
  const example = process.env.EDGED_EXAMPLE;
  const config = await readFile(path.join(example, "config.capnp"), "utf8");
  const changes = [["127.0.0.1:4782", address], ["127.0.0.1:8787", "127.0.0.1:0"]];
  const { kv_namespaces } = jsonc(await readFile(path.join(example, "wrangler.jsonc"), "utf8"));
  changes.push([kv_namespaces[0].preview_id, namespace]);
  const changed = changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`config.capnp of the example has no ${from}`);
    return text.replace(from, to);
  }, config);
  const workerd = await run_workerd({
    "worker.js": await readFile(path.join(example, "worker.js")),
    "config.capnp": changed,
  });
  try {
    return await (await fetch(workerd.url)).json();
  } finally {
    await workerd.close();
  }
}

// The example's configuration has comments on lines of their own, and trailing commas.
const jsonc = (text) => JSON.parse(text.replace(/^\s*\/\/.*$/gm, "").replace(/,(\s*[\]}])/g, "$1"));

// SPDX-License-Identifier: Apache-2.0
// The work of tools/bench/workerd, which copies this beside the installed clients.
import { writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { Node } from "./lib/node.mjs";
import { start_miniflare, start_node_target } from "./lib/targets.mjs";

const worker = path.join(import.meta.dirname, "workerd_load.worker.mjs");
const CALLS = [["read", 1], ["read", 16], ["write", 1], ["write", 16], ["list", 1]];
const FIRST_COUNT = 200;

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
    bytes: { type: "string", default: "1000" },
    json: { type: "string" },
  },
});
const seconds = Number(options.seconds);
const bytes = Number(options.bytes);

const median = (numbers) => {
  const sorted = [...numbers].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

async function run(target, kind, at_once, count) {
  const began = performance.now();
  const answer = await fetch(target.url, { method: "POST", body: JSON.stringify({ kind, count, at_once, bytes }) });
  const text = await answer.text();
  if (text !== String(count)) throw new Error(`${target.name}: ${text}`);
  return (count * 1000) / (performance.now() - began);
}

// Calls a second, over about `seconds`.
async function rate(target, kind, at_once) {
  const about = await run(target, kind, at_once, FIRST_COUNT);
  return run(target, kind, at_once, Math.max(FIRST_COUNT, Math.round(about * seconds)));
}

const node = await Node.start();
await node.create_namespace("bench");
const targets = [
  await start_node_target({ address: node.ports.binding, headers: [["X-KV-Namespace", "bench"]], worker }),
  await start_miniflare({ worker }),
];
const rounds = [];
try {
  for (const target of targets) await run(target, "write", 4, 1000);  // every key is there
  for (let round = 0; round < Number(options.rounds); ++round) {
    const rates = {};
    for (const [kind, at_once] of CALLS) {
      const name = `${kind}, ${at_once} at once`;
      rates[name] = {};
      const order = round % 2 === 0 ? targets : [...targets].reverse();
      for (const target of order) rates[name][target.name] = await rate(target, kind, at_once);
    }
    rounds.push(rates);
  }
} finally {
  for (const target of targets) await target.close();
  await node.close();
}

const result = Object.fromEntries(Object.keys(rounds[0]).map((name) => [name, {
  edged: median(rounds.map((one) => one[name].edged)),
  miniflare: median(rounds.map((one) => one[name].miniflare)),
  ratio: median(rounds.map((one) => one[name].edged / one[name].miniflare)),
}]));
console.log(`values of ${bytes} bytes, calls of env.KV a second, median of ${rounds.length} rounds`);
for (const [name, { edged, miniflare, ratio }] of Object.entries(result)) {
  console.log(`  ${name.padEnd(18)} edged ${edged.toFixed(0).padStart(7)}` +
    `   miniflare ${miniflare.toFixed(0).padStart(7)}   edged / miniflare ${ratio.toFixed(2)}`);
}
console.log(`${os.cpus().length} cores, kernel ${os.release()}, load ${os.loadavg()[0].toFixed(2)}`);
if (options.json) await writeFile(options.json, JSON.stringify(result));

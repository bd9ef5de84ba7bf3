// SPDX-License-Identifier: Apache-2.0
// The same random operations against Miniflare's own KV and against an edged node, both through a
// Worker under workerd. Each difference is explained in lib/comparison.mjs or is a fault.
// EDGED_SEED chooses another run than the usual one, EDGED_STEPS makes it longer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { explain, same } from "./lib/comparison.mjs";
import { Sequence } from "./lib/sequence.mjs";
import { Node } from "./lib/node.mjs";
import { start_miniflare, start_node_target } from "./lib/targets.mjs";

const SEED = Number(process.env.EDGED_SEED ?? 21);
const STEPS = Number(process.env.EDGED_STEPS ?? 400);

// JSON with long texts cut.
const shown = (value) =>
  JSON.stringify(value, (_, one) =>
    typeof one === "string" && one.length > 100 ? `${one.slice(0, 60)}… (${one.length})` : one,
  );

// A cursor belongs to the target that gave it, so each has its own. Without one the list begins anew.
class Listing {
  constructor(target) {
    this.target = target;
    this.last = {};
  }

  // Operations that a list with the last cursor begins, or that need none. Their answers.
  async ask(operations) {
    const [first, ...rest] = operations;
    const sent =
      first.cursor === "last" ? { op: "list", options: { ...first.options, ...this.last } } : first;
    const answers = await this.target.ask({ in_order: [sent, ...rest] });
    [sent, ...rest].forEach((operation, at) => {
      if (operation.op === "list" && answers[at].ok) this.remember(operation, answers[at].ok);
    });
    return answers;
  }

  remember({ options: { prefix } }, { cursor }) {
    this.last = cursor ? { cursor, ...(prefix && { prefix }) } : {};
  }
}

const REQUEST_STEPS_MAX = 40;

// Splits the sequence into requests: the last cursor is known when the answers before it are there.
function* requests(sequence) {
  let operations = [];
  for (let step = 0; step < STEPS; ++step) {
    const operation = sequence.next();
    if (operation.cursor === "last" || operations.length === REQUEST_STEPS_MAX) {
      if (operations.length > 0) yield operations;
      operations = [];
    }
    operations.push(operation);
  }
  yield operations;
}

async function compare(reference_target, target) {
  const reference = new Listing(reference_target);
  const other = new Listing(target);
  const explained = new Map();
  const history = [];
  for (const operations of requests(new Sequence(SEED, Math.floor(Date.now() / 1000)))) {
    const [left, right] = await Promise.all([reference.ask(operations), other.ask(operations)]);
    operations.forEach((operation, at) => {
      history.push(`${history.length}: ${shown(operation)}`);
      if (same(operation, left[at], right[at])) return;
      const name = explain(operation, left[at], right[at]);
      assert.ok(
        name,
        `EDGED_SEED=${SEED}: ${target.name} differs from ${reference_target.name} at step ` +
          `${history.at(-1)}\n  ${reference_target.name}: ${shown(left[at])}\n` +
          `  ${target.name}: ${shown(right[at])}\nbefore it:\n${history.slice(-8, -1).join("\n")}`,
      );
      explained.set(name, (explained.get(name) ?? 0) + 1);
    });
  }
  assert.equal(history.length, STEPS);
  return explained;
}

test(`Miniflare answers like a second Miniflare (EDGED_SEED=${SEED})`, async () => {
  const targets = [await start_miniflare(), await start_miniflare()];
  try {
    const explained = await compare(...targets);
    assert.deepEqual([...explained], [], "differences of Miniflare from itself");
  } finally {
    for (const target of targets) await target.close();
  }
});

test(`edged answers like Miniflare (EDGED_SEED=${SEED})`, async (context) => {
  const node = await Node.start();
  const targets = [];
  try {
    const ns = await node.create_namespace("sequence");
    targets.push(await start_miniflare());
    targets.push(await start_node_target({ address: node.ports.binding, headers: [["X-KV-Namespace", ns]] }));
    const explained = await compare(...targets);
    for (const [name, times] of explained) context.diagnostic(`explained ${times} times: ${name}`);
  } finally {
    for (const target of targets) await target.close();
    await node.close();
  }
});

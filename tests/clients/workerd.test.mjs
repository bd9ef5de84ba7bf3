// SPDX-License-Identifier: Apache-2.0
// A Worker under workerd over the binding face of a node: the example that users copy, and what the
// random sequence does not reach: large values, many keys, concurrency, faces that see each other, time.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { Node } from "./lib/node.mjs";
import { run_example, start_node_target } from "./lib/targets.mjs";
import { temporary_directory } from "./lib/temporary.mjs";

const MIB = 1024 * 1024;
let node;
let kv;

before(async () => {
  node = await Node.start();
  await node.create_namespace("workerd");
  kv = await start_node_target({ address: node.ports.binding, headers: [["X-KV-Namespace", "workerd"]] });
});
after(async () => {
  await kv?.close();
  await node?.close();
});

async function ok(operation) {
  const answer = await kv.ask(operation);
  assert.ok("ok" in answer, JSON.stringify(answer).slice(0, 500));
  return answer.ok;
}

const put = (key, value, options) => ok({ op: "put", key, value, options });
const kvctl = (...parts) => node.kvctl("--ns", "workerd", ...parts);

async function fails(operation, message) {
  const { error } = await kv.ask(operation);
  assert.equal(error?.message, message);
}

test("the example that the documentation shows", async () => {
  const seen = await run_example({ address: node.ports.binding, namespace: "workerd" });
  assert.deepEqual(seen, {
    text: "hello",
    json: { open: 3 },
    bytes: [0, 1, 2, 255],
    stream: "streamed",
    missing: null,
    many: { "example/text": "hello", "example/missing": null },
    with_metadata: { value: "hello", metadata: { from: "worker.js" } },
    many_with_metadata: { "example/text": { value: "hello", metadata: { from: "worker.js" } } },
    keys: ["example/bytes", "example/json", "example/stream", "example/text"],
    left: 0,
  });
});

test("values of up to 25 MiB, and not one byte more", async () => {
  const bytes = 25 * MIB;
  const is_whole = () => ok({ op: "is_pattern", key: "large", bytes });
  for (const kind of ["pattern", "pattern_stream"]) {
    await put("large", { [kind]: bytes });
    assert.equal(await is_whole(), true);
    await ok({ op: "delete", key: "large" });
  }
  await put("large", { pattern: bytes });
  const refused = "KV PUT failed: 413 Value length of 26214401 exceeds limit of 26214400.";
  await fails({ op: "put", key: "large", value: { pattern: bytes + 1 } }, refused);
  await fails({ op: "put", key: "large", value: { pattern_stream: bytes + 1 } }, refused);
  assert.equal(await is_whole(), true);
  await ok({ op: "delete", key: "large" });
});

test("more than 1,000 keys, with and without a prefix", async () => {
  const names = Array.from({ length: 2500 }, (_, at) => `many/${10_000 + at}`);
  const entries = names.map((key) => JSON.stringify({ key, value: "v" })).join("\n");
  const file = `${node.folder.directory}/entries`;
  await writeFile(file, entries);
  await node.kvctl("import", "workerd", file);
  for (const options of [{}, { prefix: "many/" }, { prefix: "many/", limit: 999 }]) {
    const listed = [];
    let page = {};
    do {
      page = await ok({ op: "list", options: { ...options, cursor: page.cursor } });
      assert.equal("cursor" in page, !page.list_complete);
      listed.push(...page.keys.map(({ name }) => name));
    } while (!page.list_complete);
    assert.deepEqual(listed, names);
  }
  const exactly = await ok({ op: "list", options: { prefix: "many/10", limit: 1000 } });
  assert.deepEqual([exactly.keys.length, exactly.list_complete, "cursor" in exactly], [1000, true, false]);
  const map = await ok({ op: "get_many", keys: names.slice(0, 100), options: {} });
  assert.deepEqual(map.map(([name]) => name), names.slice(0, 100));
  await node.kvctl("namespace", "clear", "workerd", "--yes");
});

test("every face sees what another wrote, at once", async () => {
  await put("by worker", { text: "1" }, { metadata: { a: "é\u2028" }, expirationTtl: 600 });
  const seen = JSON.parse(await kvctl("get", "by worker", "--json"));
  assert.deepEqual([seen.value, seen.metadata], ["1", { a: "é\u2028" }]);
  assert.ok(seen.expires_at);
  await kvctl("put", "by kvctl", "2", "--metadata", '["m"]', "--ttl", "10m");
  assert.deepEqual(await ok({ op: "get_with_metadata", key: "by kvctl" }), { value: "2", metadata: ["m"] });
  const { keys } = await ok({ op: "list" });
  assert.deepEqual(keys.map(({ name }) => name), ["by kvctl", "by worker"]);
  assert.ok(keys.every(({ expiration }) => Number.isInteger(expiration)));
  const url = `${node.api}/accounts/any/storage/kv/namespaces`;
  const headers = { Authorization: "Bearer any" };
  const { result } = await (await fetch(url, { headers })).json();
  const { id } = result.find(({ title }) => title === "workerd");
  assert.equal(await (await fetch(`${url}/${id}/values/by%20worker`, { headers })).text(), "1");
  await fetch(`${url}/${id}/values/by%20rest`, { method: "PUT", body: "3", headers });
  assert.equal(await ok({ op: "get", key: "by rest" }), "3");
  await node.kvctl("namespace", "clear", "workerd", "--yes");
  assert.deepEqual((await ok({ op: "list" })).keys, []);
});

test("puts of one key at once leave one of them whole", async () => {
  const values = Array.from({ length: 30 }, (_, at) => String.fromCharCode(65 + at).repeat(100_000));
  const at_once = values.map((text) => ({ op: "put", key: "race", value: { text }, options: { metadata: text[0] } }));
  const answers = await kv.ask({ at_once });
  assert.ok(answers.every((answer) => "ok" in answer), JSON.stringify(answers.find(({ error }) => error)));
  const { value, metadata } = await ok({ op: "get_with_metadata", key: "race" });
  assert.ok(values.includes(value));
  assert.equal(metadata, value[0]);
  await ok({ op: "delete", key: "race" });
});

test("the shortest TTL is 60 seconds, as at Cloudflare", async () => {
  const now = Math.floor(Date.now() / 1000);
  const value = { text: "v" };
  await fails(
    { op: "put", key: "k", value, options: { expirationTtl: 59 } },
    "KV PUT failed: 400 Invalid expiration_ttl of 59. Expiration TTL must be at least 60.",
  );
  await fails(
    { op: "put", key: "k", value, options: { expiration: now + 30 } },
    `KV PUT failed: 400 Invalid expiration of ${now + 30}. Expiration times must be at least 60 seconds in the future.`,
  );
  assert.equal(await ok({ op: "get", key: "k" }), null);
  await put("k", value, { expirationTtl: 60 });
  await ok({ op: "delete", key: "k" });
});

test("an entry is gone from reads and lists together, and not before its time", async () => {
  await kvctl("put", "short", "v", "--ttl", "3s", "--metadata", "1");
  const { expires_at } = JSON.parse(await kvctl("inspect", "short", "--json"));
  const both = { at_once: [{ op: "get", key: "short" }, { op: "list", options: { prefix: "short" } }] };
  let gone = false;
  while (!gone) {
    const before_asking = Date.now();
    const [read, list] = await kv.ask(both);
    const after_answer = Date.now();
    if (after_answer < Date.parse(expires_at)) {
      assert.equal(read.ok, "v");
      assert.equal(list.ok.keys.length, 1);
    }
    gone = before_asking >= Date.parse(expires_at);
    if (gone) {
      assert.equal(read.ok, null);
      assert.deepEqual(list.ok.keys, []);
    }
  }
});

test("a Worker that names no namespace of the node gets errors, not empty answers", async () => {
  for (const headers of [[], [["X-KV-Namespace", "nowhere"]]]) {
    const lost = await start_node_target({ address: node.ports.binding, headers });
    try {
      const { error } = await lost.ask({ op: "get", key: "k" });
      assert.match(error.message, /^KV GET failed: 4\d\d \S/);
      assert.ok((await lost.ask({ op: "list" })).error);
      assert.ok((await lost.ask({ op: "put", key: "k", value: { text: "v" } })).error);
    } finally {
      await lost.close();
    }
  }
});

test("over a unix socket", async () => {
  const folder = await temporary_directory();
  const address = `unix:${folder.directory}/binding.sock`;
  const own = await Node.start("--binding", address);
  let on_socket;
  try {
    await own.create_namespace("workerd");
    assert.equal(own.ports.binding, address);
    // A token would be asked of other users of the machine; the node's own user needs none.
    await own.kvctl("token", "create", "other", "--scope", "read");
    on_socket = await start_node_target({ address, headers: [["X-KV-Namespace", "workerd"]] });
    const large = { pattern: 3 * MIB };
    assert.ok("ok" in (await on_socket.ask({ op: "put", key: "large", value: large, options: { metadata: 1 } })));
    assert.equal((await on_socket.ask({ op: "is_pattern", key: "large", bytes: 3 * MIB })).ok, true);
    const at_once = Array.from({ length: 30 }, (_, at) => ({ op: "put", key: `k${at}`, value: { text: String(at) } }));
    assert.ok((await on_socket.ask({ at_once })).every((answer) => "ok" in answer));
    const { ok: list } = await on_socket.ask({ op: "list", options: { prefix: "k" } });
    assert.equal(list.keys.length, 30);
    assert.equal((await on_socket.ask({ op: "get", key: "none" })).ok, null);
  } finally {
    await on_socket?.close();
    await own.close();
    await folder.close();
  }
});

test("a token of its own", async () => {
  const made = JSON.parse(await node.kvctl("token", "create", "worker", "--scope", "read", "--only", "workerd", "--json"));
  const refused = await kv.ask({ op: "get", key: "k" });
  assert.match(refused.error.message, /^KV GET failed: 40[13] /);
  const with_token = await start_node_target({
    address: node.ports.binding,
    headers: [["X-KV-Namespace", "workerd"], ["Authorization", `Bearer ${made.secret ?? made.token}`]],
  });
  try {
    assert.equal((await with_token.ask({ op: "get", key: "k" })).ok, null);
    const written = await with_token.ask({ op: "put", key: "k", value: { text: "v" } });
    assert.match(written.error.message, /^KV PUT failed: 403 /);
  } finally {
    await with_token.close();
  }
});

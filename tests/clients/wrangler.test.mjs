// SPDX-License-Identifier: Apache-2.0
// Every command of `wrangler kv` against a node, as a user sees it: what it prints, its exit code, and
// what the node has afterwards.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { ACCOUNT, Node } from "./lib/node.mjs";
import { KEYS } from "./lib/sequence.mjs";
import { Wrangler } from "./lib/wrangler.mjs";

const MISSING = "f".repeat(32);
const AT_ONCE = 2;

let node;
let wrangler;
let ns;

before(async () => {
  node = await Node.start();
  wrangler = await Wrangler.create(node.api);
  ns = await node.create_namespace("wrangler");
});
after(async () => {
  await wrangler?.close();
  await node?.close();
});

// What one test leaves behind is no concern of the next.
beforeEach(async () => {
  await node.kvctl("namespace", "clear", "wrangler", "--yes");
});

// Of `wrangler kv PARTS…`, which must succeed: its stdout.
async function kv(...parts) {
  const { code, stdout, stderr } = await wrangler.run(["kv", ...parts]);
  assert.equal(code, 0, `wrangler kv ${parts.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

// `wrangler kv PARTS…` must fail and say why.
async function fails(parts, message, options) {
  const { code, stdout, stderr } = await wrangler.run(["kv", ...parts], options);
  assert.equal(code, 1, `${stdout}${stderr}`);
  assert.match(`${stdout}${stderr}`, message);
}

const there = (id = ns) => ["--remote", "--namespace-id", id];
const key = (verb, ...parts) => kv("key", verb, ...parts, ...there());
const bulk = (verb, file, ...more) => kv("bulk", verb, file, ...more, ...there());
const list = async (...more) => JSON.parse(await key("list", ...more));
const namespaces = async () => JSON.parse(await kv("namespace", "list"));
const kvctl = (...parts) => node.kvctl("--ns", "wrangler", ...parts);
const inspect = async (name) => JSON.parse(await kvctl("inspect", "--json", "--", name));

// The same for each item, some at once.
async function for_each(items, work) {
  const rest = [...items];
  const next = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

async function clear() {
  await node.kvctl("namespace", "clear", "wrangler", "--yes");
  assert.deepEqual(await list(), []);
}

// Straight to the API, where a command for each entry would take too long.
async function api(method, path, body) {
  const url = `${node.api}/accounts/${ACCOUNT}/storage/kv/namespaces${path}`;
  const answer = await fetch(url, { method, body: JSON.stringify(body), headers: { Authorization: "Bearer any" } });
  assert.equal(answer.status, 200, await answer.text());
}

test("namespace create, list, rename, delete", async () => {
  const printed = String(await kv("namespace", "create", "made"));
  assert.match(printed, /Creating namespace with title "made"/);
  assert.match(printed, /Success!/);
  const [, id] = /"id": "([0-9a-f]{32})"/.exec(printed);
  assert.deepEqual((await namespaces()).find(({ title }) => title === "made"),
    { id, title: "made", supports_url_encoding: true });
  await kv("namespace", "create", "made", "--preview");
  assert.ok((await namespaces()).some(({ title }) => title === "made_preview"));
  await fails(["namespace", "create", "made"], /A KV namespace with the title "made" already exists/);
  assert.match(String(await kv("namespace", "rename", "made", "--new-name", "renamed")),
    /Successfully renamed namespace to "renamed"/);
  assert.ok((await namespaces()).some((one) => one.id === id && one.title === "renamed"));
  await fails(["namespace", "rename", "renamed", "--new-name", "wrangler"], /already exists \[code: 10014\]|already exists/);
  assert.match(String(await kv("namespace", "delete", "renamed", "-y")), /Deleted KV namespace name: "renamed"/);
  const [{ id: preview }] = (await namespaces()).filter(({ title }) => title === "made_preview");
  await kv("namespace", "delete", "--namespace-id", preview, "-y");
  assert.deepEqual((await namespaces()).map(({ title }) => title), ["default", "wrangler"]);
});

test("120 namespaces: every page is listed, and the last title is found by name", async () => {
  const titles = Array.from({ length: 120 }, (_, at) => `many-${String(at).padStart(3, "0")}`);
  for (const title of titles) await api("POST", "", { title });
  assert.deepEqual((await namespaces()).map(({ title }) => title), ["default", ...titles, "wrangler"]);
  await kv("namespace", "rename", "many-119", "--new-name", "last");
  for (const { id, title } of await namespaces()) {
    if (title.startsWith("many-") || title === "last") await node.kvctl("namespace", "delete", id, "--yes");
  }
  assert.equal((await namespaces()).length, 2);
});

test("key put, get, list, delete", async () => {
  await key("put", "greeting", "hello");
  assert.equal(String(await key("get", "greeting")), "hello");
  assert.equal(String(await key("get", "greeting", "--text")), "hello\n");
  assert.equal(await kvctl("get", "greeting"), "hello");
  await key("put", "looks/like/a/number", "00123");
  assert.equal(String(await key("get", "looks/like/a/number")), "00123");
  assert.deepEqual(await list(), [{ name: "greeting" }, { name: "looks/like/a/number" }]);
  assert.deepEqual(await list("--prefix", "looks/"), [{ name: "looks/like/a/number" }]);
  assert.deepEqual(await list("--prefix", "none"), []);
  await key("delete", "greeting");
  await key("delete", "greeting");
  await fails(["key", "get", "greeting", ...there()], /404: Not Found/);
  await key("delete", "looks/like/a/number");
  assert.deepEqual(await list(), []);
});

test("--path: bytes of every value, of an empty file, and 25 MiB", async () => {
  const every_byte = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
  const large = Buffer.alloc(25 * 1024 * 1024, every_byte);
  for (const value of [every_byte, Buffer.from("\r\n--boundary\r\n"), large]) {
    const file = await wrangler.file("value", value);
    await key("put", "binary", "--path", file);
    assert.ok((await key("get", "binary")).equals(value));
    await key("put", "binary", "--path", file, "--metadata", '{"bytes":true}');
    assert.ok((await key("get", "binary")).equals(value));
    assert.deepEqual((await inspect("binary")).metadata, { bytes: true });
  }
  await key("put", "empty", "--path", await wrangler.file("empty", Buffer.alloc(0)));
  assert.equal((await key("get", "empty")).length, 0);
  const too_large = await wrangler.file("large", Buffer.concat([large, Buffer.from("x")]));
  await fails(["key", "put", "binary", "--path", too_large, ...there()],
    /Value length of 26214401 exceeds limit of 26214400/);
  assert.ok((await key("get", "binary")).equals(large));
  await clear();
});

test("--ttl, --expiration and --metadata", async () => {
  const now = Math.floor(Date.now() / 1000);
  const metadata = { a: [1, null, "é😀"], "b c": { d: "\u2028" } };
  await for_each([
    ["ttl", "v", "--ttl", "600"],
    ["at", "v", "--expiration", String(now + 5000)],
    ["both", "v", "--expiration", "1", "--ttl", "600", "--metadata", JSON.stringify(metadata)],
    ["metadata", "v", "--metadata", JSON.stringify(metadata)],
  ], (parts) => key("put", ...parts));
  const [at, both, with_metadata, ttl] = await list();
  assert.deepEqual(at, { name: "at", expiration: now + 5000 });
  assert.deepEqual(both.metadata, metadata);
  assert.deepEqual(with_metadata, { name: "metadata", metadata });
  for (const { expiration } of [both, ttl]) assert.ok(expiration >= now + 600 && expiration < now + 1200);
  await fails(["key", "put", "at", "new", "--ttl", "59", ...there()],
    /Invalid expiration_ttl of 59\. Expiration TTL must be at least 60\./);
  await fails(["key", "put", "at", "new", "--expiration", String(now - 1), ...there()], /Invalid expiration of/);
  await fails(["key", "put", "at", "new", "--metadata", JSON.stringify({ a: "x".repeat(1100) }), ...there()],
    /Metadata length of 1108 exceeds limit of 1024/);
  assert.equal(String(await key("get", "at")), "v");
  await key("put", "at", "again");
  assert.deepEqual((await list("--prefix", "at"))[0], { name: "at" });
  await clear();
});

test("odd keys, one command each", async () => {
  // What a command line can carry; a dash at the start would be an option.
  const odd = ["/a", "//", "../a", "a b", "a+b", "%2F", "#a?b=c&d",
    "{a}`<>\"\\", "\u0001\r\n", "\uff5e", "😀/é%20", "0", "bulk/get", "é".repeat(256)];
  await for_each(odd, async (name) => {
    await key("put", name, `value of ${name}`);
    assert.equal(String(await key("get", name)), `value of ${name}`);
  });
  const bytes = (text) => Buffer.from(text);
  const sorted = [...odd].sort((left, right) => Buffer.compare(bytes(left), bytes(right)));
  assert.deepEqual((await list()).map(({ name }) => name), sorted);
  await for_each(["#a?b=c&d", "😀/é%20"], (name) => key("delete", name));
  assert.equal((await list()).length, odd.length - 2);
  await clear();
  await fails(["key", "put", "é".repeat(257), "v", ...there()],
    /UTF-8 encoded length of 514 exceeds key length limit of 512/);
});

test("bulk put, get, delete", async () => {
  const entries = KEYS.map((name, at) => ({ key: name, value: `${at}: ${name}`, metadata: { at } }));
  entries.push({ key: "bytes", value: Buffer.from([0, 255, 10]).toString("base64"), base64: true });
  entries.push({ key: "short", value: "v", expiration_ttl: 600 });
  assert.match(String(await bulk("put", await wrangler.file("entries.json", entries))), /Success!/);
  assert.deepEqual(await key("get", "bytes"), Buffer.from([0, 255, 10]));
  const listed = await list();
  assert.equal(listed.length, entries.length);
  assert.ok(listed.find(({ name }) => name === "short").expiration);
  assert.deepEqual(listed.find(({ name }) => name === "a/b").metadata, { at: KEYS.indexOf("a/b") });
  const wanted = [...KEYS, "missing"];
  const got = JSON.parse(await bulk("get", await wrangler.file("wanted.json", wanted)));
  // wrangler copies the answer into a plain object, which cannot have this key.
  const told = KEYS.filter((name) => name !== "__proto__");
  assert.deepEqual(Object.keys(got).sort(), [...told, "missing"].sort());
  for (const name of told) assert.equal(got[name], `${KEYS.indexOf(name)}: ${name}`);
  assert.equal(got.missing, null);
  await fails(["bulk", "get", await wrangler.file("bytes.json", ["bytes"]), ...there()], /non-text value/);
  const names = [...entries.map((entry) => entry.key), "missing"];
  assert.match(String(await bulk("delete", await wrangler.file("names.json", names), "--force")), /Success!/);
  assert.deepEqual(await list(), []);
});

test("2,500 entries: requests of 1,000, pages of 1,000", async () => {
  const entries = Array.from({ length: 2500 }, (_, at) => ({ key: `k/${10_000 + at}`, value: `${at}` }));
  const file = await wrangler.file("many.json", entries);
  assert.match(String(await bulk("put", file)), /Uploaded 100% \(2,500 out of 2,500\)/);
  assert.deepEqual((await list()).map(({ name }) => name), entries.map((entry) => entry.key));
  assert.equal((await list("--prefix", "k/10")).length, 1000);
  const names = await wrangler.file("names.json", await list());
  assert.match(String(await bulk("delete", names, "--force")), /Deleted 100% \(2,500 out of 2,500\)/);
  assert.deepEqual(await list(), []);
});

test("bulk requests that are refused store nothing", async () => {
  const good = { key: "good", value: "v" };
  await for_each([
    [{ key: "bad", value: "%", base64: true }, /could not base64 decode value for key: "bad".*\[code: 10012\]/],
    [{ key: "bad", value: "v", expiration_ttl: 59 }, /Invalid expiration_ttl of 59/],
    [{ key: "", value: "v" }, /Key names must not be empty/],
    [{ key: "k".repeat(513), value: "v" }, /exceeds key length limit of 512/],
  ], async ([bad, message]) => {
    const file = await wrangler.file(`${bad.key.length}-${bad.expiration_ttl}.json`, [good, bad]);
    await fails(["bulk", "put", file, ...there()], message);
  });
  const many = Array.from({ length: 101 }, (_, at) => `k${at}`);
  await fails(["bulk", "get", await wrangler.file("many-names.json", many), ...there()], /maximum of 100 keys/);
  assert.deepEqual(await list(), []);
});

test("an unknown namespace, one that is no id, and a node that is not there", async () => {
  const unknown = /namespace not found.*\[code: 10013\]/;
  const file = await wrangler.file("one.json", [{ key: "k", value: "v" }]);
  await for_each([
    ["key", "put", "k", "v"], ["key", "list"], ["key", "delete", "k"], ["bulk", "put", file],
  ], (parts) => fails([...parts, ...there(MISSING)], unknown));
  await fails(["key", "get", "k", ...there(MISSING)], /404: Not Found/);
  await fails(["key", "put", "k", "v", ...there("wrangler")], /invalid namespace format: wrangler.*\[code: 10011\]/);
  await fails(["namespace", "delete", "--namespace-id", MISSING, "-y"], unknown);
  await fails(["namespace", "delete", "nowhere", "-y"], /No KV namespace named "nowhere" was found/);
});

test("tokens: a wrong one, one that may not write, and the right one", async () => {
  const token = async (name, scope) =>
    JSON.parse(await node.kvctl("token", "create", name, "--scope", scope, "--json")).secret;
  const admin = await token("all", "read,write,delete,list,admin");
  const reader = await token("reader", "read,list");
  const put = ["key", "put", "k", "v", ...there()];
  await fails(put, /Authentication error \[code: 10000\]/, { token: "wrong" });
  await fails(["namespace", "list"], /Authentication error/, { token: "wrong" });
  await fails(put, /\[code: 10037\]/, { token: reader });
  const { code, stderr } = await wrangler.run(["kv", ...put], { token: admin });
  assert.equal(code, 0, stderr);
  const read = await wrangler.run(["kv", "key", "get", "k", ...there()], { token: reader });
  assert.deepEqual([read.code, String(read.stdout)], [0, "v"]);
  const { stdout } = await wrangler.run(["whoami"], { token: reader });
  // The node has no configured account (docs/rest.md).
  assert.match(String(stdout), /edged@localhost/);
  assert.match(String(stdout), /edged +│ 0{32} /);
});

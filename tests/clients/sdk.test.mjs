// SPDX-License-Identifier: Apache-2.0
// Every method of kv.namespaces of the official SDK against the REST face of a node.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Cloudflare from "cloudflare";
import { ACCOUNT, Node } from "./lib/node.mjs";
import { KEYS } from "./lib/sequence.mjs";

const account = { account_id: ACCOUNT };
const MISSING = "f".repeat(32);
// The SDK itself cannot send these in a path.
const keys = KEYS.filter((key) => !["\u0000"].includes(key));

let node;
let kv;
let ns;
let here;

before(async () => {
  node = await Node.start();
  const client = new Cloudflare({ apiToken: "any", baseURL: node.api, maxRetries: 0 });
  kv = client.kv.namespaces;
  ns = await node.create_namespace("sdk");
  here = { ...account, namespace_id: ns };
});
after(() => node?.close());

const all = async (pages) => {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
};

const is_empty = async () => assert.equal((await all(kv.keys.list(ns, account))).length, 0);

const value_of = async (key) => Buffer.from(await (await kv.values.get(key, here)).arrayBuffer());

// The error's status, and the code and message of its envelope.
async function refused(promise, status, code, message) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.status, status, error.message);
    assert.equal(error.errors[0].code, code, JSON.stringify(error.errors));
    assert.match(error.errors[0].message, message);
    assert.equal(error.error.success, false);
    assert.equal(error.error.result, null);
    return true;
  });
}

test("namespaces: create, get, update, list, delete", async () => {
  const created = await kv.create({ ...account, title: "made" });
  assert.deepEqual(created, { id: created.id, title: "made", supports_url_encoding: true });
  assert.match(created.id, /^[0-9a-f]{32}$/);
  assert.deepEqual(await kv.get(created.id, account), created);
  await refused(kv.create({ ...account, title: "made" }), 400, 10014, /already exists/);
  await refused(kv.create({ ...account, title: "" }), 400, 10019, /title/);
  assert.equal((await kv.update(created.id, { ...account, title: "Made" })).title, "Made");
  await refused(kv.update(created.id, { ...account, title: "sdk" }), 400, 10014, /already exists/);
  assert.ok((await all(kv.list(account))).some(({ id, title }) => id === created.id && title === "Made"));
  await kv.delete(created.id, account);
  await refused(kv.get(created.id, account), 404, 10013, /namespace not found/);
  await refused(kv.delete(created.id, account), 404, 10013, /namespace not found/);
  await refused(kv.get("short", account), 400, 10011, /short/);
});

test("namespaces are listed page by page and in order", async () => {
  const titles = Array.from({ length: 45 }, (_, at) => `page-${String(at).padStart(3, "0")}`);
  for (const title of [...titles].reverse()) await kv.create({ ...account, title });
  for (const per_page of [7, 45, 100]) {
    const listed = await all(kv.list({ ...account, per_page, order: "title", direction: "asc" }));
    assert.deepEqual(
      listed.map(({ title }) => title).filter((title) => title.startsWith("page-")),
      titles,
    );
  }
  const down = await all(kv.list({ ...account, per_page: 10, order: "title", direction: "desc" }));
  assert.deepEqual(
    down.map(({ title }) => title).filter((title) => title.startsWith("page-")),
    [...titles].reverse(),
  );
  const ids = (await all(kv.list({ ...account, order: "id", per_page: 9 }))).map(({ id }) => id);
  assert.deepEqual(ids, [...ids].sort());
  for (const { id, title } of down) if (title.startsWith("page-")) await kv.delete(id, account);
});

test("values and metadata of odd keys", async () => {
  for (const key of keys) {
    const value = JSON.stringify(key);  // escaped: a form turns a line feed in a text into CR LF
    await kv.values.update(key, { ...here, value, metadata: JSON.stringify({ key }) });
    assert.equal(String(await value_of(key)), value, key);
    assert.deepEqual(await kv.metadata.get(key, here), { key });
  }
  const listed = await all(kv.keys.list(ns, account));
  const bytes = (text) => Buffer.from(text);
  assert.deepEqual(
    listed.map(({ name }) => name),
    [...keys].sort((left, right) => Buffer.compare(bytes(left), bytes(right))),
  );
  for (const key of keys) await kv.values.delete(key, here);
  await kv.values.delete("a", here);
  await is_empty();
  await refused(kv.values.get("a", here), 404, 10009, /key not found/);
  await refused(kv.metadata.get("a", here), 404, 10009, /key not found/);
});

test("values of every kind", async () => {
  const nothing = Buffer.alloc(0);
  const looks_like_a_part = Buffer.from('\r\n--boundary\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{}');
  const large = Buffer.alloc(25 * 1024 * 1024, "abc");
  for (const value of [nothing, Buffer.from([0, 255, 13, 10]), looks_like_a_part, large]) {
    await kv.values.update("value", { ...here, value: new File([value], "blob") });
    assert.ok((await value_of("value")).equals(value));
  }
  for (const value of ["", "0", "null", "1e400", "é😀"]) {
    await kv.values.update("value", { ...here, value });
    assert.equal(String(await value_of("value")), value);
  }
  assert.equal(await kv.metadata.get("value", here), null);
  const too_large = new File([large, "x"], "blob");
  await assert.rejects(kv.values.update("value", { ...here, value: too_large }), { status: 413 });
  assert.equal(String(await value_of("value")), "é😀");
});

test("expirations", async () => {
  const now = Math.floor(Date.now() / 1000);
  await kv.values.update("ttl", { ...here, value: "v", expiration_ttl: 60 });
  await kv.values.update("at", { ...here, value: "v", expiration: now + 5000 });
  await kv.values.update("both", { ...here, value: "v", expiration: 1, expiration_ttl: 300 });
  const listed = await all(kv.keys.list(ns, { ...account, prefix: "" }));
  const [at, both, ttl] = listed.filter(({ name }) => name !== "value");
  assert.equal(at.expiration, now + 5000);
  assert.ok(both.expiration - now >= 300 && both.expiration - now < 360);
  assert.ok(ttl.expiration - now >= 60 && ttl.expiration - now < 120);
  const answer = await kv.values.get("at", here);
  assert.equal(answer.headers.get("expiration"), String(now + 5000));
  for (const [more, code, message] of [
    [{ expiration_ttl: 59 }, 10034, /Invalid expiration_ttl of 59\. Expiration TTL must be at least 60\./],
    [{ expiration_ttl: 0 }, 10034, /Invalid expiration_ttl of 0\./],
    [{ expiration: 1 }, 10033, /Invalid expiration of 1\. Please specify integer greater than/],
    [{ expiration: now + 30 }, 10033, /at least 60 seconds in the future/],
  ]) {
    await refused(kv.values.update("at", { ...here, value: "new", ...more }), 400, code, message);
  }
  assert.equal(String(await value_of("at")), "v");
  await kv.values.update("at", { ...here, value: "v" });
  assert.equal((await kv.values.get("at", here)).headers.get("expiration"), null);
  for (const key of ["ttl", "at", "both", "value"]) await kv.values.delete(key, here);
});

test("bulkUpdate, bulkGet, bulkDelete and pages of keys", async () => {
  const body = Array.from({ length: 2500 }, (_, at) => ({
    key: `k/${10_000 + at}`,
    value: `"${at}"`,
    ...(at % 2 === 0 && { metadata: { at } }),
  }));
  const stored = await kv.bulkUpdate(ns, { ...account, body });
  assert.deepEqual(stored, { successful_key_count: 2500, unsuccessful_keys: [] });
  for (const more of [{}, { limit: 10 }, { limit: 999, prefix: "k/" }]) {
    if (more.limit === 10) more.prefix = "k/100";
    const listed = await all(kv.keys.list(ns, { ...account, ...more }));
    const wanted = body.filter(({ key }) => key.startsWith(more.prefix ?? ""));
    assert.deepEqual(listed.map(({ name }) => name), wanted.map(({ key }) => key));
    assert.deepEqual(listed.map(({ metadata }) => metadata), wanted.map(({ metadata }) => metadata));
  }
  const names = ["k/10000", "k/10001", "__proto__", "missing", "123"];
  await kv.values.update("__proto__", { ...here, value: "1" });
  const { values } = await kv.bulkGet(ns, { ...account, keys: names });
  assert.deepEqual(Object.entries(values).sort(), [
    ["123", null],
    ["__proto__", "1"],
    ["k/10000", '"0"'],
    ["k/10001", '"1"'],
    ["missing", null],
  ]);
  const with_metadata = await kv.bulkGet(ns, { ...account, keys: names.slice(0, 2), type: "json", withMetadata: true });
  assert.deepEqual(with_metadata.values["k/10000"], { value: "0", metadata: { at: 0 } });
  assert.equal(with_metadata.values["k/10001"].metadata, null);
  await refused(kv.bulkGet(ns, { ...account, keys: [] }), 400, 10029, /minimum of 1 key/);
  const many = Array.from({ length: 101 }, (_, at) => `k${at}`);
  await refused(kv.bulkGet(ns, { ...account, keys: many }), 400, 10029, /maximum of 100 keys/);
  const gone = await kv.bulkDelete(ns, { ...account, body: [...body.map(({ key }) => key), "__proto__", "missing"] });
  assert.deepEqual(gone, { successful_key_count: 2502, unsuccessful_keys: [] });
  await is_empty();
});

test("the deprecated bulk methods of keys", async () => {
  await kv.keys.bulkUpdate(ns, { ...account, body: [{ key: "a", value: "AP8=", base64: true }, { key: "b", value: "" }] });
  assert.deepEqual(await value_of("a"), Buffer.from([0, 255]));
  assert.deepEqual((await kv.keys.bulkGet(ns, { ...account, keys: ["b", "c"] })).values, { b: "", c: null });
  await refused(kv.bulkGet(ns, { ...account, keys: ["a"] }), 400, 10029, /non-text value/);
  await kv.keys.bulkDelete(ns, { ...account, body: ["a", "b"] });
});

test("a bulk write is whole or not at all", async () => {
  const body = [{ key: "good", value: "v" }];
  for (const [bad, code] of [
    [{ key: "bad", value: "%", base64: true }, 10012],
    [{ key: "bad", value: "v", expiration_ttl: 59 }, undefined],
    [{ key: "", value: "v" }, undefined],
    [{ key: "k".repeat(513), value: "v" }, undefined],
    [{ key: "bad", value: "v", metadata: "m".repeat(1023) }, undefined],
  ]) {
    await assert.rejects(kv.bulkUpdate(ns, { ...account, body: [...body, bad] }), (error) => {
      assert.ok(error.status >= 400 && error.status < 500, error.message);
      if (code) assert.equal(error.errors[0].code, code);
      return true;
    });
  }
  await is_empty();
});

test("the bounds of lists, and cursors that are none", async () => {
  for (const limit of [0, 1001, -1]) {
    await refused(kv.keys.list(ns, { ...account, limit }), 400, 10028, /limit/);
  }
  await refused(kv.keys.list(ns, { ...account, cursor: "nonsense" }), 400, 10041, /cursor/);
  await refused(kv.keys.list(MISSING, account), 404, 10013, /namespace not found/);
});

test("10,000 entries in one request, and not one more", async () => {
  const body = Array.from({ length: 10_000 }, (_, at) => ({ key: `k${at}`, value: "v" }));
  assert.equal((await kv.bulkUpdate(ns, { ...account, body })).successful_key_count, 10_000);
  assert.equal((await all(kv.keys.list(ns, account))).length, 10_000);
  await assert.rejects(kv.bulkUpdate(ns, { ...account, body: [...body, { key: "x", value: "v" }] }));
  await kv.bulkDelete(ns, { ...account, body: body.map(({ key }) => key) });
});

test("two puts of one key at once leave one of them", async () => {
  const values = Array.from({ length: 20 }, (_, at) => String(at).repeat(20_000));
  await Promise.all(values.map((value) => kv.values.update("race", { ...here, value })));
  assert.ok(values.includes(String(await value_of("race"))));
  await kv.values.delete("race", here);
});

test("tokens", async () => {
  const made = JSON.parse(await node.kvctl("token", "create", "reader", "--scope", "read,list", "--only", ns, "--json"));
  const as = (apiToken) => new Cloudflare({ apiToken, baseURL: node.api, maxRetries: 0 }).kv.namespaces;
  await refused(as("wrong").keys.list(ns, account), 401, 10000, /Authentication error/);
  const reader = as(made.secret ?? made.token);
  assert.deepEqual(await all(reader.keys.list(ns, account)), []);
  await assert.rejects(reader.values.update("a", { ...here, value: "v" }), { status: 403 });
});

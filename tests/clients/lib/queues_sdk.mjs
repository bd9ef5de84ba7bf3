// SPDX-License-Identifier: Apache-2.0
// Every method of the official SDK's `queues`, but those of event subscriptions, against the Queues API:
// node --test queues_sdk.mjs, with QUEUES_URL and QUEUES_SECRET in the environment.
// tests/end_to_end/queue_http_test.py starts a worker and calls this; queue_pass_test.py asks through a node.
import assert from "node:assert/strict";
import { test } from "node:test";
import Cloudflare from "cloudflare";

const client = new Cloudflare({
  baseURL: process.env.QUEUES_URL, apiToken: process.env.QUEUES_SECRET, maxRetries: 0 });
const account = { account_id: "023e105f4ecef8ad9ca31a8372d0c353" };
const decode = (message) => message.metadata["CF-Content-Type"] === "text"
  ? message.body : JSON.parse(Buffer.from(message.body, "base64").toString());

test("queues: create, list, get, edit, delete", async () => {
  const made = await client.queues.create({ ...account, queue_name: "sdk-made" });
  assert.match(made.queue_id, /^[0-9a-f]{32}$/);
  await assert.rejects(client.queues.create({ ...account, queue_name: "sdk-made" }), { status: 409 });
  const names = [];
  for await (const queue of client.queues.list(account)) names.push(queue.queue_name);
  assert.ok(names.includes("sdk-made"));
  const edited = await client.queues.edit(made.queue_id,
    { ...account, settings: { delivery_delay: 7, message_retention_period: 3600 } });
  assert.deepEqual(edited.settings,
    { delivery_delay: 7, delivery_paused: false, message_retention_period: 3600 });
  assert.equal((await client.queues.get(made.queue_id, account)).queue_name, "sdk-made");
  const updated = await client.queues.update(made.queue_id,
    { ...account, queue_name: "sdk-made", settings: { delivery_delay: 8 } });
  assert.equal(updated.settings.delivery_delay, 8);
  await client.queues.delete(made.queue_id, account);
  await assert.rejects(client.queues.get(made.queue_id, account), { status: 404 });
});

test("messages: push, bulkPush, pull, ack, retry, purge", async () => {
  const queue = await client.queues.create({ ...account, queue_name: "sdk-pulled" });
  const id = queue.queue_id;
  const consumer = await client.queues.consumers.create(id,
    { ...account, type: "http_pull", settings: { max_retries: 1, visibility_timeout_ms: 60000 } });
  assert.equal(consumer.type, "http_pull");
  await client.queues.messages.push(id, { ...account, body: { order: 7 }, content_type: "json" });
  await client.queues.messages.bulkPush(id, { ...account, messages: [
    { body: "plain é", content_type: "text" }, { body: [1, null], content_type: "json" },
    { body: "later", content_type: "text", delay_seconds: 3600 }] });
  const pulled = await client.queues.messages.pull(id, { ...account, batch_size: 10 });
  const bodies = pulled.messages.map((message) => JSON.stringify(decode(message))).sort();
  assert.deepEqual(bodies, ['"plain é"', "[1,null]", '{"order":7}']);
  assert.equal(pulled.message_backlog_count, 4);
  const [first, second, third] = pulled.messages;
  const settled = await client.queues.messages.ack(id, { ...account,
    acks: [{ lease_id: first.lease_id }, { lease_id: "gone" }],
    retries: [{ lease_id: second.lease_id, delay_seconds: 0 }, { lease_id: third.lease_id }] });
  assert.equal(settled.ackCount, 1);
  assert.equal(settled.retryCount, 2);
  assert.deepEqual(Object.keys(settled.warnings), ["gone"]);
  const again = await client.queues.messages.pull(id, account);
  assert.deepEqual(again.messages.map((message) => message.attempts), [2, 2]);
  const late = await client.queues.messages.ack(id, { ...account, acks: [{ lease_id: second.lease_id }] });
  assert.equal(late.ackCount, 0);
  await client.queues.messages.ack(id,
    { ...account, acks: again.messages.map((message) => ({ lease_id: message.lease_id })) });
  await client.queues.purge.start(id, { ...account, delete_messages_permanently: true });
  await client.queues.edit(id, { ...account, settings: { delivery_paused: true } });
  await assert.rejects(client.queues.messages.pull(id, account), { status: 409 });
  await client.queues.delete(id, account);
});

test("consumers: create, list, get, update, delete", async () => {
  const { queue_id } = await client.queues.create({ ...account, queue_name: "sdk-consumed" });
  const of_queue = { ...account, queue_id };
  const { consumer_id } = await client.queues.consumers.create(queue_id, { ...account, type: "http_pull" });
  const listed = [];
  for await (const one of client.queues.consumers.list(queue_id, account)) listed.push(one);
  assert.deepEqual(listed.map((one) => one.consumer_id), [consumer_id]);
  const changed = await client.queues.consumers.update(consumer_id,
    { ...of_queue, type: "http_pull", settings: { max_retries: 9, retry_delay: 5, visibility_timeout_ms: 7000 } });
  assert.deepEqual(changed.settings, { max_retries: 9, retry_delay: 5, visibility_timeout_ms: 7000 });
  assert.deepEqual(await client.queues.consumers.get(consumer_id, of_queue), changed);
  await assert.rejects(client.queues.consumers.create(queue_id, { ...account, type: "http_pull" }), { status: 409 });
  await assert.rejects(
    client.queues.consumers.create(queue_id, { ...account, type: "worker", script_name: "w" }), { status: 409 });
  await client.queues.consumers.delete(consumer_id, of_queue);
  await assert.rejects(client.queues.consumers.get(consumer_id, of_queue), { status: 404 });
  await client.queues.delete(queue_id, account);
});

test("getMetrics, messages.peek and purge, purge.status", async () => {
  const { queue_id: id } = await client.queues.create({ ...account, queue_name: "sdk-seen" });
  const nothing = { backlog_bytes: 0, backlog_count: 0, oldest_message_timestamp_ms: 0 };
  assert.deepEqual(await client.queues.getMetrics(id, account), nothing);
  const messages = ["one", "two", "three"].map((body) => ({ body, content_type: "text" }));
  await client.queues.messages.bulkPush(id, { ...account, messages });
  const metrics = await client.queues.getMetrics(id, account);
  assert.equal(metrics.backlog_count, 3);
  assert.ok(metrics.backlog_bytes > 0 && metrics.oldest_message_timestamp_ms > 0);
  const peeked = await client.queues.messages.peek(id, { ...account, batch_size: 2 });
  assert.deepEqual(peeked.messages.map(decode), ["one", "two"]);
  const refs = [{ ref: peeked.messages[0].ref }, { ref: "gone" }];
  const purged = await client.queues.messages.purge(id, { ...account, refs });
  assert.deepEqual([purged.errors, Object.keys(purged.warnings)], [[], ["gone"]]);
  assert.deepEqual((await client.queues.messages.peek(id, account)).messages.map(decode), ["two", "three"]);
  await client.queues.purge.start(id, { ...account, delete_messages_permanently: true });
  assert.equal((await client.queues.purge.status(id, account)).completed, "true");
  assert.deepEqual(await client.queues.getMetrics(id, account), nothing);
  await client.queues.delete(id, account);
});

test("errors have Cloudflare's envelope", async () => {
  await assert.rejects(client.queues.messages.pull("none", account),
    (error) => error.status === 404 && error.errors[0].code === 11000);
  const stranger = new Cloudflare({ baseURL: process.env.QUEUES_URL, apiToken: "wrong", maxRetries: 0 });
  await assert.rejects(stranger.queues.messages.push("none", { ...account, body: "x" }), { status: 401 });
});

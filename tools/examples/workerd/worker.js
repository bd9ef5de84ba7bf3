// SPDX-License-Identifier: Apache-2.0
// Uses every method of a KV binding once, as on Cloudflare, and answers with what each gave.

async function use_everything(kv) {
  const seen = {};

  // put: text, bytes, a stream; metadata and an expiry.
  await kv.put("example/text", "hello", { metadata: { from: "worker.js" }, expirationTtl: 3600 });
  await kv.put("example/bytes", new Uint8Array([0, 1, 2, 255]));
  await kv.put("example/json", JSON.stringify({ open: 3 }));
  await kv.put("example/stream", new Response("streamed").body);

  // get: one key, in each type, and several keys at once.
  seen.text = await kv.get("example/text");
  seen.json = await kv.get("example/json", "json");
  seen.bytes = [...new Uint8Array(await kv.get("example/bytes", { type: "arrayBuffer" }))];
  seen.stream = await new Response(await kv.get("example/stream", "stream")).text();
  seen.missing = await kv.get("example/missing");
  seen.many = Object.fromEntries(await kv.get(["example/text", "example/missing"]));

  // getWithMetadata, for one key and for several.
  const { value, metadata } = await kv.getWithMetadata("example/text");
  seen.with_metadata = { value, metadata };
  seen.many_with_metadata = Object.fromEntries(await kv.getWithMetadata(["example/text"]));

  // list: two keys a page, until the last page, which has no cursor.
  seen.keys = [];
  let cursor;
  do {
    const page = await kv.list({ prefix: "example/", limit: 2, cursor });
    seen.keys.push(...page.keys.map((key) => key.name));
    cursor = page.cursor;
  } while (cursor);

  // delete: no error if the key is missing.
  for (const key of [...seen.keys, "example/missing"]) await kv.delete(key);
  seen.left = (await kv.list({ prefix: "example/" })).keys.length;
  return seen;
}

export default {
  async fetch(request, env) {
    return Response.json(await use_everything(env.KV), { headers: { "Cache-Control": "no-store" } });
  },
};

// SPDX-License-Identifier: Apache-2.0
// A Worker that carries out operations of its KV binding as a test asks for them. POST one operation
// as JSON; the answer is {"ok": …} or {"error": {"name", "message"}}. Bytes travel as base64, because
// JSON has only text. {"at_once": [operation, …]} and {"in_order": [operation, …]} carry out several
// in one request, and answer with an array.

const to_base64 = (bytes) => {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text);
};
const from_base64 = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));

// `count` bytes of a pattern, for values that would take long as base64.
function pattern(count) {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; ++at) bytes[at] = (at * 7 + (at >> 8)) & 0xff;
  return bytes;
}

// {"text"}, {"base64"} (an ArrayBuffer), {"stream"} (base64 of a stream whose length is not known),
// {"pattern"} or {"pattern_stream"} (a number of bytes).
function make_value(given) {
  if ("text" in given) return given.text;
  if ("base64" in given) return from_base64(given.base64).buffer;
  if ("pattern" in given) return pattern(given.pattern).buffer;
  const bytes = "stream" in given ? from_base64(given.stream) : pattern(given.pattern_stream);
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      const piece = bytes.slice(sent, sent + 10_000);
      sent += piece.length;
      if (piece.length > 0) controller.enqueue(piece);
      if (sent >= bytes.length) controller.close();
    },
  });
}

async function plain_value(value) {
  if (value instanceof ArrayBuffer) return { base64: to_base64(value) };
  if (value instanceof ReadableStream) {
    return { base64: to_base64(await new Response(value).arrayBuffer()) };
  }
  return value;
}

const plain_entry = async (entry) =>
  entry && { value: await plain_value(entry.value), metadata: entry.metadata };

// A Map becomes its entries, so that their order is seen.
const plain_map = (map) => [...map.entries()];

async function carry_out(kv, operation) {
  const { op, key, keys, options } = operation;
  switch (op) {
    case "put":
      return (await kv.put(key, make_value(operation.value), options)) ?? null;
    case "delete":
      return (await kv.delete(key)) ?? null;
    case "get":
      return plain_value(await kv.get(key, options));
    case "is_pattern": {
      const stored = new Uint8Array(await kv.get(key, "arrayBuffer"));
      const wanted = pattern(operation.bytes);
      return stored.length === wanted.length && stored.every((byte, at) => byte === wanted[at]);
    }
    case "get_with_metadata":
      return plain_entry(await kv.getWithMetadata(key, options));
    case "get_many":
      return plain_map(await kv.get(keys, options));
    case "get_many_with_metadata":
      return plain_map(await kv.getWithMetadata(keys, options));
    case "list":
      return kv.list(options);
    default:
      throw new Error("unknown operation " + op);
  }
}

async function answer_to(kv, operation) {
  try {
    return { ok: await carry_out(kv, operation) };
  } catch (error) {
    return { error: { name: error.name, message: error.message } };
  }
}

export default {
  async fetch(request, env) {
    const asked = await request.json();
    const one = (operation) => answer_to(env.KV, operation);
    if (asked.at_once) return Response.json(await Promise.all(asked.at_once.map(one)));
    if (!asked.in_order) return Response.json(await one(asked));
    const answers = [];
    for (const operation of asked.in_order) answers.push(await one(operation));
    return Response.json(answers);
  },
};

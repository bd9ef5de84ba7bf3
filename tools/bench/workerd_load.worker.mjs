// SPDX-License-Identifier: Apache-2.0
// A Worker that uses its KV binding in loops: POST {kind, count, at_once, bytes}. It answers the number
// of calls; the time is taken outside, because a Worker's clock stands still while it works.
const KEYS = 1000;

const kinds = {
  read: async (KV, at) => {
    if ((await KV.get(`k${at % KEYS}`)) === null) throw new Error("a key is missing");
  },
  write: (KV, at, value) => KV.put(`k${at % KEYS}`, value),
  list: async (KV) => {
    if ((await KV.list({ limit: 100 })).keys.length !== 100) throw new Error("keys are missing");
  },
};

export default {
  async fetch(request, { KV }) {
    const { kind, count, at_once, bytes } = await request.json();
    const value = "v".repeat(bytes);
    let at = 0;
    const lane = async () => {
      while (at < count) await kinds[kind](KV, at++, value);
    };
    await Promise.all(Array.from({ length: at_once }, lane));
    return new Response(String(at));
  },
};

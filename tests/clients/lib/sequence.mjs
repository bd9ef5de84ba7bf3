// SPDX-License-Identifier: Apache-2.0
// Random operations on a KV binding. The same seed gives the same operations. Few keys, so that
// operations meet; many odd ones, because keys and their escapes are where bindings differ.

// mulberry32: a small generator with a seed of 32 bits. Returns numbers in [0, 1).
function make_random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export const KEYS = [
  "a", "A", "a/b", "/a", "//", "a//b", "a/", "..a", "a/..", "../a", "./a", "...", "a.b", " ", " a ",
  "a b", "a+b", "a%20b", "a%2Bb", "%", "%%", "%2F", "%25", "%zz", "#", "a#b", "?", "a?b=c&d", "&", "=",
  "a;b", "a:b@c", "$!'()*,~", "[a]|^", "{a}`<>\"\\", "\u0001", "a\tb", "a\nb", "a\r\nb", "\u007f", "\u0000",
  "\u0080", "é", "e\u0301", "ß", "日本", "\ufeffa", "\u2028", "\uff5e", "\uffff", "\u{10000}", "😀", "😀/é%20",
  "0", "123", "-1", "__proto__", "constructor", "bulk/get", "bulk", "x".repeat(512), "é".repeat(256),
  "😀".repeat(128),
];
const REFUSED_KEYS = ["", ".", "..", "x".repeat(513), "é".repeat(257)];
const PREFIXES = [undefined, undefined, "", "a", "a/", "/", "%", "é", "😀", "\u0000", "none", "x".repeat(512),
                  "x".repeat(513)];
const TEXTS = ["", "0", "1", "-0.5", "1e400", "null", "true", "undefined", '"text"', '{"a":[1,"é"]}', "{", "[]",
               "\u0000", "\ufeffbom", "é😀", "line\r\n--boundary\r\n", " "];
const METADATA = [undefined, undefined, undefined, null, {}, [], 0, "", false, "text", 1.5, { a: { b: [null, "é😀"] } },
                  "\u2028\u2029\u007f", "\u0001\n", { "a b": "c;d,e" }, "x".repeat(1022), "x".repeat(1023),
                  "é".repeat(511), "é".repeat(512)];
const TTLS = [60, 61, 3600, 86_400.7, 59, 30, 1, 0, -1, 2 ** 31 - 1, 2 ** 31];
const TYPES = [undefined, "text", "json", "arrayBuffer", "stream", "wrong"];
const MANY_TYPES = [undefined, "text", "json", "stream", "arrayBuffer"];
const CACHE_TTLS = [undefined, undefined, undefined, 30, 60, 29, 0, 3600];
const LIMITS = [undefined, undefined, 1, 2, 3, 10, 999, 1000, 1001, 0, -1];

// Leaves out what is undefined, as JSON would.
const given = (object) =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

export class Sequence {
  // now_seconds: times near now are not used, so that no outcome depends on the speed of the machine.
  constructor(seed, now_seconds) {
    this.random = make_random(seed);
    this.now = now_seconds;
  }

  one_of(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  key() {
    return this.random() < 0.03 ? this.one_of(REFUSED_KEYS) : this.one_of(KEYS);
  }

  bytes() {
    const sizes = [0, 1, 255, 1024, 10_000, 65_535, 65_536, 65_537, 200_000];
    const size = this.one_of(sizes);
    const block = Buffer.alloc(size);
    for (let at = 0; at < size; ++at) block[at] = this.random() * 256;
    return block.toString("base64");
  }

  value() {
    const kind = this.random();
    if (kind < 0.6) return { text: this.one_of(TEXTS) };
    return kind < 0.85 ? { base64: this.bytes() } : { stream: this.bytes() };
  }

  put_options() {
    const kind = this.random();
    const options = { metadata: this.one_of(METADATA) };
    if (kind < 0.2) options.expirationTtl = this.one_of(TTLS);
    const far = [this.now + 1000, this.now + 86_400, this.now + 5000.5, 1, 0, -5, this.now - 100];
    if (kind > 0.1 && kind < 0.3) options.expiration = this.one_of(far);
    return given(options);
  }

  keys() {
    const counts = [1, 2, 5, 20, 60];
    const count = this.random() < 0.05 ? this.one_of([0, 100, 101]) : this.one_of(counts);
    return Array.from({ length: count }, () => this.one_of(KEYS));
  }

  list() {
    const options = given({ prefix: this.one_of(PREFIXES), limit: this.one_of(LIMITS) });
    // "last": the cursor that the target gave last, with the options that go with it.
    const kind = this.random();
    if (kind < 0.4) return { op: "list", options: given({ limit: options.limit }), cursor: "last" };
    return { op: "list", options };
  }

  next() {
    const kind = this.random();
    if (kind < 0.35) return { op: "put", key: this.key(), value: this.value(), options: this.put_options() };
    if (kind < 0.5) {
      const options = given({ type: this.one_of(TYPES), cacheTtl: this.one_of(CACHE_TTLS) });
      return { op: "get", key: this.key(), options };
    }
    if (kind < 0.65) {
      const options = given({ type: this.one_of(TYPES), cacheTtl: this.one_of(CACHE_TTLS) });
      return { op: "get_with_metadata", key: this.key(), options };
    }
    if (kind < 0.73) return { op: "delete", key: this.key() };
    if (kind < 0.88) return this.list();
    const options = given({ type: this.one_of(MANY_TYPES), cacheTtl: this.one_of(CACHE_TTLS) });
    return { op: this.random() < 0.5 ? "get_many" : "get_many_with_metadata", keys: this.keys(), options };
  }
}

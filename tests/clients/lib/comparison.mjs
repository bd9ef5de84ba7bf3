// SPDX-License-Identifier: Apache-2.0
// Compares what two targets answered to one operation. A difference is either explained by one of
// EXPLAINED, each with its reason, or it is a fault.
import { isDeepStrictEqual } from "node:util";

// A TTL is counted from the moment of the write, and a busy machine lets one target wait. The
// sequence has TTLs of 60, 61, 3600 and more seconds.
const EXPIRATION_SECONDS_APART = 30;

const near = (left, right) =>
  left === right || Math.abs(left - right) <= EXPIRATION_SECONDS_APART;

// Lists are equal up to the text of the cursor, which is opaque.
function same_list(left, right) {
  const plain = (list) => ({
    ...list,
    cursor: list.cursor === undefined ? undefined : "given",
    keys: list.keys.map((key) => ({ ...key, expiration: key.expiration !== undefined })),
  });
  return (
    isDeepStrictEqual(plain(left), plain(right)) &&
    left.keys.every((key, at) => near(key.expiration, right.keys[at].expiration))
  );
}

export function same(operation, left, right) {
  if (operation.op === "list" && left.ok && right.ok) return same_list(left.ok, right.ok);
  return isDeepStrictEqual(left, right);
}

// What an answer to a bulk read says of a value that is not UTF-8.
const NOT_TEXT = "At least one of the requested keys corresponds to a non-text value";

const many = ({ op }) => op === "get_many" || op === "get_many_with_metadata";

// Whether a text of the answer holds U+FFFD, which stands for bytes that are no UTF-8.
const has_replacement = (answer) => JSON.stringify(answer).includes("\ufffd");

// Names whose values do not arrive: workerd drops integers from its Map, Miniflare loses __proto__.
const is_unseen = (name) => name === "__proto__" || /^[0-9]+$/.test(name);

// The entries of a bulk read without the key __proto__.
const without_proto = ({ ok }) => ok.filter(([name]) => name !== "__proto__");

// `applies` says whether `name` explains this difference; `reason` is for the reader.
export const EXPLAINED = [
  {
    name: "bulk read of bytes as text",
    reason:
      "Miniflare puts U+FFFD in the place of bytes that are not UTF-8. The live service refuses such a read, " +
      "and so does edged: a value would otherwise come back changed.",
    applies: (operation, reference, answer) =>
      many(operation) &&
      !!reference.ok &&
      (has_replacement(reference.ok) || operation.keys.some(is_unseen)) &&
      !!answer.error?.message.includes(NOT_TEXT),
  },
  {
    name: "prefix with U+0000",
    reason: "Miniflare's SQLite ends a text at U+0000 and finds no key with such a prefix. edged finds it.",
    applies: (operation, reference, answer) =>
      operation.op === "list" &&
      !!operation.options.prefix?.includes("\0") &&
      reference.ok?.keys.length === 0 &&
      !!answer.ok?.keys.every(({ name }) => name.startsWith(operation.options.prefix)),
  },
  {
    name: "bulk read of __proto__",
    reason: "Miniflare puts values into a JavaScript object by name, which loses this one. edged answers it.",
    applies: (operation, reference, answer) =>
      many(operation) &&
      operation.keys.includes("__proto__") &&
      reference.ok &&
      answer.ok &&
      isDeepStrictEqual(reference.ok, without_proto(answer)),
  },
];

// The name of the explanation, or undefined.
export function explain(operation, reference, answer) {
  return EXPLAINED.find(({ applies }) => applies(operation, reference, answer))?.name;
}

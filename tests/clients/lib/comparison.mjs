// SPDX-License-Identifier: Apache-2.0
// Compares what two targets answered to one operation. A difference is either explained by one of
// EXPLAINED, each with its reason, or it is a fault.
import { isDeepStrictEqual } from "node:util";

// A TTL is counted from the moment of the write, and the two targets write one after the other.
const EXPIRATION_SECONDS_APART = 5;

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

// [name, reason, whether it explains this difference]
export const EXPLAINED = [];

// The name of the explanation, or undefined.
export function explain(operation, reference, answer) {
  return EXPLAINED.find(({ applies }) => applies(operation, reference, answer))?.name;
}

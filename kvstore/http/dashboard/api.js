// SPDX-License-Identifier: Apache-2.0
// Requests to the node that served the page, with the token of this tab if one was entered. A token is
// kept in sessionStorage: it goes with the tab, and no other site can read it.

const SLOT = "edged-token";

export const token = () => sessionStorage.getItem(SLOT) ?? "";
export function set_token(text) {
  if (text) sessionStorage.setItem(SLOT, text);
  else sessionStorage.removeItem(SLOT);
}

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// The REST API wants some Authorization header even if the node has no tokens.
const headers = () => ({ Authorization: `Bearer ${token() || "dashboard"}` });

async function message_of(response) {
  try {
    const body = await response.json();
    return body.errors?.[0]?.message ?? body.error ?? response.statusText;
  } catch {
    return response.statusText || `HTTP ${response.status}`;
  }
}

// An answer that is ok. Throws ApiError; status 0: the node does not answer.
export async function request(path, { signal } = {}) {
  let response;
  try {
    response = await fetch(path, { headers: headers(), cache: "no-store", credentials: "omit", signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "the node does not answer");
  }
  if (!response.ok) throw new ApiError(response.status, await message_of(response));
  return response;
}

let account;
// The path of a namespace in the REST API. The account is whatever the node calls its own.
export async function namespace_path(id) {
  if (account === undefined) {
    const { result } = await (await request("/client/v4/accounts")).json();
    account = result[0].id;
  }
  return `/client/v4/accounts/${encodeURIComponent(account)}/storage/kv/namespaces/${encodeURIComponent(id)}`;
}

const VALUE_BYTES_MAX = 64 * 1024;

export const value_path = async (id, key) =>
  `${await namespace_path(id)}/values/${encodeURIComponent(key)}`;

// The first 64 KiB of a value: {bytes, total (undefined if not told), cut}.
export async function read_value(id, key, signal) {
  const response = await request(await value_path(id, key), { signal });
  const total = Number(response.headers.get("content-length") ?? NaN);
  const reader = response.body.getReader();
  const pieces = [];
  let held = 0;
  let ended = false;
  while (held < VALUE_BYTES_MAX) {
    const { done, value } = await reader.read();
    if (done) {
      ended = true;
      break;
    }
    pieces.push(value);
    held += value.length;
  }
  const cut = !ended && !(Number.isFinite(total) && held >= total);
  if (!ended) await reader.cancel().catch(() => {});
  const all = new Uint8Array(await new Blob(pieces).arrayBuffer());
  return { bytes: all.subarray(0, VALUE_BYTES_MAX), total: Number.isFinite(total) ? total : undefined,
           cut: cut || all.length > VALUE_BYTES_MAX };
}

// A page of a namespace's keys: {keys: [{name, expiration?, metadata?}], cursor}.
export async function list_keys(id, { prefix, cursor, limit }, signal) {
  const query = new URLSearchParams({ limit });
  if (prefix) query.set("prefix", prefix);
  if (cursor) query.set("cursor", cursor);
  const { result, result_info } = await (await request(`${await namespace_path(id)}/keys?${query}`, { signal })).json();
  return { keys: result, cursor: result_info.cursor };
}

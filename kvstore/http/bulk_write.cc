// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/bulk_write.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "kvstore/http/metadata.h"
#include "proto/base/base64.h"
#include "proto/base/check.h"
#include "proto/json/write_json.h"

namespace edged::kv_http {
namespace {

namespace json = boost::json;

Refusal bad_request(std::string text) {
  return {400, 10029, std::move(text)};
}

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

// The member, unless it is null, which is as good as absent.
const json::value* member(const json::object& entry, std::string_view name) {
  const json::value* found = entry.if_contains(json::string_view(name.data(), name.size()));
  return found == nullptr || found->is_null() ? nullptr : found;
}

// A parameter that is a number as text, for parse_expiry().
std::optional<std::string> number_text(const json::object& entry, std::string_view name) {
  const json::value* found = member(entry, name);
  if (found == nullptr) return std::nullopt;
  const json::string* text = found->if_string();
  return text == nullptr ? write_json(*found) : std::string(view(*text));
}

// Base64 with all its padding; nothing if it is not.
std::optional<std::string> decode_padded(std::string_view text) {
  return text.size() % 4 == 0 ? from_base64(text) : std::nullopt;
}

Refusal not_base64(std::string_view key, std::string_view text) {
  const std::size_t digits =
      text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
  std::string message = "could not base64 decode value for key: \"";
  message.append(key).append("\", err: 'illegal base64 data at input byte ");
  message.append(std::to_string(std::min(digits, text.size()))).append("'");
  return {400, 10012, std::move(message)};
}

Check read_value(const json::object& entry, storage::Put& put) {
  const json::value* value = member(entry, "value");
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  if (text == nullptr) return bad_request("each entry must have a value, and it must be a string");
  const json::value* base64 = member(entry, "base64");
  if (base64 != nullptr && !base64->is_bool()) return bad_request("base64 must be true or false");
  if (base64 == nullptr || !base64->get_bool()) {
    put.value = view(*text);
    return std::nullopt;
  }
  std::optional<std::string> bytes = decode_padded(view(*text));
  if (!bytes) return not_base64(put.key, view(*text));
  put.value = *std::move(bytes);
  return std::nullopt;
}

Checked<storage::Put> read_entry(const json::value& item,
                                 storage::NamespaceNumber ns,
                                 WallTime now) {
  const json::object* entry = item.if_object();
  if (entry == nullptr) return bad_request("the body must be an array of objects");
  const json::value* key = member(*entry, "key");
  const json::string* name = key == nullptr ? nullptr : key->if_string();
  if (name == nullptr) return bad_request("each entry must have a key, and it must be a string");
  storage::Put put;
  put.ns = ns;
  put.key = view(*name);
  if (Check refused = check_key(put.key)) return *std::move(refused);
  const std::optional<std::string> at = number_text(*entry, "expiration");
  const std::optional<std::string> ttl = number_text(*entry, "expiration_ttl");
  const auto expiry = parse_expiry(at, ttl, now);
  if (const auto* refused = std::get_if<Refusal>(&expiry)) return *refused;
  put.expires_at = std::get<Expiry>(expiry).at;
  put.ttl = std::get<Expiry>(expiry).ttl;
  if (const json::value* metadata = member(*entry, "metadata")) {
    put.metadata = write_json(*metadata);
    if (Check refused = check_metadata_bytes(put.metadata.size())) return *std::move(refused);
  }
  if (Check refused = read_value(*entry, put)) return *std::move(refused);
  if (Check refused = check_value_bytes(put.value.size())) return *std::move(refused);
  return put;
}

Check check_array(const json::value& document) {
  const json::array* items = document.if_array();
  if (items == nullptr) return bad_request("the body must be an array");
  if (items->size() <= kBulkEntriesMax) return std::nullopt;
  return bad_request("You can send a maximum of 10000 entries in one request");
}

}  // namespace

Checked<std::vector<storage::Operation>> parse_bulk_put(const json::value& document,
                                                        storage::NamespaceNumber ns,
                                                        WallTime now) {
  if (Check refused = check_array(document)) return *std::move(refused);
  std::vector<storage::Operation> puts;
  for (const json::value& item : document.get_array()) {
    Checked<storage::Put> put = read_entry(item, ns, now);
    if (auto* refused = std::get_if<Refusal>(&put)) return std::move(*refused);
    puts.emplace_back(std::get<storage::Put>(std::move(put)));
  }
  return puts;
}

Checked<std::vector<storage::Operation>> parse_bulk_delete(const json::value& document,
                                                           storage::NamespaceNumber ns) {
  if (Check refused = check_array(document)) return *std::move(refused);
  std::vector<storage::Operation> deletes;
  for (const json::value& item : document.get_array()) {
    const json::string* name = item.if_string();
    if (name == nullptr) return bad_request("the body must be an array of key names");
    storage::Delete one;
    one.ns = ns;
    one.key = view(*name);
    if (Check refused = check_key(one.key)) return *std::move(refused);
    deletes.emplace_back(std::move(one));
  }
  return deletes;
}

const std::string& key_of(const storage::Operation& operation) {
  if (const auto* put = std::get_if<storage::Put>(&operation)) return put->key;
  const auto* one = std::get_if<storage::Delete>(&operation);
  KV_CHECK(one != nullptr);
  return one->key;
}

std::size_t bytes_of(const storage::Operation& operation) {
  const auto* put = std::get_if<storage::Put>(&operation);
  const std::size_t value = put == nullptr ? 0 : put->value.size() + put->metadata.size();
  return key_of(operation).size() + value;
}

}  // namespace edged::kv_http

// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/bulk_read.h"

#include <algorithm>
#include <set>
#include <utility>

#include "kvstore/http/bounded_json.h"
#include "kvstore/http/metadata.h"
#include "proto/base/utf8.h"
#include "proto/json/write_json.h"

namespace edged::kv_http {
namespace {

namespace json = boost::json;

constexpr std::size_t kMemoryBytesMax = 16 * 1024 * 1024;
// Of a value, written at once; each byte may become six.
constexpr std::size_t kSliceBytes = 64 * 1024;

Refusal invalid_request() {
  return {400, 10029, "invalid request"};
}

Checked<BulkRead> from_json(const json::value& document) {
  const json::object* object = document.if_object();
  if (object == nullptr) return invalid_request();
  BulkRead read;
  // First of all, as at Cloudflare: a Worker sees the same error if more than one thing is wrong.
  if (const json::value* type = object->if_contains("type"); type != nullptr && !type->is_null()) {
    const json::string* text = type->if_string();
    if (text == nullptr) return invalid_request();
    const std::string_view name(text->data(), text->size());
    if (Check refused = check_bulk_read_type(name)) return *std::move(refused);
    read.json = name == "json";
  }
  const json::value* keys = object->if_contains("keys");
  const json::array* names = keys == nullptr ? nullptr : keys->if_array();
  if (names == nullptr) return invalid_request();
  if (Check refused = check_bulk_read_keys(names->size())) return *std::move(refused);
  std::set<std::string_view> seen;
  for (const json::value& name : *names) {
    const json::string* text = name.if_string();
    if (text == nullptr) return invalid_request();
    const std::string_view key(text->data(), text->size());
    if (Check refused = check_key(key)) return *std::move(refused);
    if (seen.insert(key).second) read.keys.emplace_back(key);
  }
  const json::value* metadata = object->if_contains("withMetadata");
  if (metadata != nullptr && !metadata->is_null()) {
    if (!metadata->is_bool()) return invalid_request();
    read.with_metadata = metadata->get_bool();
  }
  const json::value* cache = object->if_contains("cacheTtl");
  if (cache != nullptr && !cache->is_null()) {
    const json::string* text = cache->if_string();
    const std::string shown =
        text == nullptr ? write_json(*cache) : std::string(text->data(), text->size());
    if (Check refused = check_cache_ttl(shown)) return *std::move(refused);
  }
  return read;
}

}  // namespace

Checked<BulkRead> parse_bulk_read(std::string_view body) {
  BoundedJson parser(kMemoryBytesMax);
  if (body.size() > kBulkReadBodyBytesMax || !parser.feed(body).ok()) return invalid_request();
  const auto document = parser.finish();
  if (!document) return invalid_request();
  return from_json(**document);
}

BulkReadAnswer::BulkReadAnswer(BulkRead read,
                               std::vector<Result<storage::Entry>> entries,
                               bool with_expiration)
    : read_(std::move(read)), entries_(std::move(entries)), with_expiration_(with_expiration) {
  KV_CHECK(entries_.size() == read_.keys.size());
}

Status BulkReadAnswer::error() const {
  for (const auto& entry : entries_) {
    if (!entry && entry.code() != Code::kNotFound) return entry.error();
  }
  return {};
}

std::size_t BulkReadAnswer::value_bytes() const {
  std::size_t bytes = 0;
  for (const auto& entry : entries_) bytes += entry ? entry->value.size() : 0;
  return bytes;
}

Check BulkReadAnswer::check() const {
  if (value_bytes() > kBulkReadBytesMax) return bulk_read_too_large();
  for (const auto& entry : entries_) {
    if (!entry) continue;
    if (read_.json && !is_json(entry->value)) return bulk_read_not_json();
    if (!read_.json && !is_utf8(entry->value)) return bulk_read_not_text();
  }
  return std::nullopt;
}

// Writes at most a slice of the value. True if all of it is written.
bool BulkReadAnswer::append_value(std::string& out) {
  const std::string& value = entries_[index_]->value;
  if (!read_.json && offset_ == 0) out += '"';
  std::size_t bytes = std::min(kSliceBytes, value.size() - offset_);
  if (!read_.json) {
    // A slice ends between two characters.
    while (offset_ + bytes < value.size() && (value[offset_ + bytes] & 0xC0) == 0x80) --bytes;
  }
  const std::string_view slice = std::string_view(value).substr(offset_, bytes);
  if (read_.json) {
    out += slice;
  } else {
    const std::string quoted = write_json_string(slice);
    out.append(quoted, 1, quoted.size() - 2);
  }
  offset_ += bytes;
  if (offset_ < value.size()) return false;
  if (!read_.json) out += '"';
  return true;
}

void BulkReadAnswer::append_end_of_entry(std::string& out) const {
  if (!read_.with_metadata) return;
  const storage::Entry& entry = *entries_[index_];
  out.append(",\"metadata\":").append(shown_metadata(entry.metadata));
  if (with_expiration_ && entry.expires_at) {
    out.append(",\"expiration\":").append(std::to_string(expiration_seconds(*entry.expires_at)));
  }
  out += '}';
}

std::string BulkReadAnswer::next() {
  std::string out;
  if (done_) return out;
  if (!std::exchange(begun_, true)) out += '{';
  while (index_ < entries_.size()) {
    if (out.size() >= kSliceBytes) return out;
    if (!in_value_) {
      if (index_ != 0) out += ',';
      out.append(write_json_string(read_.keys[index_])).append(":");
      if (!entries_[index_]) {
        out += "null";
        ++index_;
        continue;
      }
      if (read_.with_metadata) out += "{\"value\":";
      in_value_ = true;
      offset_ = 0;
    }
    if (!append_value(out)) continue;
    append_end_of_entry(out);
    entries_[index_] = Status(Code::kNotFound, "written");  // its memory is not needed any more
    in_value_ = false;
    ++index_;
  }
  out += '}';
  done_ = true;
  return out;
}

}  // namespace edged::kv_http

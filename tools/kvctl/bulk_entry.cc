// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/bulk_entry.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "proto/base/base64.h"
#include "proto/base/utf8.h"
#include "proto/json/write_json.h"
#include "proto/wire/limits.h"
#include "tools/kvctl/bulk_reader.h"

namespace edged::kvctl {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The end of the year 9999: a time in milliseconds, written by mistake, lies beyond it.
constexpr std::int64_t kExpirationMax = 253'402'300'799;
constexpr std::int64_t kTtlMax = 100LL * 365 * 86'400;
constexpr std::array<std::string_view, 7> kMembers{
    "key", "key_base64", "value", "base64", "expiration", "expiration_ttl", "metadata"};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  out.append(text).append("\"");
  return out;
}

Status invalid(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}

// The member, if it is there and not null.
const json::value* find(const json::object& entry, std::string_view name) {
  const json::value* found = entry.if_contains(name);
  return found == nullptr || found->is_null() ? nullptr : found;
}

Status check_members(const json::object& entry) {
  for (const auto& member : entry) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::find(kMembers.begin(), kMembers.end(), name) == kMembers.end()) {
      return invalid("unknown member " + quoted(name) +
                     ". An entry has key, value, base64, expiration, expiration_ttl and metadata");
    }
  }
  return {};
}

// A text, decoded if it is base64.
Result<std::string> read_text(const json::value& member, std::string_view name, bool is_base64) {
  if (!member.is_string()) return invalid(quoted(name) + " is not a string");
  const json::string& text = member.get_string();
  if (!is_base64) return std::string(text.data(), text.size());
  auto bytes = from_base64({text.data(), text.size()});
  if (!bytes) return invalid(quoted(name) + " is not valid base64");
  return *std::move(bytes);
}

Result<std::string> read_key(const json::object& entry) {
  const json::value* text = find(entry, "key");
  const json::value* base64 = find(entry, "key_base64");
  if (text == nullptr && base64 == nullptr) return invalid("\"key\" is missing");
  if (text != nullptr && base64 != nullptr)
    return invalid("it has both \"key\" and \"key_base64\"");
  auto key =
      text != nullptr ? read_text(*text, "key", false) : read_text(*base64, "key_base64", true);
  if (!key) return key;
  if (key->empty()) return invalid("the key is empty");
  if (key->size() > wire::kKeyBytesMax) {
    return Status(Code::kTooLarge,
                  "the key has " + std::to_string(key->size()) + " bytes, at most 512 are allowed");
  }
  return key;
}

Result<std::string> read_value(const json::object& entry) {
  const json::value* value = find(entry, "value");
  if (value == nullptr) return invalid("\"value\" is missing");
  bool is_base64 = false;
  if (const json::value* flag = find(entry, "base64")) {
    if (!flag->is_bool()) return invalid("\"base64\" is neither true nor false");
    is_base64 = flag->get_bool();
  }
  auto bytes = read_text(*value, "value", is_base64);
  if (bytes && bytes->size() > wire::kValueBytesMax) {
    return Status(Code::kTooLarge,
                  "the value has " + std::to_string(bytes->size()) +
                      " bytes, at most 26214400 (25 MiB) are allowed");
  }
  return bytes;
}

// Whole seconds, 1 to `max`. JavaScript may have written an integer as 1.0.
Result<std::optional<std::int64_t>> read_seconds(const json::object& entry,
                                                 std::string_view name,
                                                 std::int64_t max) {
  const json::value* member = find(entry, name);
  if (member == nullptr) return std::optional<std::int64_t>();
  json::error_code error;
  const auto number = member->is_number() ? member->to_number<std::int64_t>(error) : 0;
  if (!member->is_number() || error || number < 1 || number > max) {
    return invalid(quoted(name) + " is not a whole number of seconds from 1 to " +
                   std::to_string(max));
  }
  return std::optional<std::int64_t>(number);
}

Result<std::string> read_metadata(const json::object& entry) {
  const json::value* metadata = find(entry, "metadata");
  if (metadata == nullptr) return std::string();
  std::string text = write_json(*metadata);
  if (text.size() > wire::kMetadataBytesMax) {
    return Status(Code::kTooLarge,
                  "the metadata have " + std::to_string(text.size()) +
                      " bytes as JSON, at most 1024 are allowed");
  }
  return text;
}

// Metadata as they stand in a line: the stored text, or the same without line breaks.
std::optional<std::string> metadata_line(const std::string& text) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = kBulkDepthMax;
  const json::value parsed = json::parse(text, error, {}, options);
  if (error) return std::nullopt;
  return text.find_first_of("\r\n") == std::string::npos ? text : write_json(parsed);
}

}  // namespace

Result<net::PutItem> read_bulk_entry(const json::value& value) {
  if (!value.is_object()) return invalid("it is not a JSON object");
  const json::object& entry = value.get_object();
  const Status members = check_members(entry);
  if (!members.ok()) return members;
  net::PutItem item;
  auto key = read_key(entry);
  if (!key) return key.error();
  item.key = *std::move(key);
  auto bytes = read_value(entry);
  if (!bytes) return bytes.error();
  item.value = *std::move(bytes);
  const auto ttl = read_seconds(entry, "expiration_ttl", kTtlMax);
  if (!ttl) return ttl.error();
  if (*ttl) item.ttl = seconds(**ttl);
  if (!item.ttl) {
    const auto expiration = read_seconds(entry, "expiration", kExpirationMax);
    if (!expiration) return expiration.error();
    if (*expiration) item.expires_at = WallTime(seconds(**expiration));
  }
  auto metadata = read_metadata(entry);
  if (!metadata) return metadata.error();
  item.metadata = *std::move(metadata);
  return item;
}

std::string write_bulk_entry(const std::string& key,
                             const net::KvEntry& entry,
                             BulkLosses& losses) {
  std::string line;
  if (is_utf8(key)) {
    line.append("{\"key\":").append(write_json_string(key));
  } else {
    ++losses.binary_keys;
    line.append("{\"key_base64\":\"").append(to_base64(key)).append("\"");
  }
  if (is_utf8(entry.value)) {
    line.append(",\"value\":").append(write_json_string(entry.value));
  } else {
    line.append(",\"value\":\"").append(to_base64(entry.value)).append("\",\"base64\":true");
  }
  if (entry.expires_at) {
    const auto whole = std::chrono::ceil<seconds>(entry.expires_at->time_since_epoch());
    line.append(",\"expiration\":").append(std::to_string(whole.count()));
  }
  if (!entry.metadata.empty()) {
    const auto metadata = metadata_line(entry.metadata);
    if (metadata) line.append(",\"metadata\":").append(*metadata);
    if (!metadata) ++losses.bad_metadata;
  }
  line += '}';
  return line;
}

}  // namespace edged::kvctl

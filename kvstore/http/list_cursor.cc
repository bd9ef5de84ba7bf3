// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/list_cursor.h"

#include <algorithm>

#include "kvstore/http/kv_rules.h"
#include "proto/base/base64.h"

namespace edged::kv_http {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kCursorBytesMax = (1 + kKeyBytesMax + 2) / 3 * 4;

}  // namespace

std::string make_list_cursor(std::string_view last_key) {
  std::string bytes(1, kVersion);
  bytes += last_key;
  std::string text = to_base64(bytes);
  while (text.back() == '=') text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::optional<std::string> parse_list_cursor(std::string_view cursor) {
  if (cursor.size() > kCursorBytesMax || cursor.find_first_of("+/=") != std::string_view::npos) {
    return std::nullopt;
  }
  std::string text(cursor);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  std::optional<std::string> bytes = from_base64(text);
  if (!bytes || bytes->size() < 2 || bytes->size() > 1 + kKeyBytesMax ||
      bytes->front() != kVersion || make_list_cursor(bytes->substr(1)) != cursor) {
    return std::nullopt;
  }
  return bytes->substr(1);
}

}  // namespace edged::kv_http

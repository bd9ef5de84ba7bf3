// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/metadata.h"

#include <boost/json/basic_parser_impl.hpp>
#include <utility>

#include "proto/base/utf8.h"
#include "proto/json/write_json.h"

namespace edged::kv_http {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 512;
constexpr int kCodeMetadataNotJson = 10147;

// A parser's handler that builds nothing: only whether the text is JSON is asked.
struct Ignore {
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return true; }
  bool on_object_end(std::size_t, json::error_code&) { return true; }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t, json::error_code&) { return true; }
  bool on_key_part(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_key(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_string(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, json::error_code&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return true; }
  bool on_double(double, json::string_view, json::error_code&) { return true; }
  bool on_bool(bool, json::error_code&) { return true; }
  bool on_null(json::error_code&) { return true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }
};

// Valid JSON without the blanks between its tokens.
std::string without_blanks(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      out += c;
      if (c == '\\') {
        out += text[++i];  // there is one, because the text is valid
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
      out += c;
      in_string = c == '"';
    }
  }
  return out;
}

}  // namespace

bool is_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::basic_parser<Ignore> parser(options);
  json::error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  return !error && read == text.size();
}

Checked<std::string> parse_metadata(std::string_view text) {
  if (Check refused = check_metadata_bytes(text.size())) return *std::move(refused);
  if (!is_json(text)) return Refusal{400, kCodeMetadataNotJson, "metadata must be valid json"};
  std::string compact = without_blanks(text);
  return compact == "null" ? std::string() : compact;
}

std::string shown_metadata(std::string_view stored) {
  if (stored.empty()) return "null";
  return is_json(stored) ? without_blanks(stored) : write_json_string(to_utf8(stored));
}

std::string to_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t count = utf8_character_bytes(bytes);
    out += count == 0 ? kReplacementCharacter : bytes.substr(0, count);
    bytes.remove_prefix(count == 0 ? 1 : count);
  }
  return out;
}

}  // namespace edged::kv_http

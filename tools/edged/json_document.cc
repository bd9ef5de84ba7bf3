// SPDX-License-Identifier: Apache-2.0
// The text is fed to the parser byte by byte: each event then happens at a known offset.
#include "tools/edged/json_document.h"

#include <boost/json/basic_parser_impl.hpp>
#include <cctype>
#include <limits>
#include <optional>

#include "tools/edged/jsonc_text.h"

namespace edged::config {
namespace {

namespace json = boost::json;
constexpr std::size_t kTextBytesMax = 1 << 20;
constexpr std::size_t kDepthMax = 32;

// The offset of the quote that opens the string whose closing quote is at `closing`.
std::size_t opening_quote(std::string_view text, std::size_t closing) {
  for (std::size_t i = closing; i-- > 0;) {
    if (text[i] != '"') continue;
    std::size_t backslashes = 0;
    while (backslashes < i && text[i - 1 - backslashes] == '\\') ++backslashes;
    if (backslashes % 2 == 0) return i;
  }
  return 0;
}

// Receives the parser's events. Its members' names are Boost.JSON's.
class TreeBuilder {
 public:
  // NOLINTBEGIN(readability-identifier-naming): Boost.JSON looks for these
  static constexpr std::size_t max_array_size = kTextBytesMax;
  static constexpr std::size_t max_object_size = kTextBytesMax;
  static constexpr std::size_t max_string_size = kTextBytesMax;
  static constexpr std::size_t max_key_size = kTextBytesMax;
  // NOLINTEND(readability-identifier-naming)

  explicit TreeBuilder(std::string_view text) : text_(text) {}

  void set_offset(std::size_t offset) { offset_ = offset; }
  std::optional<JsonError> error;
  Json root;

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_array_begin(json::error_code&) { return open(Json::Kind::kArray); }
  bool on_object_begin(json::error_code&) { return open(Json::Kind::kObject); }
  bool on_array_end(std::size_t, json::error_code&) { return close(); }
  bool on_object_end(std::size_t, json::error_code&) { return close(); }

  bool on_key_part(json::string_view part, std::size_t, json::error_code&) { return grow(part); }
  bool on_key(json::string_view part, std::size_t, json::error_code& code) {
    grow(part);
    const Position position = position_of(text_, opening_quote(text_, offset_));
    if (stack_.back().find(buffer_) != nullptr) {
      error = JsonError{position, "duplicate key \"" + buffer_ + "\""};
      code = json::error::exception;
      return false;
    }
    stack_.back().members.push_back({std::move(buffer_), Json()});
    stack_.back().members.back().value.position = position;
    buffer_.clear();
    return true;
  }

  bool on_string_part(json::string_view part, std::size_t, json::error_code&) { return grow(part); }
  bool on_string(json::string_view part, std::size_t, json::error_code&) {
    grow(part);
    Json value;
    value.kind = Json::Kind::kString;
    value.text = std::move(buffer_);
    buffer_.clear();
    value.position = position_of(text_, opening_quote(text_, offset_));
    return attach(std::move(value));
  }

  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t number, json::string_view, json::error_code&) {
    Json value = here(Json::Kind::kInteger);
    value.integer = number;
    return attach(std::move(value));
  }
  bool on_uint64(std::uint64_t number, json::string_view, json::error_code&) {
    Json value = here(Json::Kind::kDouble);  // above what int64 holds
    value.real = static_cast<double>(number);
    return attach(std::move(value));
  }
  bool on_double(double number, json::string_view, json::error_code&) {
    Json value = here(Json::Kind::kDouble);
    value.real = number;
    return attach(std::move(value));
  }
  bool on_bool(bool boolean, json::error_code&) {
    Json value = here(Json::Kind::kBool);
    value.boolean = boolean;
    return attach(std::move(value));
  }
  bool on_null(json::error_code&) { return attach(here(Json::Kind::kNull)); }
  // The parser never meets a comment; its interface wants these.
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  Json here(Json::Kind kind) const {
    Json value;
    value.kind = kind;
    value.position = position_of(text_, offset_);
    return value;
  }
  bool grow(json::string_view part) {
    buffer_.append(part.data(), part.size());
    return true;
  }
  bool open(Json::Kind kind) {
    stack_.push_back(here(kind));
    return true;
  }
  bool close() {
    Json value = std::move(stack_.back());
    stack_.pop_back();
    return attach(std::move(value));
  }
  bool attach(Json value) {
    if (stack_.empty()) {
      root = std::move(value);
      return true;
    }
    Json& parent = stack_.back();
    if (parent.kind == Json::Kind::kArray) {
      parent.elements.push_back(std::move(value));
    } else {
      value.position = parent.members.back().value.position;
      parent.members.back().value = std::move(value);
    }
    return true;
  }

  std::string_view text_;
  std::size_t offset_ = 0;
  std::string buffer_;
  std::vector<Json> stack_;
};

json::parse_options lenient() {
  json::parse_options options;
  options.allow_trailing_commas = true;
  options.max_depth = kDepthMax;
  return options;
}

// What the author of the file reads; `found` is the byte that was refused, empty at the end.
std::string explain(json::error_code code, std::string_view found) {
  if (code == json::error::incomplete)
    return "the file ends too early: a closing }, ] or \" is missing";
  if (code == json::error::extra_data) return "unexpected text behind the end of the object";
  if (code == json::error::too_deep) {
    return "nested too deep: more than " + std::to_string(kDepthMax) + " levels";
  }
  if (code == json::error::expected_hex_digit) return "a \\u escape needs four hexadecimal digits";
  if (code != json::error::syntax || found.empty()) return code.message();
  const char byte = found.front();
  if (byte == '\n' || byte == '\r') return "syntax error: unexpected end of the line";
  const bool is_control = static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f;
  if (is_control) return "syntax error: unexpected control character";
  if (static_cast<unsigned char>(byte) >= 0x80) {
    return "syntax error: unexpected character outside a string";
  }
  std::string text = "syntax error: unexpected ";
  text += byte;
  if (std::isalpha(static_cast<unsigned char>(byte)) != 0 || byte == '\'') {
    return text + ". Keys and texts stand in double quotes";
  }
  return byte == '#' ? text + ". Comments begin with // or /*" : text;
}

}  // namespace

const Json* Json::find(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::string_view kind_name(Json::Kind kind) {
  switch (kind) {
    case Json::Kind::kNull:
      return "null";
    case Json::Kind::kBool:
      return "true or false";
    case Json::Kind::kInteger:
      return "a whole number";
    case Json::Kind::kDouble:
      return "a number";
    case Json::Kind::kString:
      return "a string";
    case Json::Kind::kArray:
      return "an array";
    case Json::Kind::kObject:
      return "an object";
  }
  return "a value";
}

bool parse_jsonc(std::string_view file, Json& document, JsonError& error) {
  if (file.size() > kTextBytesMax) {
    error = {{1, 1}, "the file is larger than 1 MiB"};
    return false;
  }
  std::string text;
  if (!blank_comments(without_byte_order_mark(file), text, error)) return false;
  json::basic_parser<TreeBuilder> parser(lenient(), text);
  json::error_code code;
  for (std::size_t i = 0; i <= text.size() && !code; ++i) {
    parser.handler().set_offset(i);
    const bool more = i < text.size();
    const std::size_t taken = parser.write_some(more, text.data() + i, more ? 1 : 0, code);
    // A parser that is done takes no more.
    if (more && taken == 0 && !code) code = json::error::extra_data;
    if (!code) continue;
    const std::string_view found = std::string_view(text).substr(i, 1);
    error = parser.handler().error.value_or(JsonError{position_of(text, i), explain(code, found)});
    return false;
  }
  document = std::move(parser.handler().root);
  if (document.kind != Json::Kind::kObject) {
    error = {document.position,
             "expected an object, found " + std::string(kind_name(document.kind))};
    return false;
  }
  return true;
}

}  // namespace edged::config

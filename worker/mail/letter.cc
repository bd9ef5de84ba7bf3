// SPDX-License-Identifier: Apache-2.0
// Reading letters. Anybody who may call edged.queue_send writes them, so nothing in one is trusted.
#include "worker/mail/letter.h"

#include <boost/json.hpp>

#include "proto/base/rfc3339.h"
#include "worker/mail/mime.h"

namespace edged::mail {
namespace {

namespace json = boost::json;

constexpr std::size_t kKeyBytesMax = 200;
constexpr std::size_t kHeadersMax = 50;

Status broken(std::string_view what) {
  std::string text("could not read the mail's body: ");
  text.append(what);
  return Status(Code::kInvalidArgument, std::move(text));
}

Status wrong_type(std::string_view key, std::string_view wanted) {
  std::string text("\"");
  text.append(key).append("\" must be ").append(wanted);
  return broken(text);
}

// Atoms of RFC 5322, 3.2.3, joined by single dots: what may stand left of '@' in a Message-ID.
bool is_dot_atom(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-/=?^_`{|}~";
  bool after_dot = true;
  for (const char c : text) {
    const bool alphanumeric =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c == '.' ? after_dot : !alphanumeric && kMarks.find(c) == std::string_view::npos) {
      return false;
    }
    after_dot = c == '.';
  }
  return !after_dot;
}

// Absent and null leave `field` as it is.
Status read_text(const json::object& body, const char* key, std::string& field) {
  const json::value* value = body.if_contains(key);
  if (value == nullptr || value->is_null()) return Status();
  if (!value->is_string()) return wrong_type(key, "a string");
  const json::string& text = value->get_string();
  if (std::string_view(text).find('\0') != std::string_view::npos) {
    return wrong_type(key, "text without a NUL character");
  }
  field.assign(text.data(), text.size());
  return Status();
}

Status read_texts(const json::object& body, Letter& letter) {
  const std::pair<const char*, std::string*> fields[] = {
      {"to", &letter.recipient},
      {"key", &letter.key},
      {"kind", &letter.kind},
      {"from", &letter.from},
      {"url", &letter.url},
      {"subject", &letter.content.subject},
      {"text", &letter.content.text},
      {"html", &letter.content.html},
  };
  for (const auto& [key, field] : fields) {
    Status read = read_text(body, key, *field);
    if (!read.ok()) return read;
  }
  return Status();
}

Status read_headers(const json::object& body, Letter& letter) {
  const json::value* value = body.if_contains("headers");
  if (value == nullptr || value->is_null()) return Status();
  if (!value->is_object()) return wrong_type("headers", "an object of strings");
  if (value->get_object().size() > kHeadersMax) return wrong_type("headers", "at most 50 fields");
  for (const auto& [name, text] : value->get_object()) {
    if (!text.is_string()) return wrong_type("headers", "an object of strings");
    letter.content.headers.emplace_back(std::string(name), std::string(text.get_string()));
  }
  return Status();
}

Status read_rest(const json::object& body, Letter& letter) {
  std::string until;
  Status read = read_text(body, "valid_until", until);
  if (!read.ok()) return read;
  if (!until.empty()) {
    letter.valid_until = parse_rfc3339(until);
    if (!letter.valid_until) return wrong_type("valid_until", "a time like 2026-01-31T12:00:00Z");
  }
  const json::value* data = body.if_contains("data");
  if (data == nullptr || data->is_null()) return Status();
  if (!data->is_object()) return wrong_type("data", "an object");
  letter.data = data->get_object();
  return Status();
}

Status check_letter(const Letter& letter) {
  if (letter.recipient.empty()) return broken("\"to\" is missing");
  if (!is_message_key(letter.key)) {
    std::string text(
        "\"key\" cannot be part of a Message-ID: it is longer than 200 bytes or not a "
        "dot-atom (RFC 5322): ");
    text.append(one_line(letter.key, 100));
    return broken(text);
  }
  const Content& content = letter.content;
  const bool has_content = !content.text.empty() || !content.html.empty();
  if (letter.kind.empty() && !has_content) {
    return broken("it has neither \"kind\" nor \"text\" or \"html\"");
  }
  return Status();
}

}  // namespace

bool is_message_key(std::string_view key) {
  return key.size() <= kKeyBytesMax && is_dot_atom(key);
}

Result<Letter> parse_letter(std::string_view body, std::int64_t message_id) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 32;
  const json::value parsed = json::parse(body, error, {}, options);
  if (error || !parsed.is_object()) return broken("it is not a JSON object");
  const json::object& object = parsed.get_object();
  Letter letter;
  letter.message_id = message_id;
  Status status = read_texts(object, letter);
  if (status.ok()) status = read_headers(object, letter);
  if (status.ok()) status = read_rest(object, letter);
  if (!status.ok()) return status;
  if (letter.key.empty()) letter.key.append("m.").append(std::to_string(message_id));
  status = check_letter(letter);
  if (!status.ok()) return status;
  return letter;
}

}  // namespace edged::mail

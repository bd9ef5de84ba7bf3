// SPDX-License-Identifier: Apache-2.0
#include "proto/http/response_text.h"

#include <boost/beast/http/status.hpp>

namespace edged::http {
namespace {

void append_field(std::string& text, std::string_view name, std::string_view value) {
  text.append(name);
  text.append(": ");
  for (const char byte : value) {
    text.push_back(byte == '\r' || byte == '\n' || byte == '\0' ? ' ' : byte);
  }
  text.append("\r\n");
}

void append_reason(std::string& text, const ResponseHead& head) {
  if (head.reason.empty()) {
    const auto phrase = boost::beast::http::obsolete_reason(
        boost::beast::http::int_to_status(static_cast<unsigned>(head.status)));
    text.append(phrase.data(), phrase.size());
    return;
  }
  for (const char byte : head.reason) text.push_back(byte < 0x20 || byte > 0x7e ? '?' : byte);
}

}  // namespace

bool has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

std::string head_text(const ResponseHead& head, const Framing& framing) {
  std::string text(framing.version == 10 ? "HTTP/1.0 " : "HTTP/1.1 ");
  text.append(std::to_string(head.status));
  text.push_back(' ');
  append_reason(text, head);
  text.append("\r\n");
  if (!head.content_type.empty()) append_field(text, "Content-Type", head.content_type);
  append_field(text, "Cache-Control", "no-store");
  append_field(text, "X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : head.headers) append_field(text, name, value);
  if (!framing.keep_alive) append_field(text, "Connection", "close");
  if (framing.keep_alive && framing.version == 10) append_field(text, "Connection", "keep-alive");
  if (has_no_body(head.status)) {
  } else if (framing.body_bytes) {
    append_field(text, "Content-Length", std::to_string(*framing.body_bytes));
  } else if (framing.version != 10) {
    append_field(text, "Transfer-Encoding", "chunked");
  }
  text.append("\r\n");
  return text;
}

}  // namespace edged::http

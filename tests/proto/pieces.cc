// SPDX-License-Identifier: Apache-2.0
// See pieces.h.
#include "tests/proto/pieces.h"

#include <cstdio>

#include "proto/base/check.h"
#include "proto/base/hex.h"

namespace edged::test {
namespace {

std::string bytes_of(std::string_view text) {
  std::string bytes, digits;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\'') {
      const std::size_t end = text.find('\'', at + 1);
      KV_CHECK(end != std::string_view::npos);
      bytes += text.substr(at + 1, end - at - 1);
      at = end;
    } else if (text[at] != ' ') {
      bytes += from_hex(text.substr(at, 2)).value();
      ++at;
    }
  }
  return bytes;
}

std::string quoted(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
      text += c;
    } else {
      text += "\\x" + to_hex(std::string_view(&c, 1));
    }
  }
  return text + "\"";
}

class Words {
 public:
  template <typename Number>
  Words& add(const char* name, const std::optional<Number>& value) {
    if (value) word(name, std::to_string(*value));
    return *this;
  }
  Words& add(const char* name, const std::optional<std::string_view>& value) {
    if (value) word(name, quoted(*value));
    return *this;
  }
  Words& number(const char* name, std::uint64_t value) {
    if (value != 0) word(name, std::to_string(value));
    return *this;
  }
  Words& bytes(const char* name, std::string_view value) {
    if (!value.empty()) word(name, quoted(value));
    return *this;
  }
  Words& flags(std::uint16_t value) {
    char digits[8];
    std::snprintf(digits, sizeof digits, "%04x", value);
    if (value != 0) word("flags", digits);
    return *this;
  }
  Words& opcode(wire::Opcode opcode) {
    const std::string_view name = wire::opcode_name(opcode);
    return plain(name == "unknown" ? std::to_string(static_cast<int>(opcode)) : std::string(name));
  }
  Words& plain(const std::string& text) {
    if (!text.empty()) text_ += (text_.empty() ? "" : " ") + text;
    return *this;
  }
  std::string text() const { return text_; }

 private:
  void word(const char* name, const std::string& value) { plain(std::string(name) + "=" + value); }

  std::string text_;
};

std::string status_text(Code status) {
  const std::string_view name = code_name(status);
  return name == "unknown" ? std::to_string(static_cast<int>(status)) : std::string(name);
}

}  // namespace

std::string joined(const Pieces& pieces) {
  std::string bytes;
  for (const Piece& piece : pieces) bytes += bytes_of(piece.bytes);
  return bytes;
}

std::string place(const Pieces& pieces, std::size_t offset) {
  std::size_t begin = 0;
  for (const Piece& piece : pieces) {
    const std::size_t size = bytes_of(piece.bytes).size();
    if (offset < begin + size) {
      return std::to_string(offset - begin) + " bytes into \"" + piece.name + "\"";
    }
    begin += size;
  }
  return "behind the end";
}

std::string text_of(const wire::Fields& fields) {
  return Words()
      .add("expires_at", fields.expires_at_ms)
      .add("ttl", fields.ttl_ms)
      .add("version", fields.version)
      .add("if_version", fields.if_version)
      .add("metadata", fields.metadata)
      .add("limit", fields.limit)
      .add("cursor", fields.cursor)
      .add("lease", fields.lease)
      .add("retry_after", fields.retry_after_ms)
      .add("message", fields.message)
      .add("namespace", fields.ns)
      .add("source_position", fields.source_position)
      .add("fresh_as_of", fields.fresh_as_of_ms)
      .add("max_staleness", fields.max_staleness_ms)
      .add("min_position", fields.min_position)
      .add("value_bytes", fields.value_bytes)
      .add("namespace_id", fields.namespace_id)
      .add("title", fields.title)
      .add("created_at", fields.created_at_ms)
      .add("server_time", fields.server_time_ms)
      .add("credential", fields.credential)
      .add("scope", fields.scope)
      .add("delta", fields.delta)
      .add("initial", fields.initial)
      .add("cached", fields.cached)
      .text();
}

std::string text_of(const wire::Request& request) {
  return Words()
      .opcode(request.opcode)
      .flags(request.flags)
      .number("id", request.id)
      .number("ns", request.ns)
      .plain(text_of(request.fields))
      .bytes("key", request.key)
      .bytes("value", request.value)
      .text();
}

std::string text_of(const wire::Response& response) {
  return Words()
      .opcode(response.opcode)
      .flags(response.flags)
      .number("id", response.id)
      .plain(status_text(response.status))
      .plain(text_of(response.fields))
      .bytes("value", response.value)
      .text();
}

std::string text_of(const wire::Item& item) {
  return Words()
      .opcode(item.opcode)
      .plain(status_text(item.status))
      .plain(text_of(item.fields))
      .bytes("key", item.key)
      .bytes("value", item.value)
      .text();
}

std::string text_of(const wire::Frame& frame) {
  if (frame.header.kind == wire::Kind::kRequest) {
    const auto request = wire::decode_request(frame);
    return request ? text_of(*request) : status_text(request.code());
  }
  const auto response = wire::decode_response(frame);
  if (!response) return status_text(response.code());
  return (frame.header.kind == wire::Kind::kPush ? "push " : "") + text_of(*response);
}

std::string text_of_items(std::string_view value) {
  wire::ItemReader reader(value);
  wire::Item item;
  std::string text;
  while (reader.next(item)) text += (text.empty() ? "" : "; ") + text_of(item);
  if (!reader.status().ok())
    text += (text.empty() ? "" : "; ") + status_text(reader.status().code());
  return text;
}

}  // namespace edged::test

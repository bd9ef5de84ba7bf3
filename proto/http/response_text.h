// SPDX-License-Identifier: Apache-2.0
// The head of an answer as text (RFC 9112 sections 4 and 5). Nothing that a handler puts into it
// can break the frame: bytes that would are replaced. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/http/message.h"

namespace edged::http {

struct Framing {
  unsigned version = 11;  // 10: HTTP/1.0
  bool keep_alive = true;
  // Of the body; nothing: chunked in HTTP/1.1, in HTTP/1.0 it ends with the connection. Not looked
  // at if the status has no body.
  std::optional<std::uint64_t> body_bytes;
};

// True for an answer that never has a body: 1xx, 204, 304.
bool has_no_body(int status);

// The head with its empty line. A line break or NUL in a header becomes a blank; bytes of a reason
// that are not printable ASCII become '?', because clients refuse or drop them.
std::string head_text(const ResponseHead& head, const Framing& framing);

}  // namespace edged::http

// SPDX-License-Identifier: Apache-2.0
// The metadata of an entry: JSON text, at most 1,024 bytes. The Cloudflare faces store it without
// blanks between its tokens, so that it fits into one header line, and otherwise as it came:
// numbers and names keep their spelling. The binary face stores any bytes; shown_metadata() makes
// JSON of them. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "kvstore/http/kv_rules.h"

namespace edged::kv_http {

// The text to store for metadata as received: empty for "null", which counts as none. Refusals: the
// size as received; text that is not JSON or nested more than 512 deep (code 10147).
Checked<std::string> parse_metadata(std::string_view text);

// The metadata of a stored entry as JSON in one line: "null" if it has none, and a JSON string of
// what is stored if that is not JSON.
std::string shown_metadata(std::string_view stored);

// `bytes` with U+FFFD for each byte that is not part of a well-formed UTF-8 character.
std::string to_utf8(std::string_view bytes);

// True if `text` is one JSON value, nested at most 512 deep.
bool is_json(std::string_view text);

}  // namespace edged::kv_http

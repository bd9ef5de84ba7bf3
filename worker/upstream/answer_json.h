// SPDX-License-Identifier: Apache-2.0
// Reads the JSON text of an upstream's answer. Upstreams scrape web pages and build JSON by hand;
// a bad character in one title must not hide the seats of a section. So a text that is not valid
// JSON is repaired, if the fault is confined to a character, an escape or a number. Pure; any
// thread.
#pragma once

#include <boost/json/fwd.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged::upstream {

// Nesting up to 256 levels; of members with one name the last counts.
// Errors: kCorruption: not JSON even after repair_json(), nested deeper, or UTF-16 or UTF-32.
Result<boost::json::value> parse_answer_json(std::string_view body);

// The text with these repairs; what is none of them stays as it is:
// - a byte order mark at the front is cut off;
// - in strings, a byte that is no UTF-8 and half a surrogate pair ("\ud83d" alone) become U+FFFD,
// an
//   unescaped control character is escaped, and the backslash of an escape that JSON does not have
//   ("\'", "\x41") stands for itself;
// - outside of strings NaN, Infinity and numbers that a double cannot hold (1e999) become null.
std::string repair_json(std::string_view text);

}  // namespace edged::upstream

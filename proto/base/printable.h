// SPDX-License-Identifier: Apache-2.0
// Text from others on a terminal or in a log: keys, titles, names and messages may hold sequences
// that move the cursor, forge a line or turn the reading direction. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace edged {

// True for well-formed UTF-8 without control characters (C0, DEL, C1), line and paragraph
// separators, and characters that change the direction of text (Unicode UAX #9, section 2).
bool is_printable(std::string_view text);

// `text` with each such character written as an escape: \n, \r, \t, \u001b, and \x9b for a byte
// that is not UTF-8. What is printable stays as it is.
std::string printable(std::string_view text);

// The same, but a line break and a tab stay: for text that has them of its own.
std::string printable_lines(std::string_view text);

// How many bytes at the end of `bytes` are the beginning of a character whose rest may follow.
std::size_t unfinished_bytes(std::string_view bytes);

}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
// Turns JSONC, which is JSON with comments, into plain JSON of the same length and the same lines,
// so that an error's line and column hold for the file as its author sees it. Used by
// json_document.h, the only reader of configuration and wrangler files. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "tools/edged/json_document.h"

namespace edged::config {

// The text behind a UTF-8 byte order mark, which editors do not count as a column.
std::string_view without_byte_order_mark(std::string_view text);

// Replaces each byte of a comment by a blank, except line ends. Text in strings is left alone.
// Comments may contain any bytes; everything else must be UTF-8. False and `error` if a comment is
// not closed, if the text is not UTF-8, or if nothing is left beside comments and blanks.
bool blank_comments(std::string_view text, std::string& plain, JsonError& error);

// Line and column of a byte; line ends are LF, CR or CRLF.
Position position_of(std::string_view text, std::size_t offset);

}  // namespace edged::config

// SPDX-License-Identifier: Apache-2.0
// Well-formed UTF-8, as Unicode 15 (table 3-7) defines it. Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace edged {

// U+FFFD, which stands where bytes could not be read.
constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// The length in bytes of the character at the front of `text`, 1 to 4. 0 if `text` does not begin
// with a well-formed character. `text` must not be empty.
std::size_t utf8_character_bytes(std::string_view text);

// True if all of `bytes` is well-formed UTF-8.
bool is_utf8(std::string_view bytes);

}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
// Base64 text of bytes (RFC 4648, section 4), with padding and without line breaks. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace edged {

std::string to_base64(std::string_view bytes);

// The bytes; nothing if `text` is not base64. Padding may be left out.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
// Lower-case hexadecimal text of bytes, and random bytes from the kernel. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace edged {

// Two lower-case digits per byte.
std::string to_hex(std::string_view bytes);

// Nothing if `text` has an odd length or a character that is not a hexadecimal digit.
std::optional<std::string> from_hex(std::string_view text);

// `count` bytes of getrandom(2); aborts if the kernel has none, which does not happen after boot.
std::string random_bytes(std::size_t count);
// The same for a seed.
std::uint64_t random_number();

}  // namespace edged

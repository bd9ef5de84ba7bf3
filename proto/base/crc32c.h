// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli), the checksum of frames, stored records and marks. Uses the processor's
// instruction where there is one. Pure function; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace edged {

// The checksum of `bytes` appended to data whose checksum is `crc`; start with 0. "123456789" gives
// 0xe3069283.
std::uint32_t extend_crc32c(std::uint32_t crc, std::string_view bytes);

}  // namespace edged

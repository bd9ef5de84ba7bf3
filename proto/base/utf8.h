// SPDX-License-Identifier: Apache-2.0
// Whether bytes are text. Pure.
#pragma once

#include <string_view>

namespace edged {

// Well-formed UTF-8, as Unicode 15 defines it.
bool is_utf8(std::string_view bytes);

}  // namespace edged

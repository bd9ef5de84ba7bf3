// SPDX-License-Identifier: Apache-2.0
// Times as PostgreSQL and JSON have them; the way back from format_rfc3339() (clock.h). Pure; any
// thread.
#pragma once

#include <optional>
#include <string_view>

#include "proto/base/clock.h"

namespace edged {

// "2026-11-24T14:33:35.123Z", "…+00:00"; a space may stand for the T. Nothing if it is no such
// time.
std::optional<WallTime> parse_rfc3339(std::string_view text);

}  // namespace edged

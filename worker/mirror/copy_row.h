// SPDX-License-Identifier: Apache-2.0
// A row as "copy … to stdout" sends it, taken apart (PostgreSQL 15 documentation, COPY, "Text
// Format"). Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"

namespace edged::mirror {

// Column texts, nothing for null, without the newline at the end of `line`. Errors: kCorruption
// (not `columns` of them, an escape that COPY does not send, no newline).
Result<std::vector<std::optional<std::string>>> parse_copy_row(std::string_view line,
                                                               std::size_t columns);

}  // namespace edged::mirror

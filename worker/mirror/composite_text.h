// SPDX-License-Identifier: Apache-2.0
// The text of a composite value, taken apart (PostgreSQL 15 documentation, section 8.16.6). Pure;
// any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"

namespace edged::mirror {

// "(1,,\"a, b\")": the attributes' texts, nothing for null. "()" has one attribute, which is null.
// Errors: kInvalidArgument.
Result<std::vector<std::optional<std::string>>> parse_composite(std::string_view text);

}  // namespace edged::mirror

// SPDX-License-Identifier: Apache-2.0
// Names and texts inside statements that take no parameters. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace edged::db {

// A name as SQL has it: "a""b".
std::string quoted_identifier(std::string_view name);
// A text as replication commands have it: 'it''s'.
std::string quoted_literal(std::string_view text);

}  // namespace edged::db

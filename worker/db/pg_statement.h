// SPDX-License-Identifier: Apache-2.0
// What a caller hands in with a statement: its parameters, and who is to be counted for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edged::db {

// Text-format parameters; an empty optional is NULL. PostgreSQL's text holds no NUL byte.
using PgParameters = std::vector<std::optional<std::string>>;

struct PgStatement {
  std::string sql;
  PgParameters parameters;
};

// Counts the client messages a caller caused. One statement is one message.
struct StatementCounter {
  std::uint64_t statements = 0;
};

}  // namespace edged::db

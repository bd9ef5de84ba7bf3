// SPDX-License-Identifier: Apache-2.0
// Detects changes that the stream of rows does not tell of, yet after which the node's entries
// would be wrong: a table, its types, its partitions or the publication was altered, or a single
// partition was truncated. The shape is a text of digests; each heartbeat reads it and compares it
// with the one that the rows were loaded under, which the node keeps. The executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/mirror/rule.h"

namespace edged::mirror {

struct Shape {
  std::string text;
  WallTime now{};  // PostgreSQL's clock
};
// Takes no lock on the tables. Errors: those of PgPool::execute.
boost::asio::awaitable<Result<Shape>> read_shape(db::PgPool& pool,
                                                 const std::vector<Rule>& rules,
                                                 std::string publication);

// What has changed from one shape to the other, for the log: names the tables. Empty if they are
// equal. Pure.
std::string describe_shape_change(const std::string& before, const std::string& now);

}  // namespace edged::mirror

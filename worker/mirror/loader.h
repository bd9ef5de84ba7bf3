// SPDX-License-Identifier: Apache-2.0
// Loads all rows of the rules' tables, as of the moment from which a new replication slot sends
// changes. Earlier entries stay readable, marked with their age, and are removed when the load is
// complete. The executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/db/pg_replication.h"
#include "worker/mirror/applier.h"
#include "worker/mirror/catalogue.h"

namespace edged::mirror {

struct LoadRequest {
  std::vector<Rule> rules;
  std::vector<Table> tables;  // one for each rule
  Source source;              // what the node will be a copy of
  StoredState before;
  bool temporary_slot = false;
  std::uint64_t version = 0;  // of the take-over: what is older goes
  // The tables were seen as `source.shape` says after this: the copy is proven no further, for a
  // column that was added since is not in it.
  WallTime seen_at{};
};

struct Loaded {
  Mark mark;
  std::uint64_t rows = 0;
};

// Makes the slot anew, and loads. `applier` has taken over. Errors: those of the three; after one
// nothing counts as loaded, and old rows are still there.
boost::asio::awaitable<Result<Loaded>> load_tables(db::PgPool& pool,
                                                   db::PgReplicationConnection& connection,
                                                   Applier& applier,
                                                   LoadRequest request);

}  // namespace edged::mirror

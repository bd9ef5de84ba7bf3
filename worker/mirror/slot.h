// SPDX-License-Identifier: Apache-2.0
// Replication slots, and whether the stream can go on where the node's copy ends. The executor's
// thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/db/pg_replication.h"
#include "worker/mirror/applier.h"
#include "worker/mirror/pgoutput.h"
#include "worker/mirror/rule.h"

namespace edged::mirror {

struct SlotFacts {
  std::string name;
  bool usable = false;  // logical, of pgoutput, and of this database
  bool active = false;
  int active_pid = 0;
  std::string wal_status;  // "reserved", "extended", "unreserved" or "lost"
  Lsn confirmed = 0;       // PostgreSQL need not send what is before
  std::int64_t retained_bytes = 0;
  std::int64_t safe_bytes = -1;  // that may still be written before it is lost; -1: no bound
};

// Nothing if there is none. Errors: those of PgPool::execute.
boost::asio::awaitable<Result<std::optional<SlotFacts>>> find_slot(db::PgPool& pool,
                                                                   std::string name);
// False if there was none. Errors: kBusy (in use; says by which process), those of PgPool::execute.
boost::asio::awaitable<Result<bool>> drop_slot(db::PgPool& pool, std::string name);

// The identity of the server, and where its log ends.
struct System {
  std::string identifier;
  std::string database;  // of the connection
  std::uint32_t timeline = 0;
  Lsn end = 0;
};
// Errors: those of PgReplicationConnection::command.
boost::asio::awaitable<Result<System>> identify_system(db::PgReplicationConnection& connection);
// Errors: kInvalidArgument if `pool` is connected to another server or database than the
// replication connection: catalogue and rows would not belong together.
boost::asio::awaitable<Status> check_same_database(db::PgPool& pool, System replicated);

// Creates a slot whose snapshot the transaction under way has; the position from which it sends
// changes. PostgreSQL first waits for all transactions that are open, however long: the log says
// for which. If the wait is abandoned the server process is ended too, so that it does not hold the
// slot. Errors: kExists, those of command.
boost::asio::awaitable<Result<Lsn>> create_slot(db::PgPool& pool,
                                                db::PgReplicationConnection& connection,
                                                std::string name,
                                                bool temporary);

// The last heartbeat that PostgreSQL knows of; 0: none. Errors: those of PgPool::execute.
boost::asio::awaitable<Result<std::int64_t>> last_heartbeat(db::PgPool& pool, std::string slot);

// The facts that decide whether the rows must be loaded anew.
struct Situation {
  StoredState stored;
  Source wanted;  // loaded: ignored
  std::optional<SlotFacts> slot;
  Lsn server_end = 0;
  std::int64_t last_beat = 0;  // PostgreSQL's
  bool temporary_slot = false;
};
// Why they must be; empty: the stream goes on at the stored position. Pure.
std::string why_reload(const Situation& now);

}  // namespace edged::mirror

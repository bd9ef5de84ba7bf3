// SPDX-License-Identifier: Apache-2.0
// The check of a database before it is used: is the schema "edged" there in this program's version,
// do the application's tables have the columns that are used, has the role its rights, and does
// row-level security leave it the rows? Only what the caller is about to do is asked for. Two
// statements. Executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "proto/base/status.h"
#include "worker/db/pg_pool.h"

namespace edged::db {

// What the caller is about to do.
struct DatabaseUse {
  bool job = false;            // runs of class-monitor, and the deletion of their history
  bool mail = false;           // delivery of queue `email`
  bool mirror = false;         // replication of tables into the node
  bool permanent_slot = true;  // of the mirror: its heartbeats are stored in the schema "edged"
  bool history = false;        // reading edged.cron_runs
  bool queue = false;          // consuming queues, and looking at them
  bool timeline = false;       // reading what became of notifications

  bool any() const { return job || mail || mirror || history || queue || timeline; }
};

// What was found where the check passed.
struct DatabaseFindings {
  std::string database;
  std::vector<std::string> warnings;  // what works, and may be a mistake
};

// Errors: kDenied: the role lacks rights, or row-level security hides rows from it, with the SQL
// that mends it; kNotFound: the schema, a migration, a table or a column is missing, and what to
// do; kUnsupported: the database is newer than this program; those of PgPool::execute. The pool
// outlives the call.
boost::asio::awaitable<Result<DatabaseFindings>> check_database(PgPool& pool, DatabaseUse use);

}  // namespace edged::db

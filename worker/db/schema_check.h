// SPDX-License-Identifier: Apache-2.0
// The check at a worker's start: is the schema "edged" there in this program's version, and do the
// application's tables have the columns that are used? Executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "proto/base/status.h"
#include "worker/db/pg_pool.h"

namespace edged::db {

// Errors: kDenied: the role lacks rights, and which; kNotFound: the schema, a migration, a table or
// a column is missing, and what to do; kUnsupported: the database is newer than this program; those
// of PgPool::execute. The pool outlives the call.
boost::asio::awaitable<Status> check_schema(PgPool& pool);

// A warning if row-level security may hide rows of the application's tables from the role; empty:
// it does not. Errors: those of PgPool::execute.
boost::asio::awaitable<Result<std::string>> find_hidden_rows(PgPool& pool);

}  // namespace edged::db

// SPDX-License-Identifier: Apache-2.0
// The publication that says which tables' changes PostgreSQL sends. The executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/mirror/catalogue.h"

namespace edged::mirror {

enum class PublicationChange {
  kNone,     // it was as it should be
  kCreated,  // there was none
  kAltered,  // it had other tables or sent less: what a slot has sent so far may lack changes
};

// Makes the publication `name` one of all changes of exactly `tables` (at least one), whole rows,
// partitions as their root. Errors: kConflict (it is of all tables or of a schema: nobody makes
// that for this program, so it stays as it is), and those of PgPool::execute (kDenied: the role may
// not, or does not own a table).
boost::asio::awaitable<Result<PublicationChange>> ensure_publication(
    db::PgPool& pool, std::string name, const std::vector<Table>& tables);

// False if there was none. Errors: those of PgPool::execute.
boost::asio::awaitable<Result<bool>> drop_publication(db::PgPool& pool, std::string name);

}  // namespace edged::mirror

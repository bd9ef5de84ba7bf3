// SPDX-License-Identifier: Apache-2.0
// The publication that says which tables' changes PostgreSQL sends. Several mirrors may share one:
// each adds the tables it lacks and leaves the others alone. One that the tables' owner made by
// hand is used as it is, if it sends enough. The executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/mirror/catalogue.h"

namespace edged::mirror {

// How a publication falls short of sending every change of some tables as whole rows.
struct PublicationPlan {
  bool exists = false;
  std::string conflict;    // why no statement can mend it; empty: it can be mended
  std::string shortfall;   // what it lacks; empty: nothing
  std::string statements;  // the SQL that makes or mends it
  bool permitted = false;  // the role may run them
  bool fits() const { return conflict.empty() && shortfall.empty(); }
};
// `tables`: at least one. Changes nothing. Errors: those of PgPool::execute.
boost::asio::awaitable<Result<PublicationPlan>> plan_publication(db::PgPool& pool,
                                                                 std::string name,
                                                                 const std::vector<Table>& tables);
// What stands in the way, with the SQL for the owner of the tables; empty: nothing. Pure.
std::string obstacle_of(const PublicationPlan& plan, const std::string& name);

enum class PublicationChange {
  kNone,     // it was as it should be
  kCreated,  // there was none
  kAltered,  // it lacked tables or changes: what a slot has sent so far may lack changes
};

// Makes or mends the publication if it falls short. Errors: kConflict (it is of all tables or of a
// schema, or publishes a parent of a table), kDenied (the role may not; the message has the SQL for
// the owner), and those of PgPool::execute.
boost::asio::awaitable<Result<PublicationChange>> ensure_publication(
    db::PgPool& pool, std::string name, const std::vector<Table>& tables);

// False if there was none. Errors: kDenied (the role does not own it), those of PgPool::execute.
boost::asio::awaitable<Result<bool>> drop_publication(db::PgPool& pool, std::string name);

}  // namespace edged::mirror

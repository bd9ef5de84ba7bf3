// SPDX-License-Identifier: Apache-2.0
// What PostgreSQL's catalogue says about the tables of the mirror's rules, and whether the server
// and the role allow logical replication. The executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/mirror/pgoutput.h"
#include "worker/mirror/row_mapper.h"
#include "worker/mirror/rule.h"

namespace edged::mirror {

// The type of a column as the stream's Relation message names it.
struct ColumnType {
  std::uint32_t oid = 0;
  std::int32_t modifier = -1;  // of varchar(20), for example
  bool operator==(const ColumnType&) const = default;
};

// A column by which a row is found in its table, and the type to cast the column's text to.
struct LookupColumn {
  std::string name;
  std::string sql_type;
  std::string equal;  // the operator
};

// An ordinary or partitioned table. Generated columns are left out: the stream has none of them.
struct Table {
  TableName name;
  std::uint32_t oid = 0;
  bool partitioned = false;
  bool owned = false;  // the role may add it to a publication
  ReplicaIdentity identity = ReplicaIdentity::kDefault;
  std::vector<TableColumn> columns;
  std::vector<ColumnType> types;     // one for each column; empty: not known
  std::vector<LookupColumn> lookup;  // of the unique index by which keys are one to one with rows
  // That index belongs to a deferrable constraint: within a transaction two rows may have one key.
  bool deferred_key = false;
};

struct Catalogue {
  std::vector<Table> tables;            // one for each rule, unless there are complaints
  std::vector<std::string> complaints;  // why a rule cannot be followed, with what to do
};

// Errors: those of PgPool::execute.
boost::asio::awaitable<Result<Catalogue>> read_catalogue(db::PgPool& pool,
                                                         const std::vector<Rule>& rules);

// The rules' tables as the statements here take them. Pure.
std::string tables_as_json(const std::vector<Rule>& rules);

struct ServerFacts {
  std::string role, database;  // with the quotes that SQL wants
  std::string wal_level;
  std::string keep_size;  // max_slot_wal_keep_size: "-1" is no bound
  int slots = 0, slots_max = 0, senders_max = 0;
  bool standby = false;
  bool may_replicate = false;
  bool may_create = false;       // something, a publication too, in the database
  std::optional<bool> may_beat;  // write edged.mirror_heartbeats; nothing: there is no such table
};

// Errors: those of PgPool::execute.
boost::asio::awaitable<Result<ServerFacts>> read_server_facts(db::PgPool& pool);

// Why there can be no logical replication, each with what to do; empty: there can. What concerns
// the publication is in publication.h, and the heartbeats below. Pure.
std::vector<std::string> obstacles(const ServerFacts& facts, const Catalogue& catalogue);
// Why a mirror with a persistent slot cannot send heartbeats, with what to do; empty: it can. Pure.
std::string heartbeat_obstacle(const ServerFacts& facts);
// Warnings about settings that work but may cause harm. Pure.
std::vector<std::string> doubts(const ServerFacts& facts);

}  // namespace edged::mirror

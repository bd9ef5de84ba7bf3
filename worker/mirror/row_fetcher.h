// SPDX-License-Identifier: Apache-2.0
// Reads single rows from their tables by their keys: those of which the stream does not say enough.
// One call at a time; the executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/mirror/catalogue.h"
#include "worker/mirror/fetched_keys.h"
#include "worker/mirror/row_mapper.h"
#include "worker/mirror/rule.h"

namespace edged::mirror {

// The state of some keys, as one statement saw it.
struct FetchedRows {
  std::vector<std::optional<RowMapper::Entry>> entries;  // one for each key; nothing: no row has it
  std::shared_ptr<const TransactionSnapshot> snapshot;
  Lsn until = 0;  // transactions that commit behind it are not in the snapshot
};

class RowFetcher {
 public:
  // `pool` outlives this object. Errors: those of RowMapper::make().
  static Result<std::unique_ptr<RowFetcher>> make(db::PgPool& pool,
                                                  const std::vector<Rule>& rules,
                                                  std::vector<Table> tables);

  // Errors: those of PgPool::execute; kInvalidArgument (a row has no place in the node, or a key is
  // not one of the rule).
  boost::asio::awaitable<Result<FetchedRows>> fetch(std::size_t rule,
                                                    std::vector<std::string> keys) const;

 private:
  explicit RowFetcher(db::PgPool& pool) : pool_(pool) {}

  db::PgPool& pool_;
  std::vector<Table> tables_;
  std::vector<RowMapper> mappers_;  // one for each table
};

// The statement, which takes an array of texts for each column of `table.lookup`. Pure.
std::string fetch_statement(const Table& table);

}  // namespace edged::mirror

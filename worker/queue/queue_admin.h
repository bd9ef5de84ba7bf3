// SPDX-License-Identifier: Apache-2.0
// What people do with queues by hand: look, send, pause, purge, replay. The statements of
// admin.sql, one method each. Errors of every method: those of PgPool::execute, and kNotFound if
// the queue does not exist. Executor's thread; the object outlives its coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/queue/message.h"
#include "worker/queue/queue_directory.h"

namespace edged::queue {

class QueueAdmin {
 public:
  // Rows as JSON objects; docs/queues.md, "Operating", has their fields.
  using Rows = std::vector<std::string>;

  // Everything given by reference outlives the object.
  QueueAdmin(db::PgPool& pool, const Clock& clock) : pool_(pool), clock_(clock) {}

  boost::asio::awaitable<Result<Rows>> list(std::optional<std::string> name);
  // It may exist already; then what `change` names is set. kInvalidArgument: the name or a value is
  // not a queue's.
  boost::asio::awaitable<Status> create(std::string name, QueueChange change);
  boost::asio::awaitable<Result<Rows>> peek(std::string name, int count);
  boost::asio::awaitable<Result<Rows>> dead(std::string name, int count);
  // The message's id; nothing: a live message has the unique key. kInvalidArgument: the body is not
  // JSON that PostgreSQL can store, or too long.
  boost::asio::awaitable<Result<std::optional<std::string>>> send(
      std::string name, OutgoingMessage message, std::optional<std::string> unique_key);
  boost::asio::awaitable<Status> set_paused(std::string name, bool paused);
  // How many messages were deleted: those that wait or are delayed, or the dead ones.
  boost::asio::awaitable<Result<std::int64_t>> purge(std::string name, bool dead);
  // How many came back. `ids` empty: all.
  boost::asio::awaitable<Result<std::int64_t>> replay(std::string name,
                                                      std::vector<std::int64_t> ids);

 private:
  boost::asio::awaitable<Result<std::string>> find(std::string name);
  boost::asio::awaitable<Result<Rows>> rows(std::string sql, db::PgParameters parameters);
  boost::asio::awaitable<Result<std::int64_t>> count(std::string sql, db::PgParameters parameters);

  db::PgPool& pool_;
  const Clock& clock_;
};

}  // namespace edged::queue

// SPDX-License-Identifier: Apache-2.0
// The statements of queue.sql, one method each. Errors of every method: those of PgPool::execute.
// Executor's thread; the object outlives its coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/queue/message.h"

namespace edged::queue {

// Messages of one claim, in the order in which they were sent.
struct Claimed {
  std::vector<Message> messages;
  std::int64_t last_position = 0;  // 0: there were none
};

// See look_back in queue.sql. Transaction ids without wrap-around.
struct TransactionBounds {
  std::uint64_t oldest = 0;  // all before it are over
  std::uint64_t next = 0;    // the next one to begin, or later
};

struct Released {
  std::int64_t count = 0;
  std::optional<WallTime> next_due;
};

struct Expired {
  std::int64_t deleted = 0;
  std::int64_t last_id = 0;  // the last one looked at
  bool is_end = true;        // none behind it can be old
};

class QueueStore {
 public:
  // Everything given by reference outlives the object.
  QueueStore(db::PgPool& pool, const Clock& clock) : pool_(pool), clock_(clock) {}

  // Creates the queue if it is missing; its id.
  boost::asio::awaitable<Result<std::int64_t>> open(std::string name);
  boost::asio::awaitable<Result<Claimed>> claim(std::int64_t queue_id,
                                                int count,
                                                std::int64_t behind_position,
                                                std::string consumer,
                                                std::chrono::milliseconds lease);
  boost::asio::awaitable<Result<TransactionBounds>> look_back();

  // Records decisions, none of kForget, and `companion` in the same transaction. Retries have their
  // due_at. With `dead_queue_id` dead messages are sent there. Returns (claim, message) of those
  // that were still held; the others were changed by nobody here.
  using Held = std::set<std::pair<std::int64_t, std::int64_t>>;
  boost::asio::awaitable<Result<Held>> complete(std::vector<Decision> decisions,
                                                std::optional<std::int64_t> dead_queue_id,
                                                std::optional<db::PgStatement> companion);

  // Those that are still held.
  boost::asio::awaitable<Result<std::set<std::int64_t>>> renew(std::vector<std::int64_t> claims,
                                                               std::chrono::milliseconds lease);
  // How many claims of dead consumers ended. Looks at leases that are over since the last look, and
  // at all of them each 60th time.
  boost::asio::awaitable<Result<std::int64_t>> give_back_expired();
  // Makes delayed messages ready whose time has come. Looks at times since the last look, and at
  // all of them each 60th time.
  boost::asio::awaitable<Result<Released>> release_due(std::int64_t queue_id);
  boost::asio::awaitable<Result<std::int64_t>> delete_old_dead(std::chrono::seconds age);

  // Deletes messages whose time is over, among the next `count` behind a message id.
  boost::asio::awaitable<Result<Expired>> delete_expired(std::int64_t behind_id, int count);

  WallTime now() const { return clock_.wall_now(); }

 private:
  struct DueLook {
    std::uint64_t count = 0;
    WallTime seen{};  // the last look saw all that was due then
  };

  std::string time_text() const { return format_rfc3339(clock_.wall_now()); }

  db::PgPool& pool_;
  const Clock& clock_;
  std::uint64_t expiry_looks_ = 0;
  std::chrono::steady_clock::time_point expiry_seen_{};  // of give_back_expired()
  std::map<std::int64_t, DueLook> due_looks_;            // by queue id, of release_due()
};

}  // namespace edged::queue

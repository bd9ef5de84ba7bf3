// SPDX-License-Identifier: Apache-2.0
// The queues that there are, and their settings, as edged.queues holds them for every face. Errors
// of every method: those of PgPool::execute. Executor's thread; the object outlives its coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"

namespace edged::queue {

struct QueueInfo {
  std::int64_t id = 0;
  std::string name;
  bool is_paused = false;
  bool is_pulled = false;  // it has a pull consumer; the settings below max_retries are of that
  std::chrono::seconds delivery_delay{0};
  std::chrono::seconds message_retention{4 * 86'400};
  std::chrono::milliseconds visibility_timeout{30'000};
  int max_retries = 3;
  std::chrono::seconds retry_delay{0};
  std::string dead_letter_queue;  // empty: none
  WallTime created_at{};
  WallTime modified_at{};
};

// What is not acknowledged yet. Numbers of large queues are estimates.
struct QueueBacklog {
  std::int64_t messages = 0;
  std::int64_t bytes = 0;          // of bodies, as JSON
  std::optional<WallTime> oldest;  // when the oldest message was sent
};

// What a queue has to be; what is not set stays.
struct QueueChange {
  std::optional<bool> is_paused, is_pulled;
  std::optional<std::chrono::seconds> delivery_delay, message_retention, retry_delay;
  std::optional<std::chrono::milliseconds> visibility_timeout;
  std::optional<int> max_retries;
  std::optional<std::string> dead_letter_queue;  // "": none
};

class QueueDirectory {
 public:
  // Counting a backlog ends here.
  static constexpr int kBacklogMax = 100'000;

  explicit QueueDirectory(db::PgPool& pool) : pool_(pool) {}

  boost::asio::awaitable<Result<std::vector<QueueInfo>>> list();
  // By name, or by id as 32 hexadecimal digits (queue_id_text). kNotFound.
  boost::asio::awaitable<Result<QueueInfo>> find(std::string name_or_id);
  // kExists: there is a queue of this name. kInvalidArgument: it is not a queue's name.
  boost::asio::awaitable<Status> create(std::string name);
  // Creates the queue if it is missing. kInvalidArgument: a value is out of its range.
  boost::asio::awaitable<Status> configure(std::string name, QueueChange change);
  // Deletes the queue with all its messages.
  boost::asio::awaitable<Status> remove(std::int64_t id);
  boost::asio::awaitable<Result<QueueBacklog>> backlog(std::int64_t id);
  // Wakes the consumers that listen, as a send does.
  boost::asio::awaitable<Status> notify();

 private:
  boost::asio::awaitable<Result<std::vector<QueueInfo>>> describe(db::PgParameters parameters);

  db::PgPool& pool_;
};

// A queue's id as Cloudflare's API has ids: 32 hexadecimal digits.
std::string queue_id_text(std::int64_t id);

}  // namespace edged::queue

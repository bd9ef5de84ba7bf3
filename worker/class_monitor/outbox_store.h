// SPDX-License-Identifier: Apache-2.0
// The statements of outbox.sql, one method each. Errors of every method: those of PgPool::execute.
// Executor's thread; the object outlives its coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/class_monitor/outbox_row.h"
#include "worker/class_monitor/seats.h"
#include "worker/db/pg_pool.h"

namespace edged::mail {

struct OutboxStoreOptions {
  int batch_size = 20;
  std::chrono::milliseconds lease{30'000};
  std::chrono::milliseconds state_age_max{600'000};
};

// What the last look before sending said.
struct LastLook {
  bool lease_lost = false;
  std::optional<std::string> refusal;
  bool is_late = false;
  Seats known;             // by the state in PostgreSQL
  bool is_recent = false;  // it was seen within state_age_max
  bool include_reserved = false;
  int attempts = 0;
};

// A section that the upstream said is closed.
struct Closing {
  std::int64_t epoch = 0;  // of next_epoch(), before the upstream was asked
  WallTime asked_at{};
  Seats seats;
};
// kOvertaken: a newer run has settled the section; nothing changed.
enum class Settlement { kDone, kOvertaken, kLeaseLost };

class OutboxStore {
 public:
  // Everything given by reference outlives the object.
  OutboxStore(db::PgPool& pool, const Clock& clock, OutboxStoreOptions options)
      : pool_(pool), clock_(clock), options_(options) {}

  // Leases the next mails that are due: those in time, at most batch_size, unless `only_late`; and
  // if there are fewer, one that is late.
  boost::asio::awaitable<Result<std::vector<OutboxRow>>> claim(bool only_late);
  // Renews the lease, counts `new_attempts`, and looks at user and section.
  boost::asio::awaitable<Result<LastLook>> look(LeaseKey lease, int new_attempts);

  // False: it is another's.
  boost::asio::awaitable<Result<bool>> renew(LeaseKey lease);
  boost::asio::awaitable<Result<std::int64_t>> next_epoch();
  // Drops the mail of a section that closed, and stores that it did. kDone: the lease has ended.
  boost::asio::awaitable<Result<Settlement>> settle_closing(LeaseKey lease,
                                                            Closing closing,
                                                            std::string reason);

  // These end a lease; false: it was another's already, and nothing changed.
  boost::asio::awaitable<Result<bool>> finish(LeaseKey lease,
                                              std::string status,
                                              std::optional<std::string> reason);
  boost::asio::awaitable<Result<bool>> drop_and_release(LeaseKey lease, std::string reason);
  boost::asio::awaitable<Result<bool>> retry(LeaseKey lease, std::chrono::milliseconds delay);

  // How many mails of a run are neither sent nor given up.
  boost::asio::awaitable<Result<int>> pending_of_run(std::int64_t run_id);

 private:
  std::string now_text(std::chrono::milliseconds offset = {}) const {
    return format_rfc3339(clock_.wall_now() + offset);
  }
  // Whether the statement changed a row.
  boost::asio::awaitable<Result<bool>> change(std::string sql, db::PgParameters parameters);

  db::PgPool& pool_;
  const Clock& clock_;
  OutboxStoreOptions options_;
};

}  // namespace edged::mail

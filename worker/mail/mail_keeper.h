// SPDX-License-Identifier: Apache-2.0
// Deletes what is of no use any more: events of mails after 90 days, and requests to idempotent
// providers once their letters have ended (mail_groups.h). Events of mails whose application keeps
// them itself, by the SQL function edged.mail_events_are_kept, are left alone. Several workers may
// do so at once. On the executor's thread; what the constructor is given outlives the object, and
// the object its coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/mail/mail_groups.h"

namespace edged::mail {

struct MailKeeperOptions {
  std::chrono::seconds history{std::chrono::days(90)};
  std::chrono::milliseconds events_interval{std::chrono::hours(1)};
  std::chrono::milliseconds requests_interval{std::chrono::minutes(1)};
  int batch = 1000;                            // events a statement looks at, at most
  std::chrono::milliseconds batch_pause{100};  // for others who want the connections
};

class MailKeeper {
 public:
  MailKeeper(boost::asio::any_io_executor executor,
             db::PgPool& pool,
             const Clock& clock,
             MailKeeperOptions options,
             MetricsRegistry& metrics);

  // Deletes at once and then at every interval, until stop(). Errors are logged, and what is left
  // is deleted the next time.
  boost::asio::awaitable<void> run();
  void stop();

  // Deletes all events that became too old since the last call; how many.
  boost::asio::awaitable<Result<std::int64_t>> delete_old_events();
  // The same for requests.
  boost::asio::awaitable<Result<std::int64_t>> delete_old_requests();

 private:
  boost::asio::awaitable<void> pause(std::chrono::milliseconds duration);

  db::PgPool& pool_;
  const Clock& clock_;
  const MailKeeperOptions options_;
  MailGroups groups_;
  boost::asio::steady_timer timer_;
  bool stopping_ = false;
  // The last event that was looked at: those before it are gone, or kept by their application.
  std::string seen_at_{"-infinity"}, seen_id_{"0"};
  Counter& deleted_;
};

}  // namespace edged::mail

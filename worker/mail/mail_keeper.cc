// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/mail_keeper.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "proto/base/log.h"
#include "proto/base/numbers.h"
#include "worker/mail/sql.gen.h"

namespace edged::mail {

using boost::asio::awaitable;

namespace {

constexpr int kRequestsMax = 100;  // a statement; each may hold megabytes

}  // namespace

MailKeeper::MailKeeper(boost::asio::any_io_executor executor,
                       db::PgPool& pool,
                       const Clock& clock,
                       MailKeeperOptions options,
                       MetricsRegistry& metrics)
    : pool_(pool),
      clock_(clock),
      options_(options),
      groups_(pool, clock),
      timer_(std::move(executor)),
      deleted_(metrics.counter("edged_history_deleted_rows_total",
                               "Rows deleted because they were older than the history",
                               {{"table", "mail_events"}})) {}

awaitable<void> MailKeeper::run() {
  auto events_at = std::chrono::steady_clock::now();
  while (!stopping_) {
    const Result<std::int64_t> requests = co_await delete_old_requests();
    if (!requests && !stopping_) log::warn("[MAIL] " + requests.error().message());
    if (!stopping_ && std::chrono::steady_clock::now() >= events_at) {
      events_at = std::chrono::steady_clock::now() + options_.events_interval;
      const Result<std::int64_t> events = co_await delete_old_events();
      if (!events && !stopping_) log::warn("[MAIL] " + events.error().message());
    }
    co_await pause(options_.requests_interval);
  }
}

void MailKeeper::stop() {
  stopping_ = true;
  timer_.cancel();
}

awaitable<void> MailKeeper::pause(std::chrono::milliseconds duration) {
  if (stopping_) co_return;
  timer_.expires_after(duration);
  co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

awaitable<Result<std::int64_t>> MailKeeper::delete_old_events() {
  std::int64_t total = 0;
  while (true) {
    db::PgParameters parameters{format_rfc3339(clock_.wall_now()),
                                std::to_string(options_.history.count()),
                                std::to_string(options_.batch),
                                seen_at_,
                                seen_id_};
    const Result<db::PgResult> done =
        co_await pool_.execute(std::string(sql::mail::kDeleteOldMailEvents), std::move(parameters));
    if (!done) co_return done.error().with_context("could not delete old events of mails");
    if (done->rows() == 0) co_return total;
    const Result<std::int64_t> seen = parse_int64(done->text(0, 0));
    const Result<std::int64_t> gone = parse_int64(done->text(0, 1));
    if (!seen) co_return seen.error();
    if (!gone) co_return gone.error();
    seen_at_ = done->text(0, 2);
    seen_id_ = done->text(0, 3);
    total += *gone;
    deleted_.add(static_cast<std::uint64_t>(*gone));
    if (*seen < options_.batch || stopping_) co_return total;
    co_await pause(options_.batch_pause);
  }
}

awaitable<Result<std::int64_t>> MailKeeper::delete_old_requests() {
  std::int64_t total = 0;
  while (true) {
    const Result<std::int64_t> gone = co_await groups_.delete_old(kRequestsMax);
    if (!gone) co_return gone.error();
    total += *gone;
    if (*gone < kRequestsMax || stopping_) co_return total;
    co_await pause(options_.batch_pause);
  }
}

}  // namespace edged::mail

// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/history_keeper.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <utility>

#include "proto/base/log.h"
#include "worker/class_monitor/sql.gen.h"

namespace edged::class_monitor {

using boost::asio::awaitable;

namespace {

constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);

}  // namespace

HistoryKeeper::HistoryKeeper(boost::asio::any_io_executor executor,
                             db::PgPool& pool,
                             const Clock& clock,
                             HistoryKeeperOptions options,
                             MetricsRegistry& metrics)
    : pool_(pool),
      clock_(clock),
      options_(std::move(options)),
      timer_(std::move(executor)),
      runs_deleted_(metrics.counter("edged_history_deleted_rows_total",
                                    "Rows deleted because they were older than the history",
                                    {{"table", "cron_runs"}})),
      notifications_deleted_(
          metrics.counter("edged_history_deleted_rows_total",
                          "Rows deleted because they were older than the history",
                          {{"table", "notifications"}})) {}

awaitable<void> HistoryKeeper::run() {
  while (!stopping_) {
    const Result<DeletedHistory> deleted = co_await delete_old();
    if (!deleted) {
      if (!stopping_) log::warn(deleted.error().message());
    } else if (deleted->runs + deleted->notifications > 0) {
      log::info("deleted " + std::to_string(deleted->runs) + " runs and " +
                std::to_string(deleted->notifications) +
                " notifications that are older than jobs.class-monitor.history");
    }
    if (stopping_) break;
    timer_.expires_after(options_.interval);
    co_await timer_.async_wait(kAwait);
  }
}

void HistoryKeeper::stop() {
  stopping_ = true;
  timer_.cancel();
}

awaitable<Result<DeletedHistory>> HistoryKeeper::delete_old() {
  const std::string now = format_rfc3339(clock_.wall_now());
  const std::string seconds =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(options_.history).count());
  const std::string batch = std::to_string(options_.batch);
  DeletedHistory deleted;
  // Notifications first: those of a run that is under way are kept because its row says so.
  db::PgParameters of_notifications{now, seconds, batch};
  const auto notifications = co_await delete_all(
      std::string(sql::class_monitor::kDeleteOldNotifications), std::move(of_notifications));
  if (!notifications)
    co_return notifications.error().with_context("could not delete old notifications");
  deleted.notifications = *notifications;
  notifications_deleted_.add(static_cast<std::uint64_t>(*notifications));
  db::PgParameters of_runs{now, seconds, batch, options_.job};
  const auto runs =
      co_await delete_all(std::string(sql::class_monitor::kDeleteOldRuns), std::move(of_runs));
  if (!runs) co_return runs.error().with_context("could not delete old runs");
  deleted.runs = *runs;
  runs_deleted_.add(static_cast<std::uint64_t>(*runs));
  co_return deleted;
}

awaitable<Result<std::int64_t>> HistoryKeeper::delete_all(std::string statement,
                                                          db::PgParameters parameters) {
  std::int64_t total = 0;
  while (true) {
    const auto result = co_await pool_.execute(statement, parameters);
    if (!result) co_return result.error();
    const std::string_view text = result->text(0, 0);
    std::int64_t count = 0;
    std::from_chars(text.data(), text.data() + text.size(), count);
    total += count;
    if (count < options_.batch || stopping_) co_return total;
    timer_.expires_after(options_.batch_pause);
    co_await timer_.async_wait(kAwait);
  }
}

}  // namespace edged::class_monitor

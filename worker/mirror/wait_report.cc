// SPDX-License-Identifier: Apache-2.0
// See wait_report.h.
#include "worker/mirror/wait_report.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "proto/base/log.h"
#include "proto/net/spawn.h"
#include "worker/mirror/sql.gen.h"

namespace edged::mirror {

namespace asio = boost::asio;

struct WaitReport::State {
  State(const asio::any_io_executor& executor, db::PgPool& used) : timer(executor), pool(used) {}
  asio::steady_timer timer;
  db::PgPool& pool;
  bool over = false;
};

namespace {

constexpr std::chrono::seconds kInterval{1};
constexpr int kRepeatAfter = 60;  // intervals

// A row of the statement find_blockers.
std::string describe_blocker(const db::PgResult& found, int row) {
  const auto text = [&](const char* column) {
    return std::string(found.text(row, found.column(column)));
  };
  const std::string prepared = text("prepared");
  if (!prepared.empty()) {
    return "prepared transaction '" + prepared + "' (prepared " + text("prepared_s") +
           " s ago; run: commit prepared or rollback prepared)";
  }
  std::string all = "process " + text("pid") + " (role \"" + text("role") + "\", application \"" +
                    text("application") + "\", database \"" + text("database") + "\")";
  if (text("transaction_s").empty()) {
    return all + "; grant pg_read_all_stats to the worker's role to see its transaction";
  }
  return all + ", transaction open for " + text("transaction_s") + " s, " + text("state") +
         ", last statement begun " + text("statement_s") + " s ago: \"" + text("statement") + "\"";
}

std::string pids_of(const db::PgResult& found) {
  std::string pids;
  for (int row = 0; row < found.rows(); ++row) {
    pids += std::string(found.text(row, found.column("pid"))) + " ";
  }
  return pids;
}

template <typename State>
asio::awaitable<void> watch(std::shared_ptr<State> state, int pid, std::string what) {
  db::PgParameters parameters;
  parameters.emplace_back(std::to_string(pid));
  std::string told;
  for (int since_told = 0;; ++since_told) {
    state->timer.expires_after(kInterval);
    co_await state->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (state->over) co_return;
    const Result<db::PgResult> found =
        co_await state->pool.execute(std::string(sql::mirror::kFindBlockers), parameters);
    if (state->over) co_return;
    if (!found || found->rows() == 0) continue;
    const std::string pids = pids_of(*found);
    if (pids == told && since_told < kRepeatAfter) continue;
    told = pids;
    since_told = 0;
    std::string all;
    for (int row = 0; row < found->rows(); ++row) {
      all += (all.empty() ? "" : "; ") + describe_blocker(*found, row);
    }
    log::warn("[mirror] " + what + ": " + all + ". Commit it or roll it back, or run: select " +
              "pg_terminate_backend(PROCESS)");
  }
}

}  // namespace

WaitReport::WaitReport(asio::any_io_executor executor, db::PgPool& pool, int pid, std::string what)
    : state_(std::make_shared<State>(executor, pool)) {
  net::spawn(executor, watch(state_, pid, std::move(what)));
}

WaitReport::~WaitReport() {
  state_->over = true;
  state_->timer.cancel();
}

}  // namespace edged::mirror

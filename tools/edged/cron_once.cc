// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/cron_once.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <utility>

#include "proto/base/hex.h"
#include "proto/base/log.h"
#include "proto/json/write_json.h"
#include "proto/net/spawn.h"
#include "tools/edged/duties.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/mirror_parts.h"
#include "tools/edged/worker_parts.h"
#include "worker/db/schema_check.h"

namespace edged {
namespace {

using boost::asio::awaitable;
constexpr std::chrono::seconds kMailPatience{30};
constexpr std::chrono::milliseconds kMailPollInterval{50};
constexpr std::chrono::hours kDrainTimeout{1};

int fail(const Status& status) {
  log::print("edged cron run: " + status.message());
  return exit_code_of(status.code());
}

void print_summary(const std::string& summary, bool json) {
  if (json) {
    std::cout << summary << std::endl;
    return;
  }
  const boost::json::value value = boost::json::parse(summary);
  for (const auto& [name, number] : value.as_object()) {
    std::cout << std::string(name) << ": " << write_json(number) << "\n";
  }
  std::cout.flush();
}

// Delivers mails until none of the run's waits, or patience ends.
awaitable<Status> deliver_mails(WorkerParts& parts, std::int64_t run_id) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto give_up_at = std::chrono::steady_clock::now() + kMailPatience;
  boost::asio::steady_timer pause(executor);
  parts.begin_mails(executor);
  Result<std::int64_t> waiting = co_await parts.run_store->mails_waiting(run_id);
  while (waiting && *waiting > 0 && std::chrono::steady_clock::now() < give_up_at) {
    pause.expires_after(kMailPollInterval);
    (void)co_await pause.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    waiting = co_await parts.run_store->mails_waiting(run_id);
  }
  co_await parts.stop_mails();
  if (!waiting) co_return waiting.error().with_context("could not deliver the run's mails");
  if (*waiting == 0) co_return Status();
  co_return Status(Code::kInternal,
                   std::to_string(*waiting) +
                       " mails of the run are still queued after 30 s. A worker with the role "
                       "\"mail\" delivers them later");
}

// Says which mails of the run will never be sent, and why.
awaitable<Status> find_dead_mails(WorkerParts& parts, std::int64_t run_id) {
  constexpr std::size_t kNamed = 5;
  const auto dead = co_await parts.run_store->dead_mails(run_id);
  if (!dead) co_return dead.error().with_context("could not look for undeliverable mails");
  if (dead->empty()) co_return Status();
  std::string text = std::to_string(dead->size()) + " mails of the run will never be sent: ";
  for (std::size_t i = 0; i < dead->size() && i < kNamed; ++i) {
    const class_monitor::DeadMail& mail = (*dead)[i];
    if (i > 0) text += "; ";
    text += mail.key + " (section " + mail.class_nbr + "): " + mail.reason;
  }
  if (dead->size() > kNamed) text += "; and " + std::to_string(dead->size() - kNamed) + " more";
  co_return Status(Code::kInternal, text + ". See \"edged queue dead email\"");
}

// The summary that a failed run left; empty: none, or it cannot be read.
awaitable<std::string> summary_of_failed(WorkerParts& parts, std::int64_t run_id) {
  const auto record = co_await parts.run_store->record(run_id);
  co_return record ? record->summary_json : std::string();
}

// True if the upstream answered for no section.
bool upstream_was_away(const std::string& summary) {
  if (summary.empty()) return false;
  const boost::json::value value = boost::json::parse(summary);
  const boost::json::object& counts = value.as_object();
  const auto count = [&](const char* name) { return counts.at(name).to_number<int>(); };
  return count("failed") > count("refused") && count("fetched") + count("absent") == 0;
}

// Tells how a run ended. A failed one has a summary too, and maybe mails of what it stored before.
awaitable<int> tell_outcome(WorkerParts& parts,
                            std::int64_t run_id,
                            Result<std::string> outcome,
                            CronOnceOptions options) {
  if (!outcome && outcome.code() != Code::kInternal) co_return fail(outcome.error());
  Status delivered;
  if (options.deliver_mail) delivered = co_await deliver_mails(parts, run_id);
  std::string summary;
  if (outcome) {
    summary = *outcome;
  } else {
    summary = co_await summary_of_failed(parts, run_id);
  }
  if (options.deliver_mail && delivered.ok()) {
    delivered = co_await find_dead_mails(parts, run_id);
  }
  if (!summary.empty()) print_summary(summary, options.json);
  if (!outcome && upstream_was_away(summary)) {
    co_return fail(Status(Code::kUnavailable, outcome.error().message()));
  }
  if (!outcome) co_return fail(outcome.error());
  if (!delivered.ok()) co_return fail(delivered);
  co_return kExitDone;
}

awaitable<int> run_job(WorkerParts& parts, const config::Config& config, CronOnceOptions options) {
  db::DatabaseUse use;
  use.job = true;
  use.mail = options.deliver_mail;
  const Result<db::DatabaseFindings> database = co_await db::check_database(parts.pool, use);
  if (!database) co_return fail(database.error());
  for (const std::string& warning : database->warnings) log::warn(warning);
  const Status same = check_dev_database(config, database->database);
  if (!same.ok()) co_return fail(same);
  // The node knows better than PostgreSQL whether a mirror keeps its keys, and is nearer.
  if (parts.kv_client) {
    const NodeMirror mirror =
        co_await ask_node_for_mirror(*parts.kv_client, config, parts.clock.wall_now());
    parts.set_mirror(mirror);
  }
  worker::StartRequest request;
  request.cause = worker::Cause::kManual;
  request.idempotency_key = options.idempotency_key;
  if (!request.idempotency_key.empty()) {
    // There may be no worker that would end a dead run, which this one would be refused for; nor
    // one that takes over the key's run if its worker dies while it is waited for.
    co_await parts.class_monitor->take_over_once();
    co_await parts.class_monitor->rest();
    const auto executor = co_await boost::asio::this_coro::executor;
    net::spawn(executor, parts.class_monitor->take_over_abandoned());
  }
  request.due_at = parts.clock.wall_now();
  worker::StartRequest again = request;
  Result<std::int64_t> id = co_await parts.class_monitor->start(std::move(request));
  if (!id && id.code() == Code::kConflict && !again.idempotency_key.empty()) {
    // A dead run may have been taken over in between: it is ended first.
    co_await parts.class_monitor->rest();
    id = co_await parts.class_monitor->start(std::move(again));
  }
  if (!id) {
    (void)co_await parts.class_monitor->drain(kDrainTimeout);
    co_return fail(id.error());
  }
  Result<std::string> outcome = co_await parts.class_monitor->wait(*id);
  (void)co_await parts.class_monitor->drain(kDrainTimeout);  // of a run taken over meanwhile
  const int code = co_await tell_outcome(parts, *id, std::move(outcome), std::move(options));
  co_return code;
}

}  // namespace

int run_cron_once(const config::Config& config, const CronOnceOptions& given) {
  if (given.job != class_monitor::kJobName) {
    log::print("edged cron run: no such job: \"" + given.job +
               "\". Jobs: " + class_monitor::kJobName);
    return kExitUsage;
  }
  if (!given.idempotency_key.empty() && !worker::is_idempotency_key(given.idempotency_key)) {
    log::print("edged cron run: --idempotency-key is not 1 to 255 printable ASCII characters");
    return kExitUsage;
  }
  if (config.leaves_database_alone()) {
    log::print(
        "edged cron run: --dev leaves the database alone. To run the job in it all the same, name "
        "the database that postgres.url leads to: --dev-database NAME");
    return kExitUsage;
  }
  Duties duties;
  duties.jobs = true;
  duties.mail = given.deliver_mail && config.worker.has_role(config::kRoleMail);
  CronOnceOptions options = given;
  options.deliver_mail = duties.mail;
  if (given.deliver_mail && !duties.mail) {
    log::warn("worker.roles does not name \"mail\": the mails of the run stay queued");
  }
  boost::asio::io_context io(1);
  // A name of its own: this process must not take over the run of a worker that is alive.
  WorkerParts parts(io.get_executor(), config, to_hex(random_bytes(16)), duties);
  const Status ready = parts.transport ? parts.transport->start() : Status();
  if (!ready.ok()) return fail(ready);
  return net::run_until_done(io, run_job(parts, config, options));
}

}  // namespace edged

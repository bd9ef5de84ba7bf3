// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/cron_once.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <exception>
#include <iostream>
#include <utility>

#include "proto/base/hex.h"
#include "proto/base/log.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/mirror_parts.h"
#include "tools/edged/worker_parts.h"
#include "worker/db/schema_check.h"

namespace edged {
namespace {

using boost::asio::awaitable;
constexpr std::chrono::seconds kMailPatience{30};
constexpr std::chrono::hours kDrainTimeout{1};

int fail(const Status& status) {
  std::cerr << "edged cron run: " << status.message() << "\n";
  return exit_code_of(status.code());
}

void print_summary(const std::string& summary, bool json) {
  if (json) {
    std::cout << summary << std::endl;
    return;
  }
  const boost::json::value value = boost::json::parse(summary);
  for (const auto& [name, number] : value.as_object()) {
    std::cout << std::string(name) << ": " << number << "\n";
  }
  std::cout.flush();
}

awaitable<Status> deliver_mails(WorkerParts& parts, std::int64_t run_id) {
  const Result<int> pending = co_await parts.outbox.deliver_run(run_id, kMailPatience);
  if (!pending) co_return pending.error().with_context("could not deliver the run's mails");
  if (*pending == 0) co_return Status();
  co_return Status(Code::kInternal,
                   std::to_string(*pending) + " mails of the run are still queued after 30 s");
}

// The summary that a failed run left; empty: none, or it cannot be read.
awaitable<std::string> summary_of_failed(WorkerParts& parts, std::int64_t run_id) {
  const auto record = co_await parts.run_store.record(run_id);
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
  if (!summary.empty()) print_summary(summary, options.json);
  if (!outcome && upstream_was_away(summary)) {
    co_return fail(Status(Code::kUnavailable, outcome.error().message()));
  }
  if (!outcome) co_return fail(outcome.error());
  if (!delivered.ok()) co_return fail(delivered);
  co_return kExitDone;
}

awaitable<int> run_job(WorkerParts& parts, const config::Config& config, CronOnceOptions options) {
  const Status schema = co_await db::check_schema(parts.pool);
  if (!schema.ok()) co_return fail(schema);
  const Result<std::string> hidden = co_await db::find_hidden_rows(parts.pool);
  if (hidden && !hidden->empty()) log::warn(*hidden);
  const Result<MirrorChoice> choice = co_await choose_mirror(config, parts.pool);
  if (!choice) co_return fail(choice.error());
  if (choice->logical) parts.set_mirrored(mirrored_keys(config.mirror));
  worker::StartRequest request;
  request.cause = worker::Cause::kManual;
  request.idempotency_key = options.idempotency_key;
  if (!request.idempotency_key.empty()) {
    // There may be no worker that would end a dead run, which this one would be refused for; nor
    // one that takes over the key's run if its worker dies while it is waited for.
    co_await parts.class_monitor.take_over_once();
    co_await parts.class_monitor.rest();
    auto rethrow = [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    };
    boost::asio::co_spawn(co_await boost::asio::this_coro::executor,
                          parts.class_monitor.take_over_abandoned(),
                          rethrow);
  }
  request.due_at = parts.clock.wall_now();
  worker::StartRequest again = request;
  Result<std::int64_t> id = co_await parts.class_monitor.start(std::move(request));
  if (!id && id.code() == Code::kConflict && !again.idempotency_key.empty()) {
    // A dead run may have been taken over in between: it is ended first.
    co_await parts.class_monitor.rest();
    id = co_await parts.class_monitor.start(std::move(again));
  }
  if (!id) {
    (void)co_await parts.class_monitor.drain(kDrainTimeout);
    co_return fail(id.error());
  }
  Result<std::string> outcome = co_await parts.class_monitor.wait(*id);
  (void)co_await parts.class_monitor.drain(kDrainTimeout);  // of a run taken over meanwhile
  const int code = co_await tell_outcome(parts, *id, std::move(outcome), std::move(options));
  co_return code;
}

}  // namespace

int run_cron_once(const config::Config& config, const CronOnceOptions& options) {
  if (options.job != "class-monitor") {
    std::cerr << "edged cron run: no such job: \"" << options.job << "\". Jobs: class-monitor\n";
    return kExitUsage;
  }
  if (!options.idempotency_key.empty() && !worker::is_idempotency_key(options.idempotency_key)) {
    std::cerr << "edged cron run: --idempotency-key is not 1 to 255 printable ASCII characters\n";
    return kExitUsage;
  }
  boost::asio::io_context io(1);
  // A name of its own: this process must not take over the run of a worker that is alive.
  WorkerParts parts(io.get_executor(), config, to_hex(random_bytes(16)));
  const Status maildir = options.deliver_mail ? parts.transport.prepare() : Status();
  if (!maildir.ok()) return fail(maildir);
  int code = kExitFailed;
  auto finish = [&io, &code](std::exception_ptr error, int result) {
    if (error) std::rethrow_exception(error);
    code = result;
    io.stop();
  };
  boost::asio::co_spawn(io, run_job(parts, config, options), finish);
  io.run();
  return code;
}

}  // namespace edged

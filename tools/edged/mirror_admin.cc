// SPDX-License-Identifier: Apache-2.0
// See mirror_admin.h.
#include "tools/edged/mirror_admin.h"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <string>
#include <utility>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/json/write_json.h"
#include "proto/net/spawn.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/mirror_parts.h"
#include "tools/edged/postgres_options.h"
#include "worker/mirror/admin.h"

namespace edged {
namespace {

using boost::asio::awaitable;
using mirror::Following;

// What one command works with; runs one coroutine.
class Session {
 public:
  explicit Session(const config::Config& config)
      : pool(io_.get_executor(), single(config), metrics_),
        client(io_.get_executor(), mirror_client_options(config)) {}

  template <typename T>
  T run(awaitable<T> task) {
    return net::run_until_done(io_, std::move(task));
  }

 private:
  static db::PgPoolOptions single(const config::Config& config) {
    db::PgPoolOptions options = pool_options(config, "edged mirror");
    options.size = 1;
    return options;
  }

  boost::asio::io_context io_{1};
  MetricsRegistry metrics_;

 public:
  db::PgPool pool;
  net::Client client;
};

struct Report {
  MirrorChoice choice;
  mirror::MirrorStatus status;
};

awaitable<Result<Report>> inspect(Session& session, const config::Config& config) {
  Report report;
  Result<MirrorChoice> choice = co_await choose_mirror(config, session.pool);
  if (!choice) co_return choice.error();
  report.choice = *std::move(choice);
  const mirror::MirrorOptions options = mirror_options(config, "");
  Result<mirror::MirrorStatus> status =
      co_await mirror::read_status(session.pool, session.client, options);
  if (!status) co_return status.error();
  report.status = *std::move(status);
  co_return report;
}

const char* name_of(Following following) {
  switch (following) {
    case Following::kYes:
      return "following";
    case Following::kNotLoaded:
      return "not_loaded";
    case Following::kNobody:
      return "not_followed";
    case Following::kLost:
      return "slot_lost";
    case Following::kBehind:
      return "behind";
  }
  return "unknown";
}

const char* explain(Following following) {
  switch (following) {
    case Following::kYes:
      return "following PostgreSQL";
    case Following::kNotLoaded:
      return "the rows are not loaded yet, or are being loaded: see the worker's log";
    case Following::kNobody:
      return "no worker follows PostgreSQL: is it running?";
    case Following::kLost:
      return "PostgreSQL has removed the log that the slot needs: the worker will load all rows "
             "again";
    case Following::kBehind:
      return "a worker follows PostgreSQL, but has not proven for some time that the copy is "
             "current: see its "
             "log";
  }
  return "";
}

// Bytes of PostgreSQL's log that the node does not have.
std::int64_t lag_bytes(const mirror::MirrorStatus& status) {
  const mirror::Lsn position = status.node.position.value_or(0);
  return position == 0 || position > status.server_position
             ? 0
             : static_cast<std::int64_t>(status.server_position - position);
}

void print_json(const Report& report,
                const mirror::MirrorOptions& options,
                Following following,
                WallTime now) {
  const mirror::MirrorStatus& status = report.status;
  boost::json::object object;
  object["mode"] = report.choice.logical ? "logical" : "cache-aside";
  object["why"] = report.choice.why;
  object["state"] = report.choice.logical ? name_of(following) : "off";
  object["namespace"] = options.ns;
  boost::json::value slot;
  if (status.slot) {
    slot = boost::json::object{{"name", status.slot->name},
                               {"active", status.slot->active},
                               {"wal_status", status.slot->wal_status},
                               {"confirmed", mirror::to_text(status.slot->confirmed)},
                               {"retained_bytes", status.slot->retained_bytes},
                               {"safe_bytes", status.slot->safe_bytes}};
  }
  object["slot"] = std::move(slot);
  object["server_position"] = mirror::to_text(status.server_position);
  object["position"] = status.node.position
                           ? boost::json::value(mirror::to_text(*status.node.position))
                           : boost::json::value(nullptr);
  object["lag_bytes"] = lag_bytes(status);
  if (status.node.fresh_as_of) {
    object["fresh_as_of"] = format_rfc3339(*status.node.fresh_as_of);
    object["staleness_ms"] = (now - *status.node.fresh_as_of).count();
  } else {
    object["fresh_as_of"] = nullptr;
  }
  boost::json::array rules;
  for (const mirror::OwnedPrefix& rule : status.node.rules) {
    rules.push_back(
        {{"prefix", rule.prefix}, {"ttl_ms", rule.ttl.count()}, {"loaded", rule.loaded}});
  }
  object["rules"] = std::move(rules);
  std::printf("%s\n", write_json(object).c_str());
}

void print_text(const Report& report,
                const mirror::MirrorOptions& options,
                Following following,
                WallTime now) {
  const mirror::MirrorStatus& status = report.status;
  std::printf("mode: %s (%s)\n",
              report.choice.logical ? "logical" : "cache-aside",
              report.choice.why.c_str());
  if (status.slot) {
    std::printf("slot: %s, %s, keeps %lld bytes of log",
                status.slot->name.c_str(),
                status.slot->active ? "in use" : "not in use",
                static_cast<long long>(status.slot->retained_bytes));
    if (status.slot->safe_bytes >= 0) {
      std::printf(", may keep %lld more", static_cast<long long>(status.slot->safe_bytes));
    }
    std::printf("\n");
  } else {
    std::printf("slot: %s\n", options.temporary_slot ? "temporary" : "none");
  }
  if (status.node.position) {
    std::printf("position: %s, PostgreSQL is at %s (%lld bytes ahead)\n",
                mirror::to_text(*status.node.position).c_str(),
                mirror::to_text(status.server_position).c_str(),
                static_cast<long long>(lag_bytes(status)));
  }
  if (status.node.fresh_as_of) {
    std::printf("fresh as of: %s (%.3f s ago)\n",
                format_rfc3339(*status.node.fresh_as_of).c_str(),
                static_cast<double>((now - *status.node.fresh_as_of).count()) / 1000.0);
  }
  for (const mirror::OwnedPrefix& rule : status.node.rules) {
    std::printf("keys \"%s...\": %s", rule.prefix.c_str(), rule.loaded ? "loaded" : "not loaded");
    if (rule.ttl.count() > 0) {
      std::printf(", readable while fresh within %lld ms",
                  static_cast<long long>(rule.ttl.count()));
    }
    std::printf("\n");
  }
  std::printf("state: %s\n",
              report.choice.logical ? explain(following) : "off: the classic flow runs");
}

int fail(const Status& status) {
  log::print("edged mirror: " + status.message());
  return exit_code_of(status.code());
}

}  // namespace

int show_mirror_status(const config::Config& config, bool json) {
  Session session(config);
  const Result<Report> inspected = session.run(inspect(session, config));
  if (!inspected) return fail(inspected.error());
  const Report& report = *inspected;
  const mirror::MirrorOptions options = mirror_options(config, "");
  const WallTime now = SystemClock().wall_now();
  const Following following = mirror::judge(report.status, options, now);
  (json ? print_json : print_text)(report, options, following, now);
  return !report.choice.logical || following == Following::kYes ? kExitDone : kExitFailed;
}

int drop_mirror(const config::Config& config) {
  Session session(config);
  const mirror::MirrorOptions options = mirror_options(config, "edged mirror drop");
  const Result<mirror::Dropped> done =
      session.run(mirror::drop(session.pool, session.client, options));
  if (done.code() == Code::kBusy) {
    return fail(Status(Code::kBusy, done.error().message() + ": stop the worker first"));
  }
  if (!done) return fail(done.error());
  const mirror::Dropped& dropped = *done;
  std::printf("replication slot %s: %s\n", options.slot.c_str(), dropped.slot ? "dropped" : "none");
  std::printf("publication %s: %s\n",
              options.publication.c_str(),
              dropped.publication             ? "dropped"
              : dropped.publication_kept.ok() ? "none"
                                              : dropped.publication_kept.message().c_str());
  if (!dropped.node) {
    return fail(dropped.node_failure.with_context(
        "the node still has the mirrored keys. Run the command again when the node answers"));
  }
  std::printf("namespace %s: %s\n",
              options.ns.c_str(),
              *dropped.node ? "mirrored keys removed, open to other writers" : "not mirrored");
  return kExitDone;
}

}  // namespace edged

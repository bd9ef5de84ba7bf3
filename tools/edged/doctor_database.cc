// SPDX-License-Identifier: Apache-2.0
// The checks of doctor_worker.h that ask PostgreSQL.
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "proto/base/clock.h"
#include "tools/edged/doctor_worker.h"
#include "tools/edged/duties.h"
#include "tools/edged/mirror_inspection.h"
#include "tools/edged/mirror_parts.h"
#include "tools/edged/postgres_options.h"
#include "worker/db/pg_connection.h"
#include "worker/db/schema_check.h"
#include "worker/mirror/admin.h"

namespace edged::doctor {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr int kVersionMin = 140'000;
constexpr milliseconds kClockNarrow{2'000}, kClockWrong{60'000};

// One row of texts, none of them null.
constexpr const char* kFacts = R"(
select current_setting('server_version_num'), current_setting('server_version'),
       (extract(epoch from clock_timestamp()) * 1000)::bigint::text, pg_is_in_recovery()::text,
       pg_backend_pid()::text,
       coalesce((select ssl::text from pg_stat_ssl where pid = pg_backend_pid()), 'false'),
       coalesce(host(inet_server_addr()), ''),
       (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - (select count(*) from pg_stat_activity where datid is not null))::text,
       current_setting('default_transaction_read_only'), current_user, current_database())";

struct Facts {
  int version = 0;
  std::string version_text;
  WallTime now{};
  bool standby = false;
  int backend = 0;
  bool encrypted = false;
  std::string address;  // of the server; empty: a unix socket
  int connections_left = 0;
  bool read_only = false;
  std::string role, database;
};

Facts read_facts(const db::PgResult& row) {
  const auto text = [&row](int column) { return std::string(row.text(0, column)); };
  Facts facts;
  facts.version = std::atoi(text(0).c_str());
  facts.version_text = text(1);
  facts.now = WallTime(milliseconds(std::atoll(text(2).c_str())));
  facts.standby = text(3) == "true";
  facts.backend = std::atoi(text(4).c_str());
  facts.encrypted = text(5) == "true";
  facts.address = text(6);
  facts.connections_left = std::atoi(text(7).c_str());
  facts.read_only = text(8) == "on";
  facts.role = text(9);
  facts.database = text(10);
  return facts;
}

std::string how_to_connect(const Status& failure) {
  switch (failure.code()) {
    case Code::kDenied:
      return "see user and password in postgres.url, and PostgreSQL's pg_hba.conf; try: psql URL";
    case Code::kInvalidArgument:
      return "correct postgres.url";
    default:
      return "see host and port in postgres.url, and whether PostgreSQL runs: pg_isready -d URL";
  }
}

std::string seconds(milliseconds span) {
  const auto all = span.count() < 0 ? -span.count() : span.count();
  std::string text = std::to_string(all / 1000);
  text.append(".").append(std::to_string(all % 1000 / 100)).append(" s");
  return text;
}

// `doubt`: half of the time that the answer took.
void tell_clock(milliseconds apart, milliseconds doubt, Report& report) {
  const milliseconds sure = std::chrono::abs(apart) - doubt;
  const std::string what = std::string("this machine is ") + seconds(apart) +
                           (apart.count() > 0 ? " behind" : " ahead of") + " PostgreSQL's";
  const std::string fix = "synchronise both clocks: timedatectl set-ntp true";
  if (sure > kClockWrong) {
    report.error("clock", what + ": ticks, expiry times and leases are wrong", fix);
  } else if (sure > kClockNarrow) {
    report.warn("clock", what + ": expiry times differ by that much", fix);
  } else {
    report.ok("clock",
              std::string("agrees with PostgreSQL's within ") + seconds(std::chrono::abs(apart)));
  }
}

void tell_pooler(const config::Config& config, Report& report) {
  const config::Postgres& postgres = config.postgres;
  if (postgres.session_state) {
    report.warn("database",
                "a pooler stands between, and postgres.session_state is true, which only a pooler "
                "in session mode keeps",
                "set postgres.session_state to false");
    return;
  }
  report.ok("database", "a pooler stands between, as postgres.session_state says");
  if (postgres.listen_url.empty() && config.mirror.url.empty()) {
    report.warn("database",
                "no address goes past the pooler: new messages of queues are noticed late, and "
                "tables cannot be mirrored",
                "set postgres.listen_url and mirror.url to the URL of PostgreSQL itself");
  }
}

void tell_settings(const Facts& facts, const config::Config& config, Report& report) {
  if (facts.version < kVersionMin) {
    report.error("database",
                 "this is PostgreSQL " + facts.version_text + "; 14 is the oldest that works",
                 "upgrade PostgreSQL");
  }
  if (facts.standby || facts.read_only) {
    report.error("database",
                 facts.standby ? "this server is a standby, which takes no writes"
                               : "the sessions of role " + facts.role + " are read-only",
                 facts.standby
                     ? "name the primary in postgres.url, or add target_session_attrs=read-write"
                     : "alter role " + facts.role + " set default_transaction_read_only = off");
  }
  const bool local =
      facts.address.empty() || facts.address.starts_with("127.") || facts.address == "::1";
  if (!facts.encrypted && !local) {
    report.warn("database",
                "the connection to " + facts.address + " is not encrypted",
                "add sslmode=verify-full and sslrootcert=FILE to postgres.url");
  }
  if (facts.connections_left < config.postgres.pool_size) {
    report.warn("database",
                std::string("PostgreSQL has ") + std::to_string(facts.connections_left) +
                    " connections left, and a worker opens up to " +
                    std::to_string(config.postgres.pool_size + 2),
                "raise max_connections, or lower postgres.pool_size");
  }
}

const char* explain(mirror::Following following) {
  switch (following) {
    case mirror::Following::kYes:
      return "follows PostgreSQL";
    case mirror::Following::kNotLoaded:
      return "the rows are not loaded yet, or are being loaded";
    case mirror::Following::kNobody:
      return "no worker follows PostgreSQL";
    case mirror::Following::kLost:
      return "PostgreSQL has removed the log that the slot needs; all rows will be loaded again";
    case mirror::Following::kBehind:
      return "a worker follows PostgreSQL, but has not proven lately that the copy is current";
  }
  return "unknown";
}

const char* how_to_follow(mirror::Following following) {
  switch (following) {
    case mirror::Following::kLost:
      return "raise max_slot_wal_keep_size";
    case mirror::Following::kNobody:
      return "start the worker: edged serve, or edged worker";
    default:
      return "edged mirror status, and the worker's log";
  }
}

// Slot and lag. Asks the node too; one that does not answer was told of elsewhere.
asio::awaitable<void> check_following(db::PgPool& pool,
                                      const config::Config& config,
                                      Report& report) {
  const mirror::MirrorOptions options = mirror_options(config, "");
  const auto executor = co_await asio::this_coro::executor;
  net::Client client(executor, mirror_client_options(config));
  const Result<mirror::MirrorStatus> status = co_await mirror::read_status(pool, client, options);
  if (!status) {
    report.note("mirror", "how far it is cannot be told: " + status.error().message());
    co_return;
  }
  const mirror::Following following = mirror::judge(*status, options, SystemClock().wall_now());
  std::string what = explain(following);
  if (status->slot) {
    what.append("; slot ").append(status->slot->name).append(" keeps ");
    what += std::to_string(status->slot->retained_bytes >> 20);
    what += " MiB of PostgreSQL's log";
  }
  if (following == mirror::Following::kYes) {
    report.ok("mirror", what);
  } else {
    report.warn("mirror", what, how_to_follow(following));
  }
}

}  // namespace

asio::awaitable<bool> check_postgres(const config::Config& config, Report& report) {
  const db::PgPoolOptions pool = pool_options(config, "edged doctor");
  db::PgConnectOptions options;
  options.url = pool.url;
  options.connect_timeout = pool.connect_timeout;
  options.statement_timeout = pool.statement_timeout;
  options.application_name = pool.application_name;
  options.session_state = pool.session_state;
  options.prepared_statements = false;
  const auto executor = co_await asio::this_coro::executor;
  auto connection = co_await db::PgConnection::connect(executor, std::move(options));
  if (!connection) {
    const Status& failure = connection.error();
    report.add_message(Severity::kError, "database", failure.message(), how_to_connect(failure));
    co_return false;
  }
  const SystemClock clock;
  const WallTime before = clock.wall_now();
  const std::string sql = kFacts;
  const db::PgParameters none;
  const Result<db::PgResult> row = co_await (*connection)->execute(sql, none);
  const WallTime after = clock.wall_now();
  if (!row) {
    report.add_message(Severity::kError, "database", row.error().message(), "try: psql URL");
    co_return false;
  }
  const Facts facts = read_facts(*row);
  report.ok("database",
            "PostgreSQL " + facts.version_text + ", database \"" + facts.database + "\", role \"" +
                facts.role + "\", answered in " + std::to_string((after - before).count()) + " ms");
  tell_settings(facts, config, report);
  if (facts.backend != (*connection)->backend_pid()) tell_pooler(config, report);
  const milliseconds half = (after - before) / 2;
  tell_clock(facts.now - (before + half), half, report);
  co_return true;
}

asio::awaitable<void> check_schema(db::PgPool& pool, const config::Config& config, Report& report) {
  const db::DatabaseUse use = database_use(duties_of(config), config);
  const Result<db::DatabaseFindings> found = co_await db::check_database(pool, use);
  if (!found) {
    report.add_message(
        Severity::kError, "schema", found.error().message(), "edged migrate -c " + config.file);
    co_return;
  }
  for (const std::string& warning : found->warnings) {
    report.add_message(Severity::kWarning, "schema", warning, "see docs/postgresql.md");
  }
  report.ok("schema", "schema \"edged\", tables and rights are those that this worker needs");
}

asio::awaitable<void> check_mirror(db::PgPool& pool, const config::Config& config, Report& report) {
  const config::Mirror& mirror = config.mirror;
  if (!duties_of(config).mirror || mirror.mode == "cache-aside") co_return;
  const std::vector<mirror::Rule> rules = rules_of(mirror);
  const Result<MirrorReport> found = co_await inspect_mirror(pool, config, rules);
  if (!found) {
    report.add_message(
        Severity::kError, "mirror", found.error().message(), "see mirror.url and mirror.rules");
    co_return;
  }
  // With "auto" the worker goes on without logical replication.
  const Severity severity = mirror.mode == "logical" ? Severity::kError : Severity::kWarning;
  for (const std::string& obstacle : found->obstacles) {
    report.add_message(severity, "mirror", obstacle, "see: edged mirror check -c " + config.file);
  }
  for (const std::string& doubt : mirror::doubts(found->facts)) {
    report.add_message(Severity::kWarning, "mirror", doubt, "see docs/mirror.md");
  }
  if (!found->obstacles.empty()) co_return;
  co_await check_following(pool, config, report);
}

asio::awaitable<Question> choose_question(db::PgPool& pool) {
  Question question;
  question.section = {"00000", "0000"};
  const std::string sql =
      "select class_nbr::text, term::text from public.class_watches order by created_at desc "
      "limit 1";
  const db::PgParameters none;
  const Result<db::PgResult> row = co_await pool.execute(sql, none);
  if (!row || row->rows() == 0) co_return question;
  question.section = {std::string(row->text(0, 0)), std::string(row->text(0, 1))};
  question.made_up = false;
  co_return question;
}

}  // namespace edged::doctor

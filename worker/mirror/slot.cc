// SPDX-License-Identifier: Apache-2.0
// See slot.h.
#include "worker/mirror/slot.h"

#include <boost/asio/this_coro.hpp>
#include <charconv>
#include <optional>
#include <utility>

#include "proto/base/log.h"
#include "worker/db/pg_quote.h"
#include "worker/mirror/shape.h"
#include "worker/mirror/sql.gen.h"
#include "worker/mirror/wait_report.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// A server process whose client has gone would go on waiting, and hold the slot.
asio::awaitable<void> end_server_process(db::PgPool& pool, int pid) {
  db::PgParameters parameters;
  parameters.emplace_back(std::to_string(pid));
  const Result<db::PgResult> ended =
      co_await pool.execute(std::string(sql::mirror::kEndReplication), parameters);
  if (ended) co_return;
  log::warn("[mirror] could not end process " + std::to_string(pid) +
            " of PostgreSQL, which still waits to create the replication slot: " +
            ended.error().message());
}

std::string slot_in_use(const SlotFacts& slot) {
  return "replication slot \"" + slot.name + "\" is in use by process " +
         std::to_string(slot.active_pid) + " of PostgreSQL";
}

}  // namespace

asio::awaitable<Result<std::optional<SlotFacts>>> find_slot(db::PgPool& pool, std::string name) {
  db::PgParameters parameters;
  parameters.emplace_back(name);
  Result<db::PgResult> found =
      co_await pool.execute(std::string(sql::mirror::kFindSlot), parameters);
  if (!found)
    co_return found.error().with_context("could not read the state of the replication slot");
  if (found->rows() == 0) co_return std::optional<SlotFacts>();
  const auto text = [&](const char* column) { return found->text(0, found->column(column)); };
  SlotFacts slot;
  slot.name = std::move(name);
  slot.usable =
      text("plugin") == "pgoutput" && text("slot_type") == "logical" && text("here") == "t";
  slot.active = text("active") == "t";
  slot.active_pid = static_cast<int>(number(text("active_pid")));
  slot.wal_status = text("wal_status");
  slot.retained_bytes = number(text("retained_bytes"));
  slot.safe_bytes = number(text("safe_bytes"));
  if (!text("confirmed").empty()) {
    const auto confirmed = parse_lsn(text("confirmed"));
    if (!confirmed) co_return confirmed.error();
    slot.confirmed = *confirmed;
  }
  co_return std::optional<SlotFacts>(std::move(slot));
}

asio::awaitable<Result<bool>> drop_slot(db::PgPool& pool, std::string name) {
  const Result<std::optional<SlotFacts>> slot = co_await find_slot(pool, name);
  if (!slot) co_return slot.error();
  if (!*slot) co_return false;
  if ((*slot)->active) co_return Status(Code::kBusy, slot_in_use(**slot));
  db::PgParameters parameters;
  parameters.emplace_back(std::move(name));
  Result<db::PgResult> dropped =
      co_await pool.execute(std::string(sql::mirror::kDropSlot), parameters);
  if (!dropped) co_return dropped.error().with_context("could not drop the replication slot");
  co_return true;
}

asio::awaitable<Result<System>> identify_system(db::PgReplicationConnection& connection) {
  Result<db::PgResult> found = co_await connection.command("IDENTIFY_SYSTEM");
  if (!found) co_return found.error().with_context("could not identify PostgreSQL");
  System system;
  system.identifier = found->text(0, found->column("systemid"));
  system.database = found->text(0, found->column("dbname"));
  system.timeline = static_cast<std::uint32_t>(number(found->text(0, found->column("timeline"))));
  const auto end = parse_lsn(found->text(0, found->column("xlogpos")));
  if (!end) co_return end.error();
  system.end = *end;
  co_return system;
}

asio::awaitable<Status> check_same_database(db::PgPool& pool, System replicated) {
  const db::PgParameters none;
  Result<db::PgResult> found =
      co_await pool.execute(std::string(sql::mirror::kServerIdentity), none);
  // A role that may not ask goes without the check.
  if (found.code() == Code::kDenied) co_return Status();
  if (!found) co_return found.error().with_context("could not identify PostgreSQL");
  if (found->text(0, 0) == replicated.identifier && found->text(0, 1) == replicated.database) {
    co_return Status();
  }
  co_return Status(Code::kInvalidArgument,
                   "mirror.url and postgres.url do not name the same database of the same server");
}

asio::awaitable<Result<Lsn>> create_slot(db::PgPool& pool,
                                         db::PgReplicationConnection& connection,
                                         std::string name,
                                         bool temporary) {
  std::string command = "CREATE_REPLICATION_SLOT " + db::quoted_identifier(name);
  if (temporary) command += " TEMPORARY";
  command += " LOGICAL pgoutput (SNAPSHOT 'use')";
  const int pid = connection.backend_pid();
  std::optional<WaitReport> report;
  report.emplace(co_await asio::this_coro::executor,
                 pool,
                 pid,
                 "waiting to create replication slot \"" + name +
                     "\", because PostgreSQL first waits until older transactions have ended");
  Result<db::PgResult> made = co_await connection.command(
      std::move(command), db::PgReplicationConnection::Wait::kUnbounded);
  report.reset();
  if (!made) {
    if (made.code() == Code::kUnknownOutcome) co_await end_server_process(pool, pid);
    co_return made.error().with_context("could not create replication slot \"" + name + "\"");
  }
  const auto lsn = parse_lsn(made->text(0, made->column("consistent_point")));
  if (!lsn) co_return lsn.error();
  co_return *lsn;
}

asio::awaitable<Result<std::int64_t>> last_heartbeat(db::PgPool& pool, std::string slot) {
  db::PgParameters parameters;
  parameters.emplace_back(std::move(slot));
  Result<db::PgResult> found =
      co_await pool.execute(std::string(sql::mirror::kLastHeartbeat), parameters);
  if (!found) co_return found.error().with_context("could not read the last heartbeat");
  co_return found->rows() == 0 ? 0 : number(found->text(0, 0));
}

std::string why_reload(const Situation& now) {
  const StoredState& stored = now.stored;
  if (!stored.source) return "the node has no rows yet";
  if (!stored.source->loaded || !stored.position) return "the previous load was not completed";
  if (stored.source->rules != now.wanted.rules) return "the rules have changed";
  if (stored.source->system != now.wanted.system)
    return "the rows in the node come from another PostgreSQL server";
  if (stored.source->timeline != now.wanted.timeline) {
    return "PostgreSQL is on timeline " + std::to_string(now.wanted.timeline) +
           ", and the rows in the node come from timeline " +
           std::to_string(stored.source->timeline);
  }
  if (stored.source->slot != now.wanted.slot) return "mirror.slot has changed";
  if (now.temporary_slot) return "a temporary replication slot ends with its session";
  if (!now.slot) return "the replication slot is gone";
  if (now.slot->wal_status == "lost")
    return "PostgreSQL no longer has the log the slot needs (max_slot_wal_keep_size)";
  if (now.slot->confirmed > *stored.position) return "the replication slot is ahead of the node";
  if (*stored.position > now.server_end)
    return "PostgreSQL is behind the node, so it was restored from a backup";
  if (now.last_beat < stored.beat)
    return "PostgreSQL has forgotten a heartbeat, so it was restored from a backup";
  return describe_shape_change(stored.source->shape, now.wanted.shape);
}

}  // namespace edged::mirror

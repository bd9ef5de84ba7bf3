// SPDX-License-Identifier: Apache-2.0
// See queue_admin.h.
#include "worker/queue/queue_admin.h"

#include <utility>

#include "proto/base/numbers.h"
#include "worker/queue/sql.gen.h"

namespace edged::queue {

using boost::asio::awaitable;
using Rows = QueueAdmin::Rows;

awaitable<Result<std::string>> QueueAdmin::find(std::string name) {
  db::PgParameters parameters{name};
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kFindQueue), std::move(parameters));
  if (!found) co_return found.error();
  if (found->rows() == 0) {
    std::string text = "queue \"";
    text += name;
    text +=
        "\" does not exist. \"edged queue list\" shows those that do; create it with \"edged "
        "queue create ";
    text += name;
    text += "\"";
    co_return Status(Code::kNotFound, text);
  }
  co_return std::string(found->text(0, 0));
}

awaitable<Result<Rows>> QueueAdmin::rows(std::string sql, db::PgParameters parameters) {
  Result<db::PgResult> found = co_await pool_.execute(std::move(sql), std::move(parameters));
  if (!found) co_return found.error();
  Rows rows;
  for (int i = 0; i < found->rows(); ++i) rows.emplace_back(found->text(i, 0));
  co_return rows;
}

awaitable<Result<std::int64_t>> QueueAdmin::count(std::string sql, db::PgParameters parameters) {
  Result<db::PgResult> found = co_await pool_.execute(std::move(sql), std::move(parameters));
  if (!found) co_return found.error();
  co_return parse_int64(found->text(0, 0));
}

awaitable<Result<Rows>> QueueAdmin::list(std::optional<std::string> name) {
  if (name) {
    Result<std::string> id = co_await find(*name);
    if (!id) co_return id.error();
  }
  db::PgParameters parameters{name, format_rfc3339(clock_.wall_now())};
  Result<Rows> found = co_await rows(std::string(sql::queue::kListQueues), std::move(parameters));
  co_return found;
}

awaitable<Status> QueueAdmin::create(std::string name, QueueChange change) {
  QueueDirectory directory(pool_);
  const Status made = co_await directory.configure(std::move(name), std::move(change));
  co_return made;
}

awaitable<Result<Rows>> QueueAdmin::peek(std::string name, int count) {
  Result<std::string> id = co_await find(std::move(name));
  if (!id) co_return id.error();
  db::PgParameters parameters{*id, std::to_string(count)};
  Result<Rows> found = co_await rows(std::string(sql::queue::kPeek), std::move(parameters));
  co_return found;
}

awaitable<Result<Rows>> QueueAdmin::dead(std::string name, int count) {
  Result<std::string> id = co_await find(std::move(name));
  if (!id) co_return id.error();
  db::PgParameters parameters{*id, std::to_string(count)};
  Result<Rows> found = co_await rows(std::string(sql::queue::kListDead), std::move(parameters));
  co_return found;
}

awaitable<Result<std::optional<std::string>>> QueueAdmin::send(
    std::string name, OutgoingMessage message, std::optional<std::string> unique_key) {
  Result<std::string> id = co_await find(name);
  if (!id) co_return id.error();
  db::PgParameters parameters{std::move(name),
                              std::move(message.body),
                              std::nullopt,
                              std::move(unique_key),
                              std::move(message.content_type)};
  if (message.delay) parameters[2] = std::to_string(message.delay->count());
  Result<db::PgResult> sent =
      co_await pool_.execute(std::string(sql::queue::kSend), std::move(parameters));
  if (!sent) co_return sent.error();
  co_return sent->optional_text(0, 0);
}

awaitable<Status> QueueAdmin::set_paused(std::string name, bool paused) {
  Result<std::string> id = co_await find(name);
  if (!id) co_return id.error();
  db::PgParameters parameters{std::move(name), std::string(paused ? "t" : "f")};
  Result<db::PgResult> set =
      co_await pool_.execute(std::string(sql::queue::kSetPaused), std::move(parameters));
  co_return set ? Status() : set.error();
}

awaitable<Result<std::int64_t>> QueueAdmin::purge(std::string name, bool dead) {
  Result<std::string> id = co_await find(std::move(name));
  if (!id) co_return id.error();
  db::PgParameters parameters{*id};
  std::string sql(dead ? sql::queue::kPurgeDead : sql::queue::kPurge);
  Result<std::int64_t> deleted = co_await count(std::move(sql), std::move(parameters));
  co_return deleted;
}

awaitable<Result<std::int64_t>> QueueAdmin::replay(std::string name,
                                                   std::vector<std::int64_t> ids) {
  Result<std::string> id = co_await find(std::move(name));
  if (!id) co_return id.error();
  std::optional<std::string> wanted;
  if (!ids.empty()) {
    std::string list = "{";
    for (const std::int64_t one : ids) {
      if (list.size() > 1) list += ',';
      list += std::to_string(one);
    }
    list += '}';
    wanted = std::move(list);
  }
  db::PgParameters parameters{*id, std::move(wanted), format_rfc3339(clock_.wall_now())};
  Result<std::int64_t> back =
      co_await count(std::string(sql::queue::kReplay), std::move(parameters));
  co_return back;
}

}  // namespace edged::queue

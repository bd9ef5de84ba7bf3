// SPDX-License-Identifier: Apache-2.0
// See queue_directory.h.
#include "worker/queue/queue_directory.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <string_view>
#include <utility>

#include "proto/base/numbers.h"
#include "proto/base/printable.h"
#include "proto/json/write_json.h"
#include "worker/queue/sql.gen.h"

namespace edged::queue {
namespace {

using boost::asio::awaitable;

constexpr std::size_t kIdDigits = 32;

std::int64_t number_at(const db::PgResult& result, int row, int column) {
  const Result<std::int64_t> number = parse_int64(result.text(row, column));
  return number ? *number : 0;
}

QueueInfo read_info(const db::PgResult& found, int row) {
  QueueInfo info;
  info.id = number_at(found, row, 0);
  info.name = std::string(found.text(row, 1));
  info.is_paused = found.text(row, 2) == "t";
  info.is_pulled = found.text(row, 3) == "t";
  info.delivery_delay = std::chrono::seconds(number_at(found, row, 4));
  info.message_retention = std::chrono::seconds(number_at(found, row, 5));
  info.visibility_timeout = std::chrono::milliseconds(number_at(found, row, 6));
  info.max_retries = static_cast<int>(number_at(found, row, 7));
  info.retry_delay = std::chrono::seconds(number_at(found, row, 8));
  info.dead_letter_queue = found.optional_text(row, 9).value_or("");
  info.created_at = from_unix_ms(number_at(found, row, 10));
  info.modified_at = from_unix_ms(number_at(found, row, 11));
  return info;
}

// Nothing if the text is not an id's.
std::optional<std::string> id_of(const std::string& text) {
  if (text.size() != kIdDigits) return std::nullopt;
  if (text.find_first_not_of('0') < kIdDigits - 8) return std::nullopt;
  std::int64_t id = 0;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      id = id * 16 + (c - '0');
    } else if (c >= 'a' && c <= 'f') {
      id = id * 16 + (c - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  if (id > INT32_MAX) return std::nullopt;
  return std::to_string(id);
}

Status check_name(const std::string& name) {
  constexpr std::size_t kNameBytesMax = 63;
  constexpr std::string_view kAlphanumeric =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const bool starts_well = !name.empty() && kAlphanumeric.find(name[0]) != std::string_view::npos;
  const bool has_only_known = std::all_of(name.begin(), name.end(), [kAlphanumeric](const char c) {
    return c == '-' || c == '_' || kAlphanumeric.find(c) != std::string_view::npos;
  });
  if (id_of(name)) {
    return Status(Code::kInvalidArgument, "\"" + name + "\" is not a queue's name but an id");
  }
  if (starts_well && has_only_known && name.size() <= kNameBytesMax) return Status();
  std::string text = "\"";
  text += printable(name);
  text +=
      "\" is not a queue's name: 1 to 63 letters, digits, \"-\" and \"_\", the first one a letter "
      "or a "
      "digit";
  return Status(Code::kInvalidArgument, text);
}

template <typename Duration>
Status check_range(const char* what,
                   const std::optional<Duration>& value,
                   std::chrono::milliseconds min,
                   std::chrono::milliseconds max,
                   const char* range) {
  if (!value || (*value >= min && *value <= max)) return Status();
  std::string text = what;
  text += " must be between ";
  text += range;
  return Status(Code::kInvalidArgument, text);
}

Status check(const std::string& name, const QueueChange& change) {
  using std::chrono::milliseconds;
  constexpr milliseconds kDay{86'400'000};
  const Status all[] = {
      check_range(
          "the delivery delay", change.delivery_delay, milliseconds(0), kDay, "0 and 1 day"),
      check_range("the retention",
                  change.message_retention,
                  milliseconds(60'000),
                  14 * kDay,
                  "1 minute and 14 days"),
      check_range("the retry delay", change.retry_delay, milliseconds(0), kDay, "0 and 1 day"),
      check_range("the visibility time-out",
                  change.visibility_timeout,
                  milliseconds(1),
                  kDay / 2,
                  "1 ms and 12 hours"),
  };
  for (const Status& one : all) {
    if (!one.ok()) return one;
  }
  if (change.dead_letter_queue == name) {
    return Status(Code::kInvalidArgument,
                  "the dead letter queue of \"" + name + "\" must be another queue");
  }
  return Status();
}

std::string settings_json(const QueueChange& change) {
  boost::json::object object;
  if (change.is_paused) object["is_paused"] = *change.is_paused;
  if (change.is_pulled) object["is_pulled"] = *change.is_pulled;
  if (change.delivery_delay) object["delivery_delay_s"] = change.delivery_delay->count();
  if (change.message_retention) object["message_retention_s"] = change.message_retention->count();
  if (change.retry_delay) object["retry_delay_s"] = change.retry_delay->count();
  if (change.visibility_timeout) {
    object["visibility_timeout_ms"] = change.visibility_timeout->count();
  }
  if (change.max_retries) object["max_retries"] = *change.max_retries;
  if (change.dead_letter_queue) object["dead_letter_queue"] = *change.dead_letter_queue;
  return write_json(object);
}

}  // namespace

std::string queue_id_text(std::int64_t id) {
  char text[kIdDigits + 1];
  std::snprintf(text, sizeof text, "%032llx", static_cast<unsigned long long>(id));
  return text;
}

awaitable<Result<std::vector<QueueInfo>>> QueueDirectory::describe(db::PgParameters parameters) {
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kDescribe), std::move(parameters));
  if (!found) co_return found.error().with_context("could not look for queues");
  std::vector<QueueInfo> queues;
  for (int row = 0; row < found->rows(); ++row) queues.push_back(read_info(*found, row));
  co_return queues;
}

awaitable<Result<std::vector<QueueInfo>>> QueueDirectory::list() {
  db::PgParameters all{std::nullopt, std::nullopt};
  Result<std::vector<QueueInfo>> found = co_await describe(std::move(all));
  co_return found;
}

awaitable<Result<QueueInfo>> QueueDirectory::find(std::string name_or_id) {
  const std::optional<std::string> id = id_of(name_or_id);
  db::PgParameters parameters{id, std::nullopt};
  if (!id) parameters[1] = name_or_id;
  Result<std::vector<QueueInfo>> found = co_await describe(std::move(parameters));
  if (!found) co_return found.error();
  if (found->empty()) {
    std::string text = "queue \"";
    text += name_or_id;
    text += "\" does not exist";
    co_return Status(Code::kNotFound, text);
  }
  co_return std::move(found->front());
}

awaitable<Status> QueueDirectory::create(std::string name) {
  const Status named = check_name(name);
  if (!named.ok()) co_return named;
  std::string text = "queue \"" + name + "\" exists already";
  db::PgParameters parameters{std::move(name)};
  Result<db::PgResult> made =
      co_await pool_.execute(std::string(sql::queue::kCreateNew), std::move(parameters));
  if (!made) co_return made.error();
  if (made->rows() == 0) co_return Status(Code::kExists, text);
  co_return Status();
}

awaitable<Status> QueueDirectory::configure(std::string name, QueueChange change) {
  const Status named = check_name(name);
  if (!named.ok()) co_return named;
  const Status in_range = check(name, change);
  if (!in_range.ok()) co_return in_range;
  db::PgParameters parameters{std::move(name), settings_json(change)};
  Result<db::PgResult> done =
      co_await pool_.execute(std::string(sql::queue::kConfigure), std::move(parameters));
  co_return done ? Status() : done.error();
}

awaitable<Status> QueueDirectory::remove(std::int64_t id) {
  db::PgParameters parameters{std::to_string(id)};
  Result<db::PgResult> done =
      co_await pool_.execute(std::string(sql::queue::kRemove), std::move(parameters));
  co_return done ? Status() : done.error();
}

awaitable<Status> QueueDirectory::notify() {
  db::PgParameters none;
  Result<db::PgResult> done =
      co_await pool_.execute(std::string(sql::queue::kNotify), std::move(none));
  co_return done ? Status() : done.error();
}

awaitable<Result<QueueBacklog>> QueueDirectory::backlog(std::int64_t id) {
  db::PgParameters parameters{std::to_string(id), std::to_string(kBacklogMax)};
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kBacklog), std::move(parameters));
  if (!found) co_return found.error().with_context("could not count messages");
  QueueBacklog backlog;
  backlog.messages = number_at(*found, 0, 0);
  backlog.bytes = number_at(*found, 0, 1);
  if (!found->is_null(0, 2)) backlog.oldest = from_unix_ms(number_at(*found, 0, 2));
  co_return backlog;
}

}  // namespace edged::queue

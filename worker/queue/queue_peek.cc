// SPDX-License-Identifier: Apache-2.0
// See queue_peek.h.
#include "worker/queue/queue_peek.h"

#include <map>
#include <optional>
#include <utility>

#include "proto/base/numbers.h"
#include "worker/queue/queue_directory.h"
#include "worker/queue/sql.gen.h"

namespace edged::queue {
namespace {

using boost::asio::awaitable;

constexpr std::size_t kHalfDigits = 16;

std::int64_t number_at(const db::PgResult& result, int row, int column) {
  const Result<std::int64_t> number = parse_int64(result.text(row, column));
  return number ? *number : 0;
}

// The ids of queue and message, 16 hexadecimal digits each.
std::string ref_of(std::int64_t queue_id, std::int64_t message_id) {
  return queue_id_text(queue_id).substr(kHalfDigits) +
         queue_id_text(message_id).substr(kHalfDigits);
}

// Nothing if it names no message of this queue.
std::optional<std::int64_t> message_of(const std::string& ref, std::int64_t queue_id) {
  if (ref.size() != 2 * kHalfDigits) return std::nullopt;
  std::uint64_t id = 0;
  for (const char c : ref.substr(kHalfDigits)) {
    if (c >= '0' && c <= '9') {
      id = id * 16 + static_cast<std::uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      id = id * 16 + static_cast<std::uint64_t>(c - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  const auto message_id = static_cast<std::int64_t>(id);
  if (message_id <= 0 || ref != ref_of(queue_id, message_id)) return std::nullopt;
  return message_id;
}

}  // namespace

awaitable<Result<std::vector<PeekedMessage>>> QueuePeek::peek(std::int64_t queue_id, int count) {
  db::PgParameters parameters{
      std::to_string(queue_id), std::to_string(count), format_rfc3339(clock_.wall_now())};
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kLookAt), std::move(parameters));
  if (!found) co_return found.error().with_context("could not look at messages");
  std::vector<PeekedMessage> messages;
  for (int row = 0; row < found->rows(); ++row) {
    PeekedMessage one;
    one.message.id = number_at(*found, row, 0);
    one.message.attempts = static_cast<int>(number_at(*found, row, 1));
    one.message.body = std::string(found->text(row, 2));
    one.message.content_type = std::string(found->text(row, 3));
    one.message.sent_at = from_unix_ms(number_at(*found, row, 4));
    one.ref = ref_of(queue_id, one.message.id);
    messages.push_back(std::move(one));
  }
  co_return messages;
}

awaitable<Result<std::vector<std::string>>> QueuePeek::purge(std::int64_t queue_id,
                                                             std::vector<std::string> refs) {
  std::map<std::string, std::optional<std::int64_t>> asked;
  std::string ids = "{";
  for (std::string& ref : refs) {
    const auto [entry, is_new] = asked.try_emplace(std::move(ref));
    if (!is_new) continue;
    entry->second = message_of(entry->first, queue_id);
    if (!entry->second) continue;
    if (ids.size() > 1) ids += ',';
    ids += std::to_string(*entry->second);
  }
  ids += '}';
  db::PgParameters parameters{std::to_string(queue_id), std::move(ids)};
  Result<db::PgResult> deleted =
      co_await pool_.execute(std::string(sql::queue::kPurgeSome), std::move(parameters));
  if (!deleted) co_return deleted.error().with_context("could not delete messages");
  for (int row = 0; row < deleted->rows(); ++row) {
    asked.erase(ref_of(queue_id, number_at(*deleted, row, 0)));
  }
  std::vector<std::string> missed;
  for (const auto& [ref, id] : asked) missed.push_back(ref);
  co_return missed;
}

}  // namespace edged::queue

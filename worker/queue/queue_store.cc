// SPDX-License-Identifier: Apache-2.0
#include "worker/queue/queue_store.h"

#include <boost/json.hpp>

#include "proto/base/numbers.h"
#include "proto/json/write_json.h"
#include "worker/queue/sql.gen.h"

namespace edged::queue {
namespace {

using boost::asio::awaitable;

constexpr int kExpiredMax = 100;
constexpr std::uint64_t kWholeExpiryLook = 60;
constexpr std::chrono::milliseconds kExpiryOverlap{5000};  // renewals and claims that commit late
constexpr int kReleasedMax = 1000;
constexpr std::uint64_t kWholeDueLook = 60;
constexpr std::chrono::seconds kDueOverlap{60};  // clocks that differ, sends that commit late
constexpr int kDeletedMax = 1000;

template <typename Number>
Number number_at(const db::PgResult& result, int row, int column) {
  const Result<std::int64_t> number = parse_int64(result.text(row, column));
  return static_cast<Number>(number ? *number : 0);
}

const char* verb_of(Decision::Kind kind) {
  switch (kind) {
    case Decision::Kind::kAck:
      return "ack";
    case Decision::Kind::kRetry:
      return "retry";
    case Decision::Kind::kDead:
    case Decision::Kind::kForget:
      break;
  }
  return "dead";
}

std::string decisions_json(const std::vector<Decision>& decisions,
                           std::optional<std::int64_t> dead_queue_id) {
  boost::json::array all;
  for (const Decision& decision : decisions) {
    boost::json::object one;
    one["claim"] = decision.message.claim;
    one["message"] = decision.message.id;
    one["what"] = verb_of(decision.kind);
    if (decision.due_at) one["due_at"] = format_rfc3339(*decision.due_at);
    if (decision.uncounted) one["uncounted"] = true;
    if (decision.kind == Decision::Kind::kDead) {
      one["reason"] = decision.reason;
      if (dead_queue_id) one["dead_queue_id"] = *dead_queue_id;
    }
    all.push_back(std::move(one));
  }
  return write_json(all);
}

Claimed read_claimed(const db::PgResult& found) {
  Claimed claimed;
  for (int row = 0; row < found.rows(); ++row) {
    Message message;
    message.claim = number_at<std::int64_t>(found, row, 0);
    claimed.last_position = number_at<std::int64_t>(found, row, 1);
    message.id = number_at<std::int64_t>(found, row, 2);
    message.attempts = number_at<int>(found, row, 3);
    message.body = std::string(found.text(row, 4));
    message.content_type = std::string(found.text(row, 5));
    message.sent_at = from_unix_ms(number_at<std::int64_t>(found, row, 6));
    claimed.messages.push_back(std::move(message));
  }
  return claimed;
}

}  // namespace

awaitable<Result<std::int64_t>> QueueStore::open(std::string name) {
  db::PgParameters parameters;
  parameters.emplace_back(std::move(name));
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kOpenQueue), std::move(parameters));
  if (!found) co_return found.error().with_context("could not open a queue");
  co_return number_at<std::int64_t>(*found, 0, 0);
}

awaitable<Result<Claimed>> QueueStore::claim(std::int64_t queue_id,
                                             int count,
                                             std::int64_t behind_position,
                                             std::string consumer,
                                             std::chrono::milliseconds lease) {
  db::PgParameters parameters;
  parameters.emplace_back(std::to_string(queue_id));
  parameters.emplace_back(std::to_string(count));
  parameters.emplace_back(std::to_string(behind_position));
  parameters.emplace_back(std::move(consumer));
  parameters.emplace_back(std::to_string(lease.count()));
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kClaim), std::move(parameters));
  if (!found) co_return found.error().with_context("could not claim messages");
  co_return read_claimed(*found);
}

awaitable<Result<TransactionBounds>> QueueStore::look_back() {
  db::PgParameters none;
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kLookBack), std::move(none));
  if (!found) co_return found.error();
  co_return TransactionBounds{number_at<std::uint64_t>(*found, 0, 0),
                              number_at<std::uint64_t>(*found, 0, 1)};
}

awaitable<Result<QueueStore::Held>> QueueStore::complete(std::vector<Decision> decisions,
                                                         std::optional<std::int64_t> dead_queue_id,
                                                         std::optional<db::PgStatement> companion) {
  db::PgParameters parameters;
  parameters.emplace_back(decisions_json(decisions, dead_queue_id));
  parameters.emplace_back(time_text());
  db::PgStatement complete{std::string(sql::queue::kComplete), std::move(parameters)};
  std::vector<db::PgStatement> statements;
  statements.push_back(std::move(complete));
  if (companion) statements.push_back(std::move(*companion));
  Result<std::vector<db::PgResult>> done = co_await pool_.execute_pipeline(std::move(statements));
  if (!done) co_return done.error().with_context("could not record what became of messages");
  Held held;
  const db::PgResult& rows = done->front();
  for (int row = 0; row < rows.rows(); ++row) {
    held.emplace(number_at<std::int64_t>(rows, row, 0), number_at<std::int64_t>(rows, row, 1));
  }
  co_return held;
}

awaitable<Result<std::set<std::int64_t>>> QueueStore::renew(std::vector<std::int64_t> claims,
                                                            std::chrono::milliseconds lease) {
  std::string ids = "{";
  for (const std::int64_t claim : claims) {
    if (ids.size() > 1) ids += ',';
    ids += std::to_string(claim);
  }
  ids += '}';
  db::PgParameters parameters;
  parameters.emplace_back(std::move(ids));
  parameters.emplace_back(std::to_string(lease.count()));
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kRenew), std::move(parameters));
  if (!found) co_return found.error().with_context("could not renew leases of messages");
  std::set<std::int64_t> held;
  for (int row = 0; row < found->rows(); ++row) {
    held.insert(number_at<std::int64_t>(*found, row, 0));
  }
  co_return held;
}

awaitable<Result<std::int64_t>> QueueStore::give_back_expired() {
  const auto begin = std::chrono::steady_clock::now();
  const bool whole = expiry_looks_++ % kWholeExpiryLook == 0;
  db::PgParameters parameters{std::to_string(kExpiredMax), std::nullopt};
  if (!whole) {
    const auto since = std::chrono::ceil<std::chrono::milliseconds>(begin - expiry_seen_);
    parameters[1] = std::to_string((since + kExpiryOverlap).count());
  }
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kGiveBackExpired), std::move(parameters));
  if (!found) co_return found.error().with_context("could not take messages over");
  const auto claims = number_at<std::int64_t>(*found, 0, 0);
  if (claims < kExpiredMax) {
    expiry_seen_ = begin;
  } else {
    expiry_looks_ = 0;  // there may be more
  }
  co_return claims;
}

awaitable<Result<Released>> QueueStore::release_due(std::int64_t queue_id) {
  DueLook& look = due_looks_[queue_id];
  const WallTime now = clock_.wall_now();
  const bool whole = look.count++ % kWholeDueLook == 0;
  db::PgParameters parameters{
      std::to_string(queue_id), format_rfc3339(now), std::to_string(kReleasedMax), std::nullopt};
  if (!whole) parameters[3] = format_rfc3339(std::min(now, look.seen) - kDueOverlap);
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kReleaseDue), std::move(parameters));
  if (!found) co_return found.error().with_context("could not look for delayed messages");
  Released released;
  released.count = number_at<std::int64_t>(*found, 0, 0);
  if (released.count < kReleasedMax) {
    due_looks_[queue_id].seen = now;
  } else {
    due_looks_[queue_id].count = 0;  // there may be more
  }
  if (!found->is_null(0, 1))
    released.next_due = from_unix_ms(number_at<std::int64_t>(*found, 0, 1));
  co_return released;
}

awaitable<Result<std::int64_t>> QueueStore::delete_old_dead(std::chrono::seconds age) {
  db::PgParameters parameters;
  parameters.emplace_back(time_text());
  parameters.emplace_back(std::to_string(age.count()));
  parameters.emplace_back(std::to_string(kDeletedMax));
  Result<db::PgResult> done =
      co_await pool_.execute(std::string(sql::queue::kDeleteOldDead), std::move(parameters));
  if (!done) co_return done.error().with_context("could not delete old dead messages");
  co_return done->affected_rows();
}

awaitable<Result<Expired>> QueueStore::delete_expired(std::int64_t behind_id, int count) {
  db::PgParameters parameters;
  parameters.emplace_back(std::to_string(behind_id));
  parameters.emplace_back(std::to_string(count));
  parameters.emplace_back(time_text());
  Result<db::PgResult> done =
      co_await pool_.execute(std::string(sql::queue::kDeleteExpired), std::move(parameters));
  if (!done) co_return done.error().with_context("could not delete old messages");
  Expired expired;
  expired.deleted = number_at<std::int64_t>(*done, 0, 0);
  expired.last_id = number_at<std::int64_t>(*done, 0, 1);
  expired.is_end = done->text(0, 2) == "t";
  co_return expired;
}

}  // namespace edged::queue

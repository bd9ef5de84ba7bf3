// SPDX-License-Identifier: Apache-2.0
// See queue_pull.h.
#include "worker/queue/queue_pull.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "proto/base/numbers.h"
#include "worker/queue/sql.gen.h"

namespace edged::queue {
namespace {

using boost::asio::awaitable;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kHousekeepingInterval{1000};
constexpr std::chrono::milliseconds kBacklogAge{5000};

std::int64_t number_at(const db::PgResult& result, int row, int column) {
  const Result<std::int64_t> number = parse_int64(result.text(row, column));
  return number ? *number : 0;
}

bool is_lease_id(const std::string& text) {
  constexpr std::size_t kDigits = 32;
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// PostgreSQL's text of an array; the elements need no quotes.
class ArrayText {
 public:
  void add(const std::string& element) {
    if (text_.size() > 1) text_ += ',';
    text_ += element;
  }
  std::string take() { return std::move(text_ += '}'); }

 private:
  std::string text_ = "{";
};

Pulled read_pulled(const db::PgResult& found, ReadPosition& position) {
  Pulled pulled;
  for (int row = 0; row < found.rows(); ++row) {
    PulledMessage one;
    one.lease_id = std::string(found.text(row, 0));
    position.advance(number_at(found, row, 1));
    one.message.id = number_at(found, row, 2);
    one.message.attempts = static_cast<int>(number_at(found, row, 3));
    one.message.body = std::string(found.text(row, 4));
    one.message.content_type = std::string(found.text(row, 5));
    one.message.sent_at = from_unix_ms(number_at(found, row, 6));
    pulled.messages.push_back(std::move(one));
  }
  return pulled;
}

std::string json_array_of(const std::vector<const OutgoingMessage*>& messages) {
  std::string text = "[";
  for (const OutgoingMessage* message : messages) {
    if (text.size() > 1) text += ',';
    text += message->body;
  }
  text += ']';
  return text;
}

}  // namespace

QueuePull::QueuePull(db::PgPool& pool, const Clock& clock)
    : pool_(pool), clock_(clock), store_(pool, clock), directory_(pool) {}

awaitable<Result<Pulled>> QueuePull::pull(
    QueueInfo queue, int batch_size, std::optional<std::chrono::milliseconds> visibility_timeout) {
  if (!queue.is_pulled) {
    co_return Status(Code::kUnsupported,
                     "queue \"" + queue.name +
                         "\" has no pull consumer: name it in queues.consumers with \"type\": "
                         "\"http_pull\", or create the consumer by HTTP");
  }
  if (queue.is_paused) co_return Status(Code::kConflict, "queue \"" + queue.name + "\" is paused");
  if (batch_size < 1 || batch_size > kBatchSizeMax) {
    co_return Status(Code::kInvalidArgument, "the batch size is not between 1 and 100");
  }
  const auto timeout = visibility_timeout.value_or(queue.visibility_timeout);
  if (timeout.count() < 1 || timeout > kVisibilityTimeoutMax) {
    co_return Status(Code::kInvalidArgument,
                     "the visibility time-out is not between 1 ms and 12 hours");
  }
  Place* const place = &places_[queue.id];
  const bool is_due = place->next_due && clock_.wall_now() >= *place->next_due;
  Result<Pulled> pulled = Pulled();
  if (!place->keeping_house && (is_due || SteadyClock::now() >= place->housekeeping_at)) {
    place->keeping_house = true;
    pulled = co_await keep_house(queue.id, place, batch_size, timeout);
    place->keeping_house = false;
    if (!pulled) co_return pulled.error();
  }
  if (pulled->messages.empty()) {
    pulled = co_await lease(queue.id, place, batch_size, place->position.ahead(), timeout);
    if (!pulled) co_return pulled.error();
  }
  // A message that was leased must be handed out, whatever becomes of the count.
  const Result<QueueBacklog> waiting = co_await backlog(queue.id);
  if (waiting) pulled->backlog = *waiting;
  const auto here = static_cast<std::int64_t>(pulled->messages.size());
  pulled->backlog.messages = std::max(pulled->backlog.messages, here);
  co_return pulled;
}

awaitable<Result<Pulled>> QueuePull::lease(std::int64_t queue_id,
                                           Place* place,
                                           int count,
                                           std::int64_t behind,
                                           std::chrono::milliseconds visibility_timeout) {
  db::PgParameters parameters{std::to_string(queue_id),
                              std::to_string(count),
                              std::to_string(behind),
                              std::to_string(visibility_timeout.count())};
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kLease), std::move(parameters));
  if (!found) co_return found.error().with_context("could not lease messages");
  Pulled pulled = read_pulled(*found, place->position);
  if (!pulled.messages.empty()) {
    const WallTime end = clock_.wall_now() + visibility_timeout;
    place->next_due = place->next_due ? std::min(*place->next_due, end) : end;
  }
  co_return pulled;
}

// Each second: what is due, whose lease is over, and what was committed late. The look back is a
// claim too.
awaitable<Result<Pulled>> QueuePull::keep_house(std::int64_t queue_id,
                                                Place* place,
                                                int count,
                                                std::chrono::milliseconds visibility_timeout) {
  place->housekeeping_at = SteadyClock::now() + kHousekeepingInterval;
  place->next_due.reset();
  const Result<Released> released = co_await store_.release_due(queue_id);
  if (!released) co_return released.error();
  place->next_due = released->next_due;
  const Result<std::int64_t> taken = co_await store_.give_back_expired();
  if (!taken) co_return taken.error();
  const std::int64_t emptied = place->position.ahead();
  const Result<TransactionBounds> bounds = co_await store_.look_back();
  if (!bounds) co_return bounds.error();
  const std::int64_t from = place->position.begin_look_back(*bounds, emptied);
  Result<Pulled> late = co_await lease(queue_id, place, count, from, visibility_timeout);
  if (!late) co_return late.error();
  const bool is_full = late->messages.size() >= static_cast<std::size_t>(count);
  place->position.end_look_back(!is_full);
  if (is_full) place->housekeeping_at = SteadyClock::now();
  co_return late;
}

awaitable<Result<QueueBacklog>> QueuePull::backlog(std::int64_t queue_id) {
  Place* const place = &places_[queue_id];
  const auto now = SteadyClock::now();
  if (now < place->backlog_until) co_return place->backlog;
  place->backlog_until = now + kBacklogAge;
  const Result<QueueBacklog> counted = co_await directory_.backlog(queue_id);
  if (!counted) co_return counted.error();
  place->backlog = *counted;
  co_return place->backlog;
}

awaitable<Result<Settled>> QueuePull::settle(QueueInfo queue,
                                             std::vector<std::string> acks,
                                             std::vector<LeaseRetry> retries) {
  Settled settled;
  ArrayText acked, retried, delays;
  for (const std::string& lease_id : acks) {
    if (is_lease_id(lease_id)) {
      acked.add(lease_id);
    } else {
      settled.lost.push_back(lease_id);
    }
  }
  for (const LeaseRetry& retry : retries) {
    if (is_lease_id(retry.lease_id)) {
      retried.add(retry.lease_id);
      delays.add(retry.delay ? std::to_string(retry.delay->count()) : "NULL");
    } else {
      settled.lost.push_back(retry.lease_id);
    }
  }
  db::PgParameters parameters{std::to_string(queue.id),
                              acked.take(),
                              retried.take(),
                              delays.take(),
                              format_rfc3339(clock_.wall_now())};
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::queue::kSettle), std::move(parameters));
  if (!found) co_return found.error().with_context("could not record what became of messages");
  for (int row = 0; row < found->rows(); ++row) {
    const std::string_view outcome = found->text(row, 1);
    std::vector<std::string>& list = outcome == "acked"     ? settled.acked
                                     : outcome == "retried" ? settled.retried
                                     : outcome == "dead"    ? settled.dead
                                                            : settled.lost;
    list.emplace_back(found->text(row, 0));
  }
  const auto ended = static_cast<std::int64_t>(settled.acked.size() + settled.dead.size());
  std::int64_t& counted = places_[queue.id].backlog.messages;
  counted = std::max<std::int64_t>(counted - ended, 0);
  co_return settled;
}

awaitable<Status> QueuePull::send(QueueInfo queue, std::vector<OutgoingMessage> messages) {
  // One statement for each kind of message, all in one transaction.
  using Kind = std::tuple<std::string, std::optional<std::chrono::milliseconds>>;
  std::map<Kind, std::vector<const OutgoingMessage*>> kinds;
  for (const OutgoingMessage& message : messages) {
    kinds[{message.content_type, message.delay}].push_back(&message);
  }
  std::vector<db::PgStatement> statements;
  for (const auto& [kind, some] : kinds) {
    const auto& [content_type, delay] = kind;
    db::PgParameters parameters{queue.name, json_array_of(some), std::nullopt, content_type};
    if (delay) parameters[2] = std::to_string(delay->count());
    parameters.emplace_back(format_rfc3339(clock_.wall_now()));
    db::PgStatement statement{std::string(sql::queue::kSendSome), std::move(parameters)};
    statements.push_back(std::move(statement));
  }
  if (statements.empty()) co_return Status();
  Result<std::vector<db::PgResult>> sent = co_await pool_.execute_pipeline(std::move(statements));
  if (!sent) co_return sent.error();
  places_[queue.id].backlog.messages += static_cast<std::int64_t>(messages.size());
  co_return Status();
}

}  // namespace edged::queue

// SPDX-License-Identifier: Apache-2.0
// A batch of letters under way, and the end of each: a decision for the queue, whose note becomes a
// row of edged.mail_events in the transaction that records the decision. Executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/net/condition.h"
#include "worker/db/pg_statement.h"
#include "worker/mail/letter.h"
#include "worker/mail/sender_counters.h"
#include "worker/mail/transport.h"
#include "worker/queue/batch.h"

namespace edged::mail {

struct LetterItem {
  std::size_t index = 0;  // in the queue's batch
  Letter letter;
  Judgement judgement{};
};

struct LetterBatch {
  LetterBatch(const boost::asio::any_io_executor& executor, std::shared_ptr<queue::Batch> given)
      : batch(std::move(given)), ended(executor) {}

  // Nothing new is to be begun.
  bool is_over() const { return batch->is_stopping() || batch->is_lost(); }
  // A coroutine that was counted in `pending` is done.
  void leave() {
    --pending;
    ended.notify_all();
  }

  const std::shared_ptr<queue::Batch> batch;
  std::vector<LetterItem> items;  // not changed once letters are under way
  std::size_t pending = 0;        // coroutines that are at work
  net::AsyncCondition ended;
};

struct LetterEvent {
  std::string event, detail{}, provider_id{};
  bool is_bad_address = false;
};

// What records the events of these decisions; none if there are none.
std::optional<db::PgStatement> event_statement(const std::vector<queue::Decision>& decisions,
                                               std::string_view transport,
                                               WallTime now);

class LetterOutcomes {
 public:
  LetterOutcomes(const Clock& clock,
                 MetricsRegistry& metrics,
                 int attempts_max,
                 Backoff::Options backoff,
                 std::uint64_t seed)
      : clock_(clock),
        counters_(metrics),
        attempts_max_(attempts_max),
        backoff_(backoff),
        random_(seed) {}

  // The letter leaves the queue.
  void end(LetterBatch& batch, const LetterItem& item, const LetterEvent& event);
  // It is dead.
  void bury(LetterBatch& batch,
            const LetterItem& item,
            const std::string& why,
            bool is_bad_address = false);
  // Without an attempt left it is dead.
  void retry(LetterBatch& batch, const LetterItem& item, const std::string& why);
  void retry_at(LetterBatch& batch,
                const LetterItem& item,
                const std::string& why,
                WallTime due_at);
  // When a letter with so many attempts is due again; `asked`: not before that.
  WallTime next_attempt(int attempts, std::optional<std::chrono::milliseconds> asked = {});
  // Logs what an operator has to mend.
  static void tell(const Delivery& delivery);
  // What a delivery means for a letter; one that is tried again is due at `due_at`.
  void settle(LetterBatch& batch,
              const LetterItem& item,
              const Delivery& delivery,
              const std::string& provider_id,
              WallTime due_at);
  SenderCounters& counters() { return counters_; }

 private:
  const Clock& clock_;
  SenderCounters counters_;
  const int attempts_max_;
  const Backoff::Options backoff_;
  std::mt19937_64 random_;
};

}  // namespace edged::mail

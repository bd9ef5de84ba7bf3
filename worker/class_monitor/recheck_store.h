// SPDX-License-Identifier: Apache-2.0
// The statements of recheck.sql, one method each; the file says what they decide. Errors of every
// method: those of PgPool::execute. Executor's thread; the object outlives its coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/class_monitor/seat_inquiry.h"
#include "worker/db/pg_pool.h"

namespace edged::class_monitor {

// A mail as the queue holds it.
struct HeldMail {
  std::string key;  // notification_id
  std::int64_t claim = 0;
  std::int64_t message_id = 0;
};

struct LastLook {
  // kClosed and kDropped: recorded, and the message is ended.
  enum class Verdict { kSend, kRefused, kClosed, kDropped, kAsk, kUnknown, kLost };
  Verdict verdict = Verdict::kSend;
  std::string refusal;
  // Of an answer that a section closed: a newer run had settled the section.
  bool is_overtaken = false;
};

class RecheckStore {
 public:
  // Everything given by reference outlives the object. A state older than `state_age_max` is not
  // believed.
  RecheckStore(db::PgPool& pool, const Clock& clock, std::chrono::milliseconds state_age_max)
      : pool_(pool), clock_(clock), state_age_max_(state_age_max) {}

  // A look for each mail, in their order. Without `can_ask` a state is believed however old it is.
  boost::asio::awaitable<Result<std::vector<LastLook>>> look(std::vector<HeldMail> mails,
                                                             bool can_ask);

  boost::asio::awaitable<Result<std::int64_t>> next_epoch();

  // Judges a late mail by what the upstream said, and stores what follows. `answer` has seats.
  boost::asio::awaitable<Result<LastLook>> settle(HeldMail mail,
                                                  std::string class_nbr,
                                                  SeatAnswer answer);

 private:
  db::PgPool& pool_;
  const Clock& clock_;
  std::chrono::milliseconds state_age_max_;
};

}  // namespace edged::class_monitor

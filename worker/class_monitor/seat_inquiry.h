// SPDX-License-Identifier: Apache-2.0
// Asks the upstream about sections whose mails waited too long. Because many mails may wait for one
// section, it is asked once at a time, its answer is remembered, and also that there was no answer.
// Executor's thread; the object outlives its coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "proto/net/condition.h"
#include "worker/upstream/section_source.h"

namespace edged::class_monitor {

// What an answer says of a section; absent is unknown.
struct Seats {
  std::optional<std::int64_t> available;     // reserved ones included
  std::optional<std::int64_t> non_reserved;  // of these
};

struct SectionQuestion {
  std::string class_nbr;
  std::string term;
};
// Errors: the upstream did not answer, or knows no such section.
using AskSeats = std::function<boost::asio::awaitable<Result<Seats>>(SectionQuestion question)>;
// Asks as a run does, by the name "recheck". `source` outlives the function.
AskSeats ask_upstream(upstream::SectionSource& source);

// The epoch of what is asked next. Errors: of PostgreSQL.
using NextEpoch = std::function<boost::asio::awaitable<Result<std::int64_t>>()>;

struct SeatAnswer {
  Result<Seats> seats;
  std::int64_t epoch = 0;  // taken before the question: fences what is stored of the answer
  WallTime asked_at{};
  bool is_new = false;  // the upstream was asked, which may have taken long
};

struct SeatInquiryOptions {
  std::chrono::milliseconds answer_age_max{600'000};
  std::chrono::milliseconds failure_age_max{60'000};
  std::size_t remembered_max = 10'000;
};

class SeatInquiry {
 public:
  // `clock` outlives the object. Without `ask` nothing can be asked.
  SeatInquiry(const boost::asio::any_io_executor& executor,
              AskSeats ask,
              NextEpoch next_epoch,
              const Clock& clock,
              SeatInquiryOptions options)
      : ask_(std::move(ask)),
        next_epoch_(std::move(next_epoch)),
        clock_(clock),
        options_(options),
        answered_(executor) {}

  bool possible() const { return ask_ != nullptr; }

  // Errors: of PostgreSQL.
  boost::asio::awaitable<Result<SeatAnswer>> ask(SectionQuestion question);

  // The remembered answer was of no use: it counts as a failure.
  void doubt(const SectionQuestion& question);
  // It was overtaken.
  void forget(const SectionQuestion& question);

 private:
  struct Remembered {
    SeatAnswer answer;
    std::chrono::milliseconds until{};  // boot time
  };
  using Key = std::pair<std::string, std::string>;

  boost::asio::awaitable<Result<SeatAnswer>> ask_now(SectionQuestion question);
  void remember(const SectionQuestion& question,
                SeatAnswer answer,
                std::chrono::milliseconds asked_at);

  AskSeats ask_;
  NextEpoch next_epoch_;
  const Clock& clock_;
  SeatInquiryOptions options_;
  std::map<Key, Remembered> remembered_;
  std::set<Key> asked_;  // that have no answer yet
  net::AsyncCondition answered_;
};

}  // namespace edged::class_monitor

// SPDX-License-Identifier: Apache-2.0
// Asks the upstream about sections whose mails waited too long. Because many mails may wait for one
// section, its answer is remembered, and also that there was no answer. Executor's thread; the
// object outlives its coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/class_monitor/outbox_store.h"
#include "worker/class_monitor/seats.h"

namespace edged::mail {

struct SectionQuestion {
  std::string class_nbr;
  std::string term;
};
// Errors: the upstream did not answer, or knows no such section.
using AskSeats = std::function<boost::asio::awaitable<Result<Seats>>(SectionQuestion question)>;

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
  // Everything given by reference outlives the object. Without `ask` nothing can be asked.
  SeatInquiry(AskSeats ask, OutboxStore& store, const Clock& clock, SeatInquiryOptions options)
      : ask_(std::move(ask)), store_(store), clock_(clock), options_(options) {}

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

  void remember(const SectionQuestion& question,
                SeatAnswer answer,
                std::chrono::milliseconds asked_at);

  AskSeats ask_;
  OutboxStore& store_;
  const Clock& clock_;
  SeatInquiryOptions options_;
  std::map<Key, Remembered> remembered_;
};

}  // namespace edged::mail

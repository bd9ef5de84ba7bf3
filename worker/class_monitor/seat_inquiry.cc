// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/seat_inquiry.h"

#include <algorithm>

#include "worker/class_monitor/section_state.h"

namespace edged::class_monitor {
namespace {

using boost::asio::awaitable;

awaitable<Result<Seats>> ask_source(upstream::SectionSource* source, SectionQuestion question) {
  upstream::SectionKey key{std::move(question.class_nbr), std::move(question.term)};
  auto answer = co_await source->fetch(std::move(key), "recheck");
  if (!answer) co_return answer.error();
  const upstream::SectionObservation seen = normalize(std::move(*answer));
  co_return Seats{seen.seats_available, seen.non_reserved_seats};
}

}  // namespace

AskSeats ask_upstream(upstream::SectionSource& source) {
  return
      [from = &source](SectionQuestion question) { return ask_source(from, std::move(question)); };
}

awaitable<Result<SeatAnswer>> SeatInquiry::ask(SectionQuestion question) {
  const Key key(question.class_nbr, question.term);
  const Key* const kept = &key;
  co_await answered_.wait([this, kept] { return !asked_.contains(*kept); });
  const auto found = remembered_.find(key);
  if (found != remembered_.end() && clock_.boot_now() < found->second.until) {
    co_return found->second.answer;
  }
  asked_.insert(key);
  Result<SeatAnswer> answer = co_await ask_now(std::move(question));
  asked_.erase(key);
  answered_.notify_all();
  co_return answer;
}

awaitable<Result<SeatAnswer>> SeatInquiry::ask_now(SectionQuestion question) {
  Result<std::int64_t> epoch = co_await next_epoch_();
  if (!epoch) co_return epoch.error();
  const WallTime asked_at = clock_.wall_now();
  const std::chrono::milliseconds asked_at_boot = clock_.boot_now();
  SectionQuestion copy = question;
  Result<Seats> seats = co_await ask_(std::move(copy));
  SeatAnswer answer{std::move(seats), *epoch, asked_at, false};
  remember(question, answer, asked_at_boot);
  answer.is_new = true;
  co_return answer;
}

void SeatInquiry::remember(const SectionQuestion& question,
                           SeatAnswer answer,
                           std::chrono::milliseconds asked_at) {
  const std::chrono::milliseconds now = clock_.boot_now();
  std::erase_if(remembered_, [now](const auto& entry) { return entry.second.until <= now; });
  if (remembered_.size() >= options_.remembered_max) remembered_.clear();
  // A failure may have taken longer than it is remembered: that counts from its end.
  const auto until =
      answer.seats ? asked_at + options_.answer_age_max : now + options_.failure_age_max;
  remembered_.insert_or_assign(Key(question.class_nbr, question.term),
                               Remembered{std::move(answer), until});
}

void SeatInquiry::doubt(const SectionQuestion& question) {
  const auto found = remembered_.find(Key(question.class_nbr, question.term));
  if (found == remembered_.end()) return;
  const std::chrono::milliseconds until = clock_.boot_now() + options_.failure_age_max;
  found->second.until = std::min(found->second.until, until);
}

void SeatInquiry::forget(const SectionQuestion& question) {
  remembered_.erase(Key(question.class_nbr, question.term));
}

}  // namespace edged::class_monitor

// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/seat_inquiry.h"

#include <algorithm>

namespace edged::mail {

boost::asio::awaitable<Result<SeatAnswer>> SeatInquiry::ask(SectionQuestion question) {
  const auto found = remembered_.find(Key(question.class_nbr, question.term));
  if (found != remembered_.end() && clock_.boot_now() < found->second.until) {
    co_return found->second.answer;
  }
  Result<std::int64_t> epoch = co_await store_.next_epoch();
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

}  // namespace edged::mail

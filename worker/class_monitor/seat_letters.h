// SPDX-License-Identifier: Apache-2.0
// The job's mails: what they say, and whether one is still to be sent. Truth table rows 11 and 12
// of docs/class-monitor.md. Executor's thread; the object outlives its coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "worker/class_monitor/notification_facts.h"
#include "worker/class_monitor/recheck_store.h"
#include "worker/class_monitor/run_store.h"
#include "worker/class_monitor/seat_inquiry.h"
#include "worker/cron/time_zone.h"
#include "worker/mail/letter.h"

namespace edged::class_monitor {

// What the mail `key` says. Pure. `url`: of the application; empty: no link to it.
mail::Content render_notification(const NotificationFacts& facts,
                                  const std::string& key,
                                  const std::string& url,
                                  const worker::TimeZone& zone);

struct SeatLettersOptions {
  worker::TimeZone zone;  // of the times in a mail
  // A late mail is judged by the stored state if that was seen within this time; otherwise the
  // upstream is asked again.
  std::chrono::milliseconds state_age_max{600'000};
};

class SeatLetters final : public mail::LetterKind {
 public:
  static constexpr const char* kName = kJobName;

  // Everything given by reference outlives the object. Without `ask` a late mail is judged by the
  // state in PostgreSQL, however old.
  SeatLetters(boost::asio::any_io_executor executor,
              db::PgPool& pool,
              const Clock& clock,
              SeatLettersOptions options,
              AskSeats ask = {});

  Result<mail::Content> render(const mail::Letter& letter) const override;
  boost::asio::awaitable<Result<std::vector<mail::Judgement>>> recheck(
      std::vector<mail::Letter> letters) override;
  boost::asio::awaitable<Result<mail::Judgement>> ask(mail::Letter letter) override;

 private:
  SeatLettersOptions options_;
  RecheckStore store_;
  SeatInquiry inquiry_;
};

}  // namespace edged::class_monitor

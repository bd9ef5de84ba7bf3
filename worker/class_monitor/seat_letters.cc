// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/seat_letters.h"

#include <utility>

#include "worker/class_monitor/notification_text.h"
#include "worker/mail/mime.h"

namespace edged::class_monitor {
namespace {

using boost::asio::awaitable;
using mail::Judgement;
using mail::Letter;

constexpr std::size_t kHeaderBytesMax = 500;

HeldMail held(const Letter& letter) {
  return {letter.key, letter.claim, letter.message_id};
}

Judgement judgement_of(LastLook look) {
  using Kind = Judgement::Kind;
  switch (look.verdict) {
    case LastLook::Verdict::kSend:
      return {Kind::kSend, {}};
    case LastLook::Verdict::kRefused:
      return {Kind::kDrop, std::move(look.refusal)};
    case LastLook::Verdict::kClosed:
    case LastLook::Verdict::kDropped:
      return {Kind::kDropped, {}};
    case LastLook::Verdict::kAsk:
      return {Kind::kAskFirst, {}};
    case LastLook::Verdict::kUnknown:
      return {Kind::kRetry, "it is not known how many seats are open"};
    case LastLook::Verdict::kLost:
      break;
  }
  return {Kind::kLost, {}};
}

}  // namespace

mail::Content render_notification(const NotificationFacts& facts,
                                  const std::string& key,
                                  const std::string& url,
                                  const worker::TimeZone& zone) {
  const NotificationText text = word_notification(facts, url, zone);
  mail::Content content;
  content.subject = text.subject;
  content.text = text_part(text);
  content.html = html_part(text);
  content.headers = {
      {"X-Edged-Type", notification_type_name(facts.type)},
      {"X-Edged-Section", mail::one_line(facts.class_nbr, kHeaderBytesMax)},
      {"X-Edged-Term", mail::one_line(facts.term, kHeaderBytesMax)},
      {"X-Edged-Notification", key},
  };
  return content;
}

SeatLetters::SeatLetters(boost::asio::any_io_executor executor,
                         db::PgPool& pool,
                         const Clock& clock,
                         SeatLettersOptions options,
                         AskSeats ask)
    : options_(std::move(options)),
      store_(pool, clock, options_.state_age_max),
      inquiry_(executor,
               std::move(ask),
               [this] { return store_.next_epoch(); },
               clock,
               {.answer_age_max = options_.state_age_max}) {}

Result<mail::Content> SeatLetters::render(const Letter& letter) const {
  const Result<NotificationFacts> facts = read_facts(letter.data);
  if (!facts) return facts.error();
  return render_notification(*facts, letter.key, letter.url, options_.zone);
}

awaitable<Result<std::vector<Judgement>>> SeatLetters::recheck(std::vector<Letter> letters) {
  std::vector<HeldMail> mails;
  for (const Letter& letter : letters) mails.push_back(held(letter));
  auto looks = co_await store_.look(std::move(mails), inquiry_.possible());
  if (!looks) co_return looks.error();
  std::vector<Judgement> judgements;
  for (LastLook& look : *looks) judgements.push_back(judgement_of(std::move(look)));
  co_return judgements;
}

awaitable<Result<Judgement>> SeatLetters::ask(Letter letter) {
  const Result<NotificationFacts> facts = read_facts(letter.data);
  if (!facts) co_return Judgement{};  // render() says what is wrong
  const SectionQuestion question{facts->class_nbr, facts->term};
  SectionQuestion asked = question;
  Result<SeatAnswer> answer = co_await inquiry_.ask(std::move(asked));
  if (!answer) co_return answer.error();
  if (!answer->seats) {
    Status why =
        answer->seats.error().with_context("could not ask whether the section is still open");
    co_return Judgement{Judgement::Kind::kRetry, why.message()};
  }
  HeldMail mail = held(letter);
  std::string class_nbr = question.class_nbr;
  Result<LastLook> look =
      co_await store_.settle(std::move(mail), std::move(class_nbr), std::move(*answer));
  // The application's rules are against what would be stored: it may be mended.
  if (look.code() == Code::kInvalidArgument || look.code() == Code::kDenied) {
    co_return Judgement{Judgement::Kind::kRetry, look.error().message()};
  }
  if (!look) co_return look.error();
  if (look->verdict == LastLook::Verdict::kUnknown) inquiry_.doubt(question);
  if (look->is_overtaken) inquiry_.forget(question);
  Judgement judgement = judgement_of(std::move(*look));
  co_return judgement;
}

}  // namespace edged::class_monitor

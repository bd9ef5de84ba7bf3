// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/letter_outcomes.h"

#include <algorithm>
#include <boost/json.hpp>

#include "proto/base/log.h"
#include "proto/json/write_json.h"
#include "worker/mail/mime.h"
#include "worker/mail/sql.gen.h"

namespace edged::mail {
namespace {

namespace json = boost::json;

constexpr std::size_t kDetailBytesMax = 500;
constexpr std::size_t kProviderIdBytesMax = 200;

std::string note_of(const Letter& letter, const LetterEvent& event) {
  json::object object;
  object["key"] = letter.key;
  object["recipient"] = letter.recipient;
  object["event"] = event.event;
  if (!event.detail.empty()) object["detail"] = one_line(event.detail, kDetailBytesMax);
  if (!event.provider_id.empty()) {
    object["provider_id"] = one_line(event.provider_id, kProviderIdBytesMax);
  }
  if (event.is_bad_address) object["bad_address"] = true;
  return write_json(object);
}

// What became dead without the sender, as a message that is no mail, has no note.
json::array events_of(const std::vector<queue::Decision>& decisions) {
  json::array events;
  for (const queue::Decision& decision : decisions) {
    if (decision.note.empty()) continue;
    json::value event = json::parse(decision.note);
    if (decision.kind == queue::Decision::Kind::kDead) event.as_object()["event"] = "dead";
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace

std::optional<db::PgStatement> event_statement(const std::vector<queue::Decision>& decisions,
                                               std::string_view transport,
                                               WallTime now) {
  const json::array events = events_of(decisions);
  if (events.empty()) return std::nullopt;
  db::PgStatement statement{std::string(sql::mail::kRecordEvents), {}};
  statement.parameters.emplace_back(write_json(events));
  statement.parameters.emplace_back(std::string(transport));
  statement.parameters.emplace_back(format_rfc3339(now));
  return statement;
}

void LetterOutcomes::end(LetterBatch& batch, const LetterItem& item, const LetterEvent& event) {
  (event.event == "accepted" ? counters_.sent : counters_.dropped).add();
  batch.batch->ack(item.index, note_of(item.letter, event));
}

void LetterOutcomes::bury(LetterBatch& batch,
                          const LetterItem& item,
                          const std::string& why,
                          bool is_bad_address) {
  counters_.dead.add();
  log::error("[MAIL] mail " + item.letter.key + " will never be sent");
  batch.batch->bury(item.index, why, note_of(item.letter, {"dead", why, {}, is_bad_address}));
}

void LetterOutcomes::retry(LetterBatch& batch, const LetterItem& item, const std::string& why) {
  retry_at(batch, item, why, next_attempt(item.letter.attempts));
}

void LetterOutcomes::retry_at(LetterBatch& batch,
                              const LetterItem& item,
                              const std::string& why,
                              WallTime due_at) {
  if (item.letter.attempts >= attempts_max_) return bury(batch, item, why);
  counters_.retried.add();
  batch.batch->retry(item.index, due_at, note_of(item.letter, {"retry", why}));
}

WallTime LetterOutcomes::next_attempt(int attempts,
                                      std::optional<std::chrono::milliseconds> asked) {
  auto delay = Backoff::delay(backoff_, std::max(0, attempts - 1), random_);
  if (asked) delay = std::max(delay, *asked);
  return clock_.wall_now() + delay;
}

void LetterOutcomes::tell(const Delivery& delivery) {
  if (delivery.outcome != Delivery::Outcome::kMisconfigured) return;
  log::error("[MAIL] no mail leaves until this is mended: " + delivery.detail);
}

void LetterOutcomes::settle(LetterBatch& batch,
                            const LetterItem& item,
                            const Delivery& delivery,
                            const std::string& provider_id,
                            WallTime due_at) {
  switch (delivery.outcome) {
    case Delivery::Outcome::kAccepted:
      return end(batch, item, {"accepted", delivery.detail, provider_id});
    case Delivery::Outcome::kAddressBad:
      return bury(batch, item, delivery.detail, true);
    case Delivery::Outcome::kMessageBad:
      return bury(batch, item, delivery.detail);
    case Delivery::Outcome::kMisconfigured:
      if (item.letter.attempts < attempts_max_) break;
      // It is no fault of the mail: it waits until the setting is mended.
      counters_.retried.add();
      return batch.batch->retry_uncounted(
          item.index, due_at, note_of(item.letter, {"retry", delivery.detail}));
    case Delivery::Outcome::kTemporary:
    case Delivery::Outcome::kUnknown:  // rather one more copy than none
      break;
  }
  retry_at(batch, item, delivery.detail, due_at);
}

}  // namespace edged::mail

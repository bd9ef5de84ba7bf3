// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/recheck_store.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "worker/class_monitor/sql.gen.h"

namespace edged::class_monitor {
namespace {

using boost::asio::awaitable;

constexpr const char* kClosedAgain = "closed again before sending";

LastLook::Verdict verdict_of(std::string_view name) {
  using Verdict = LastLook::Verdict;
  constexpr std::pair<std::string_view, Verdict> kNames[] = {{"send", Verdict::kSend},
                                                             {"refused", Verdict::kRefused},
                                                             {"closed", Verdict::kClosed},
                                                             {"dropped", Verdict::kDropped},
                                                             {"ask", Verdict::kAsk},
                                                             {"unknown", Verdict::kUnknown}};
  for (const auto& [known, verdict] : kNames) {
    if (known == name) return verdict;
  }
  return Verdict::kLost;
}

LastLook read_look(const db::PgResult& result, int row) {
  LastLook look;
  look.verdict = verdict_of(result.text(row, 0));
  look.refusal = result.text(row, 1);
  return look;
}

std::optional<std::string> text_or_null(const std::optional<std::int64_t>& number) {
  if (!number) return std::nullopt;
  return std::to_string(*number);
}

// PostgreSQL's text form of an array. A key may hold anything.
void append_item(std::string& array, std::string_view item) {
  array += array.empty() ? "{\"" : ",\"";
  for (const char c : item) {
    if (c == '"' || c == '\\') array += '\\';
    array += c;
  }
  array += '"';
}

std::string closed_array(std::string array) {
  return array.empty() ? std::string("{}") : array.append("}");
}

}  // namespace

awaitable<Result<std::vector<LastLook>>> RecheckStore::look(std::vector<HeldMail> mails,
                                                            bool can_ask) {
  std::string keys, claims, messages;
  for (const HeldMail& mail : mails) {
    append_item(keys, mail.key);
    append_item(claims, std::to_string(mail.claim));
    append_item(messages, std::to_string(mail.message_id));
  }
  const WallTime now = clock_.wall_now();
  db::PgParameters parameters{closed_array(std::move(keys)),
                              closed_array(std::move(claims)),
                              closed_array(std::move(messages)),
                              format_rfc3339(now),
                              format_rfc3339(now - state_age_max_),
                              can_ask ? "true" : "false",
                              kClosedAgain};
  const auto result =
      co_await pool_.execute(std::string(sql::class_monitor::kRecheck), std::move(parameters));
  if (!result) co_return result.error().with_context("could not check mails before sending them");
  std::vector<LastLook> looks;
  for (int row = 0; row < result->rows(); ++row) looks.push_back(read_look(*result, row));
  if (looks.size() != mails.size()) {
    co_return Status(Code::kInternal,
                     "could not check mails before sending them: rows are missing");
  }
  co_return looks;
}

awaitable<Result<std::int64_t>> RecheckStore::next_epoch() {
  db::PgParameters none;
  const auto next =
      co_await pool_.execute(std::string(sql::class_monitor::kNextEpoch), std::move(none));
  if (!next) {
    co_return next.error().with_context("could not take an epoch before asking the upstream");
  }
  std::int64_t epoch = 0;
  const std::string_view text = next->text(0, 0);
  std::from_chars(text.data(), text.data() + text.size(), epoch);
  co_return epoch;
}

awaitable<Result<LastLook>> RecheckStore::settle(HeldMail mail,
                                                 std::string class_nbr,
                                                 SeatAnswer answer) {
  const WallTime now = clock_.wall_now();
  db::PgStatement lock{std::string(sql::class_monitor::kLockSection), {std::move(class_nbr)}};
  db::PgStatement settle{std::string(sql::class_monitor::kSettleAnswer),
                         {mail.key,
                          std::to_string(mail.claim),
                          std::to_string(mail.message_id),
                          std::to_string(answer.epoch),
                          format_rfc3339(answer.asked_at),
                          text_or_null(answer.seats->available),
                          text_or_null(answer.seats->non_reserved),
                          format_rfc3339(now),
                          format_rfc3339(now - state_age_max_),
                          kClosedAgain}};
  std::vector<db::PgStatement> statements;
  statements.push_back(std::move(lock));
  statements.push_back(std::move(settle));
  const auto results = co_await pool_.execute_pipeline(std::move(statements));
  if (!results) co_return results.error().with_context("could not store what the upstream said");
  const db::PgResult& settled = results->back();
  LastLook look;
  look.verdict = LastLook::Verdict::kLost;
  if (settled.rows() == 0) co_return look;
  look = read_look(settled, 0);
  look.is_overtaken = settled.text(0, 2) == "t";
  co_return look;
}

}  // namespace edged::class_monitor

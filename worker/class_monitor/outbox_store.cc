// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/outbox_store.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "worker/class_monitor/sql.gen.h"

namespace edged::mail {
namespace {

using boost::asio::awaitable;

template <typename Number = int>
Number to_number(std::string_view text) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::optional<std::int64_t> seats_at(const db::PgResult& result, int column) {
  if (result.rows() == 0 || result.is_null(0, column)) return std::nullopt;
  return to_number<std::int64_t>(result.text(0, column));
}

std::optional<std::string> text_or_null(const std::optional<std::int64_t>& number) {
  if (!number) return std::nullopt;
  return std::to_string(*number);
}

db::PgParameters parameters_of(const LeaseKey& lease) {
  return {std::to_string(lease.id), std::to_string(lease.number)};
}

}  // namespace

awaitable<Result<std::vector<OutboxRow>>> OutboxStore::claim(bool only_late) {
  db::PgParameters parameters{now_text(),
                              std::to_string(options_.batch_size),
                              now_text(options_.lease),
                              only_late ? "false" : "true"};
  Result<db::PgResult> claimed =
      co_await pool_.execute(std::string(sql::class_monitor::kClaimDue), std::move(parameters));
  if (!claimed) co_return claimed.error().with_context("could not claim mails");
  co_return read_claimed_rows(*claimed);
}

awaitable<Result<LastLook>> OutboxStore::look(LeaseKey lease, int new_attempts) {
  db::PgParameters parameters = parameters_of(lease);
  parameters.emplace_back(now_text());
  parameters.emplace_back(now_text(options_.lease));
  parameters.emplace_back(now_text(-options_.state_age_max));
  parameters.emplace_back(std::to_string(new_attempts));
  Result<db::PgResult> found = co_await pool_.execute(
      std::string(sql::class_monitor::kRenewAndCheck), std::move(parameters));
  if (!found) co_return found.error().with_context("could not check a mail before sending it");
  LastLook look;
  look.lease_lost = found->rows() == 0;
  look.refusal = found->optional_text(0, 0);
  look.is_late = found->text(0, 1) == "t";
  look.is_recent = found->text(0, 2) == "t";
  look.attempts = to_number(found->text(0, 3));
  look.include_reserved = found->text(0, 4) == "t";
  look.known = {seats_at(*found, 5), seats_at(*found, 6)};
  co_return look;
}

awaitable<Result<bool>> OutboxStore::renew(LeaseKey lease) {
  db::PgParameters parameters = parameters_of(lease);
  parameters.emplace_back(now_text(options_.lease));
  return change(std::string(sql::class_monitor::kRenew), std::move(parameters));
}

awaitable<Result<std::int64_t>> OutboxStore::next_epoch() {
  db::PgParameters none;
  Result<db::PgResult> next =
      co_await pool_.execute(std::string(sql::class_monitor::kNextEpoch), std::move(none));
  if (!next)
    co_return next.error().with_context("could not take an epoch before asking the upstream");
  co_return to_number<std::int64_t>(next->text(0, 0));
}

awaitable<Result<Settlement>> OutboxStore::settle_closing(LeaseKey lease,
                                                          Closing closing,
                                                          std::string reason) {
  db::PgParameters parameters = parameters_of(lease);
  parameters.emplace_back(std::to_string(closing.epoch));
  parameters.emplace_back(format_rfc3339(closing.asked_at));
  parameters.push_back(text_or_null(closing.seats.available));
  parameters.push_back(text_or_null(closing.seats.non_reserved));
  parameters.emplace_back(std::move(reason));
  parameters.emplace_back(now_text());
  db::PgStatement lock{std::string(sql::class_monitor::kLockSectionOfMail), {}};
  lock.parameters.push_back(parameters[0]);
  db::PgStatement settle{std::string(sql::class_monitor::kSettleClosing), std::move(parameters)};
  std::vector<db::PgStatement> statements;
  statements.push_back(std::move(lock));
  statements.push_back(std::move(settle));
  Result<std::vector<db::PgResult>> results =
      co_await pool_.execute_pipeline(std::move(statements));
  if (!results) co_return results.error().with_context("could not store that a section closed");
  const db::PgResult& settled = results->back();
  if (settled.rows() == 0) co_return Settlement::kLeaseLost;
  co_return settled.text(0, 0) == "t" ? Settlement::kDone : Settlement::kOvertaken;
}

awaitable<Result<bool>> OutboxStore::finish(LeaseKey lease,
                                            std::string status,
                                            std::optional<std::string> reason) {
  db::PgParameters parameters = parameters_of(lease);
  parameters.emplace_back(std::move(status));
  parameters.push_back(std::move(reason));
  parameters.emplace_back(now_text());
  return change(std::string(sql::class_monitor::kFinish), std::move(parameters));
}

awaitable<Result<bool>> OutboxStore::drop_and_release(LeaseKey lease, std::string reason) {
  db::PgParameters parameters = parameters_of(lease);
  parameters.emplace_back(std::move(reason));
  parameters.emplace_back(now_text());
  return change(std::string(sql::class_monitor::kDropAndRelease), std::move(parameters));
}

awaitable<Result<bool>> OutboxStore::retry(LeaseKey lease, std::chrono::milliseconds delay) {
  db::PgParameters parameters = parameters_of(lease);
  parameters.emplace_back(now_text(delay));
  return change(std::string(sql::class_monitor::kRetry), std::move(parameters));
}

awaitable<Result<int>> OutboxStore::pending_of_run(std::int64_t run_id) {
  db::PgParameters parameters;
  parameters.emplace_back(std::to_string(run_id));
  Result<db::PgResult> found = co_await pool_.execute(
      std::string(sql::class_monitor::kCountPendingOfRun), std::move(parameters));
  if (!found) co_return found.error();
  co_return to_number(found->text(0, 0));
}

awaitable<Result<bool>> OutboxStore::change(std::string sql, db::PgParameters parameters) {
  Result<db::PgResult> changed = co_await pool_.execute(std::move(sql), std::move(parameters));
  if (!changed) co_return changed.error().with_context("could not record a mail's delivery");
  co_return changed->affected_rows() > 0;
}

}  // namespace edged::mail

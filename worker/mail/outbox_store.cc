// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/outbox_store.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "worker/mail/sql.gen.h"

namespace edged::mail {
namespace {

using boost::asio::awaitable;

int to_int(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

db::PgParameters parameters_of(const LeaseKey& lease) {
  return {std::to_string(lease.id), std::to_string(lease.number)};
}

}  // namespace

awaitable<Result<std::vector<OutboxRow>>> OutboxStore::claim() {
  db::PgParameters parameters{
      now_text(), std::to_string(options_.batch_size), now_text(options_.lease)};
  Result<db::PgResult> claimed =
      co_await pool_.execute(std::string(sql::mail::kClaimDue), std::move(parameters));
  if (!claimed) co_return claimed.error().with_context("could not claim mails");
  co_return read_claimed_rows(*claimed);
}

awaitable<Result<LastLook>> OutboxStore::look(LeaseKey lease, int new_attempts) {
  db::PgParameters parameters = parameters_of(lease);
  parameters.emplace_back(now_text());
  parameters.emplace_back(now_text(options_.lease));
  parameters.emplace_back(now_text(-options_.state_age_max));
  parameters.emplace_back(std::to_string(new_attempts));
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::mail::kRenewAndCheck), std::move(parameters));
  if (!found) co_return found.error().with_context("could not check a mail before sending it");
  LastLook look;
  look.lease_lost = found->rows() == 0;
  look.refusal = found->optional_text(0, 0);
  look.is_late = found->text(0, 1) == "t";
  look.is_open = found->text(0, 2) == "t";
  look.is_recent = found->text(0, 3) == "t";
  look.attempts = to_int(found->text(0, 4));
  look.include_reserved = found->text(0, 5) == "t";
  co_return look;
}

awaitable<Result<bool>> OutboxStore::finish(LeaseKey lease,
                                            std::string status,
                                            std::optional<std::string> reason) {
  db::PgParameters parameters = parameters_of(lease);
  parameters.emplace_back(std::move(status));
  parameters.push_back(std::move(reason));
  parameters.emplace_back(now_text());
  return change(std::string(sql::mail::kFinish), std::move(parameters));
}

awaitable<Result<bool>> OutboxStore::drop_and_release(LeaseKey lease, std::string reason) {
  db::PgParameters parameters = parameters_of(lease);
  parameters.emplace_back(std::move(reason));
  parameters.emplace_back(now_text());
  return change(std::string(sql::mail::kDropAndRelease), std::move(parameters));
}

awaitable<Result<bool>> OutboxStore::retry(LeaseKey lease, std::chrono::milliseconds delay) {
  db::PgParameters parameters = parameters_of(lease);
  parameters.emplace_back(now_text(delay));
  return change(std::string(sql::mail::kRetry), std::move(parameters));
}

awaitable<Result<int>> OutboxStore::pending_of_run(std::int64_t run_id) {
  db::PgParameters parameters;
  parameters.emplace_back(std::to_string(run_id));
  Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::mail::kCountPendingOfRun), std::move(parameters));
  if (!found) co_return found.error();
  co_return to_int(found->text(0, 0));
}

awaitable<Result<bool>> OutboxStore::change(std::string sql, db::PgParameters parameters) {
  Result<db::PgResult> changed = co_await pool_.execute(std::move(sql), std::move(parameters));
  if (!changed) co_return changed.error().with_context("could not record a mail's delivery");
  co_return changed->affected_rows() > 0;
}

}  // namespace edged::mail

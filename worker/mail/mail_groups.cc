// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/mail_groups.h"

#include <boost/json.hpp>
#include <utility>

#include "worker/mail/sql.gen.h"
#include "worker/mail/text_array.h"

namespace edged::mail {

using boost::asio::awaitable;

namespace {

std::string repeatable_seconds() {
  return std::to_string(std::chrono::seconds(MailGroups::kRepeatableFor).count());
}

std::vector<std::string> keys_of(std::string_view text) {
  std::vector<std::string> keys;
  const boost::json::value parsed = boost::json::parse(text);
  for (const boost::json::value& key : parsed.as_array()) {
    keys.emplace_back(key.as_string());
  }
  return keys;
}

}  // namespace

awaitable<Result<std::vector<MailGroup>>> MailGroups::find(std::vector<std::string> keys) {
  db::PgParameters parameters{
      text_array(keys), format_rfc3339(clock_.wall_now()), repeatable_seconds()};
  const Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::mail::kFindMailGroups), std::move(parameters));
  if (!found) co_return found.error().with_context("could not look for requests with these mails");
  std::vector<MailGroup> groups;
  for (int row = 0; row < found->rows(); ++row) {
    MailGroup group;
    group.id = found->text(row, 0);
    group.body = found->text(row, 1);
    group.keys = keys_of(found->text(row, 2));
    groups.push_back(std::move(group));
  }
  co_return groups;
}

awaitable<Result<std::optional<std::string>>> MailGroups::store(std::string body,
                                                                std::vector<std::string> keys) {
  std::vector<db::PgStatement> statements(2);
  statements[0].sql = std::string(sql::mail::kLockMailGroups);
  statements[1].sql = std::string(sql::mail::kStoreMailGroup);
  statements[1].parameters = {
      std::move(body), text_array(keys), format_rfc3339(clock_.wall_now()), repeatable_seconds()};
  const Result<std::vector<db::PgResult>> stored =
      co_await pool_.execute_pipeline(std::move(statements));
  if (!stored) co_return stored.error().with_context("could not store a request before making it");
  const db::PgResult& inserted = stored->at(1);
  std::optional<std::string> id;
  if (inserted.rows() == 1) id = std::string(inserted.text(0, 0));
  co_return id;
}

awaitable<Status> MailGroups::dissolve(std::string id) {
  db::PgParameters parameters;
  parameters.emplace_back(std::move(id));
  const Result<db::PgResult> deleted =
      co_await pool_.execute(std::string(sql::mail::kDissolveMailGroup), std::move(parameters));
  if (!deleted) co_return deleted.error().with_context("could not dissolve a refused request");
  co_return Status();
}

awaitable<Result<std::int64_t>> MailGroups::delete_old(int count) {
  db::PgParameters parameters{format_rfc3339(clock_.wall_now()), std::to_string(count)};
  const Result<db::PgResult> deleted =
      co_await pool_.execute(std::string(sql::mail::kDeleteOldMailGroups), std::move(parameters));
  if (!deleted) co_return deleted.error().with_context("could not delete old requests");
  co_return deleted->affected_rows();
}

}  // namespace edged::mail

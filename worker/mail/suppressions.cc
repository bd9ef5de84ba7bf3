// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/suppressions.h"

#include <charconv>
#include <utility>

#include "proto/base/log.h"
#include "worker/mail/mime.h"
#include "worker/mail/sql.gen.h"

namespace edged::mail {

using boost::asio::awaitable;

namespace {
constexpr std::size_t kReasonBytesMax = 500;
}  // namespace

std::string suppression_source_name(SuppressionSource source) {
  if (source == SuppressionSource::kUnsubscribe) return "unsubscribe";
  return source == SuppressionSource::kBounce ? "bounce" : "operator";
}

awaitable<Result<bool>> Suppressions::add(std::string address,
                                          SuppressionSource source,
                                          std::string reason) {
  db::PgParameters row{std::move(address),
                       std::move(reason),
                       suppression_source_name(source),
                       format_rfc3339(clock_.wall_now())};
  const Result<db::PgResult> added =
      co_await pool_.execute(std::string(sql::mail::kSuppress), std::move(row));
  if (!added) co_return added.error().with_context("could not suppress an address");
  co_return added->affected_rows() > 0;
}

awaitable<void> Suppressions::note(std::string address, Delivery delivery) {
  if (delivery.outcome != Delivery::Outcome::kAddressBad) co_return;
  std::string reason = one_line(delivery.detail, kReasonBytesMax);
  const Result<bool> noted =
      co_await add(std::move(address), SuppressionSource::kBounce, std::move(reason));
  if (!noted) log::warn("[MAIL] " + noted.error().message());
}

awaitable<Result<bool>> Suppressions::remove(std::string address) {
  db::PgParameters row;
  row.emplace_back(std::move(address));
  const Result<db::PgResult> removed =
      co_await pool_.execute(std::string(sql::mail::kUnsuppress), std::move(row));
  if (!removed) co_return removed.error().with_context("could not end a suppression");
  co_return removed->affected_rows() > 0;
}

awaitable<Result<std::vector<Suppression>>> Suppressions::list() {
  const Result<db::PgResult> found =
      co_await pool_.execute(std::string(sql::mail::kListSuppressions), {});
  if (!found) co_return found.error().with_context("could not list the suppressed addresses");
  std::vector<Suppression> list;
  for (int row = 0; row < found->rows(); ++row) {
    Suppression one;
    one.address = found->text(row, 0);
    one.reason = found->text(row, 1);
    one.source = found->text(row, 2);
    const std::string_view ms = found->text(row, 3);
    std::int64_t since = 0;
    std::from_chars(ms.data(), ms.data() + ms.size(), since);
    one.since = format_rfc3339(from_unix_ms(since));
    list.push_back(std::move(one));
  }
  co_return list;
}

}  // namespace edged::mail

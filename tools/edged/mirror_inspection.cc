// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/mirror_inspection.h"

#include <boost/asio/this_coro.hpp>
#include <utility>

#include "tools/edged/mirror_parts.h"
#include "tools/edged/postgres_options.h"
#include "worker/db/pg_replication.h"
#include "worker/mirror/slot.h"

namespace edged {
namespace {

// Whether mirror.url is the way to the database that postgres.url names.
boost::asio::awaitable<Status> try_mirror_url(db::PgPool& pool, db::PgConnectOptions options) {
  auto connection = co_await db::PgReplicationConnection::connect(
      co_await boost::asio::this_coro::executor, std::move(options));
  if (!connection) co_return connection.error().with_context("mirror.url");
  Result<mirror::System> system = co_await mirror::identify_system(**connection);
  if (!system) co_return system.error().with_context("mirror.url");
  Status same = co_await mirror::check_same_database(pool, *std::move(system));
  co_return same;
}

}  // namespace

boost::asio::awaitable<Result<MirrorReport>> inspect_mirror(
    db::PgPool& pool, const config::Config& config, const std::vector<mirror::Rule>& rules) {
  MirrorReport report;
  Result<mirror::Catalogue> catalogue = co_await mirror::read_catalogue(pool, rules);
  if (!catalogue) co_return catalogue.error();
  report.catalogue = *std::move(catalogue);
  Result<mirror::ServerFacts> facts = co_await mirror::read_server_facts(pool);
  if (!facts) co_return facts.error();
  report.facts = *std::move(facts);
  const mirror::MirrorOptions names = mirror_options(config, "");
  const auto slot = co_await mirror::find_slot(pool, names.slot);
  if (!slot) co_return slot.error();
  if (*slot) report.facts.slots = 0;  // it is one of those that are in use
  Result<std::vector<std::string>> obstacles =
      co_await mirror_obstacles(names, report.facts, report.catalogue, pool);
  if (!obstacles) co_return obstacles.error();
  report.obstacles = *std::move(obstacles);
  if (config.mirror.url.empty()) co_return report;
  db::PgConnectOptions options = replication_options(config);
  options.application_name = "edged mirror";
  const Status direct = co_await try_mirror_url(pool, std::move(options));
  if (direct.code() == Code::kInvalidArgument || direct.code() == Code::kDenied) {
    report.obstacles.push_back(direct.message());
  } else if (!direct.ok()) {
    co_return direct;
  }
  co_return report;
}

}  // namespace edged

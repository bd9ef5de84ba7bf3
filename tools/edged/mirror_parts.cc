// SPDX-License-Identifier: Apache-2.0
// See mirror_parts.h.
#include "tools/edged/mirror_parts.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tools/edged/postgres_options.h"
#include "worker/mirror/catalogue.h"
#include "worker/mirror/publication.h"

namespace edged {

std::vector<mirror::Rule> rules_of(const config::Mirror& mirror) {
  std::vector<mirror::Rule> rules;
  for (const config::MirrorRule& one : mirror.rules) {
    mirror::Rule rule;
    rule.table = *mirror::parse_table_name(one.table);
    rule.key = *mirror::KeyTemplate::parse(one.key);
    if (one.column) rule.value = {mirror::RowValue::Kind::kColumn, *one.column};
    if (one.constant) rule.value = {mirror::RowValue::Kind::kConstant, *one.constant};
    rule.ttl = one.ttl;
    rule.expires = one.expires;
    rules.push_back(std::move(rule));
  }
  return rules;
}

mirror::MirrorOptions mirror_options(const config::Config& config, std::string who) {
  mirror::MirrorOptions options;
  options.ns = config.worker_namespace_id();
  options.rules = rules_of(config.mirror);
  options.slot = config.mirror.slot.empty() ? mirror::default_slot(options.ns) : config.mirror.slot;
  options.publication =
      config.mirror.publication.empty() ? options.slot : config.mirror.publication;
  options.temporary_slot = config.mirror.temporary_slot;
  options.heartbeat = config.mirror.heartbeat;
  options.who = std::move(who);
  options.postgres = replication_options(config);
  return options;
}

net::ClientOptions mirror_client_options(const config::Config& config) {
  net::ClientOptions options;
  options.address = config.node_address();
  options.tls_ca_file = config.worker.tls_ca;
  options.credential_file = config.worker.token_file;
  options.call_timeout = std::max(config.worker.node_timeout, std::chrono::milliseconds(10'000));
  options.connect_timeout = std::min(options.connect_timeout, config.worker.node_timeout);
  return options;
}

boost::asio::awaitable<Result<std::vector<std::string>>> mirror_obstacles(
    mirror::MirrorOptions options,
    mirror::ServerFacts facts,
    mirror::Catalogue catalogue,
    db::PgPool& pool) {
  std::vector<std::string> all = mirror::obstacles(facts, catalogue);
  const std::string beats = options.temporary_slot ? "" : mirror::heartbeat_obstacle(facts);
  if (!beats.empty()) all.push_back(beats);
  if (catalogue.tables.empty()) co_return all;
  const Result<mirror::PublicationPlan> plan =
      co_await mirror::plan_publication(pool, options.publication, catalogue.tables);
  if (!plan) co_return plan.error();
  const std::string publication = mirror::obstacle_of(*plan, options.publication);
  if (!publication.empty()) all.push_back(publication);
  co_return all;
}

boost::asio::awaitable<Result<MirrorChoice>> choose_mirror(const config::Config& config,
                                                           db::PgPool& pool) {
  const config::Mirror& mirror = config.mirror;
  if (!mirror.configured) co_return MirrorChoice{false, "no mirror is configured"};
  if (mirror.mode == "logical") co_return MirrorChoice{true, "mirror.mode is \"logical\""};
  if (mirror.mode == "cache-aside") {
    co_return MirrorChoice{false, "mirror.mode is \"cache-aside\""};
  }
  if (!config.postgres.session_state && mirror.url.empty()) {
    co_return MirrorChoice{
        false,
        "postgres.session_state is false, and a pooler does not pass replication on: "
        "set mirror.url to the URL of PostgreSQL itself"};
  }
  const std::vector<mirror::Rule> rules = rules_of(mirror);
  if (rules.empty()) co_return MirrorChoice{false, "mirror.rules is empty"};
  Result<mirror::Catalogue> catalogue = co_await mirror::read_catalogue(pool, rules);
  if (!catalogue) co_return catalogue.error();
  Result<mirror::ServerFacts> facts = co_await mirror::read_server_facts(pool);
  if (!facts) co_return facts.error();
  const mirror::MirrorOptions names = mirror_options(config, "");
  const auto slot = co_await mirror::find_slot(pool, names.slot);
  if (!slot) co_return slot.error();
  if (*slot) facts->slots = 0;  // it is one of those that are in use
  const auto in_the_way = co_await mirror_obstacles(names, *facts, *catalogue, pool);
  if (!in_the_way) co_return in_the_way.error();
  if (in_the_way->empty()) co_return MirrorChoice{true, "PostgreSQL allows logical replication"};
  co_return MirrorChoice{false, in_the_way->front()};
}

namespace {

struct PrefixMirror {
  bool answered = false;  // false: the node is away, slow, or lets nobody in
  bool owned = false;
  bool followed = false;
};

boost::asio::awaitable<PrefixMirror> ask_for_prefix(net::Client* client,
                                                    std::string ns,
                                                    std::string prefix,
                                                    WallTime fresh_after) {
  net::KvListRequest request;
  request.prefix = std::move(prefix);
  request.limit = 1;
  const Result<net::KvListPage> page = co_await client->list(std::move(ns), std::move(request));
  PrefixMirror mirror;
  mirror.answered = page || page.code() == Code::kStale;
  // Stale: it is a mirror's, which has not loaded it or has fallen behind.
  mirror.owned = page ? page->fresh_as_of.has_value() : page.code() == Code::kStale;
  mirror.followed = page && page->fresh_as_of && *page->fresh_as_of >= fresh_after;
  co_return mirror;
}

}  // namespace

boost::asio::awaitable<NodeMirror> ask_node_for_mirror(net::Client& client,
                                                       const config::Config& config,
                                                       WallTime now) {
  // As `edged mirror status` judges it.
  const auto late =
      std::max<std::chrono::milliseconds>(std::chrono::seconds(10), config.mirror.heartbeat * 5);
  const std::string ns = config.worker_namespace_id();
  const PrefixMirror states =
      co_await ask_for_prefix(&client, ns, class_monitor::kStateKeyPrefix, now - late);
  if (!states.answered) co_return NodeMirror{};  // not to be waited for twice
  const PrefixMirror claims =
      co_await ask_for_prefix(&client, ns, class_monitor::kClaimKeyPrefix, now - late);
  NodeMirror mirror;
  mirror.keys = {states.owned, claims.owned};
  mirror.followed = states.followed;
  co_return mirror;
}

class_monitor::MirroredKeys mirrored_keys(const config::Mirror& mirror) {
  class_monitor::MirroredKeys keys;
  for (const config::MirrorRule& rule : mirror.rules) {
    const auto table = mirror::parse_table_name(rule.table);
    if (!table) continue;
    if (rule.key == std::string(class_monitor::kStateKeyPrefix).append("{class_nbr}") &&
        table->name == "class_states" && rule.row) {
      keys.states = true;
    }
    if (rule.key.starts_with(class_monitor::kClaimKeyPrefix)) keys.claims = true;
  }
  return keys;
}

}  // namespace edged

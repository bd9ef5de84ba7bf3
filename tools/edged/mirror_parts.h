// SPDX-License-Identifier: Apache-2.0
// The mirror as the configuration wants it: shared by `edged worker`, `edged cron run` and `edged
// mirror`. The executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/net/client.h"
#include "tools/edged/config.h"
#include "worker/class_monitor/kv_states.h"
#include "worker/db/pg_pool.h"
#include "worker/mirror/catalogue.h"
#include "worker/mirror/mirror.h"
#include "worker/mirror/rule.h"

namespace edged {

// Of a configuration that was checked.
std::vector<mirror::Rule> rules_of(const config::Mirror& mirror);

// `who`: this worker's name, for people.
mirror::MirrorOptions mirror_options(const config::Config& config, std::string who);

// For the mirror's calls, which may take long.
net::ClientOptions mirror_client_options(const config::Config& config);

// Everything that stands in the way of logical replication, each with what to do. Errors: those of
// PgPool::execute.
boost::asio::awaitable<Result<std::vector<std::string>>> mirror_obstacles(
    mirror::MirrorOptions options,
    mirror::ServerFacts facts,
    mirror::Catalogue catalogue,
    db::PgPool& pool);

// `mirror.mode`, with "auto" decided: true for logical replication. `why`: what decided it.
struct MirrorChoice {
  bool logical = false;
  std::string why;
};
// Errors: those of PgPool::execute.
boost::asio::awaitable<Result<MirrorChoice>> choose_mirror(const config::Config& config,
                                                           db::PgPool& pool);

// What a mirror does with the job's keys in the node.
struct NodeMirror {
  class_monitor::MirroredKeys keys;  // they belong to it
  // It follows PostgreSQL: what is not there yet is worth waiting for.
  bool followed = false;

  bool operator==(const NodeMirror&) const = default;
};
// Asks the node, without the rights of a mirror: for a run beside a mirror that another process
// keeps. A node that does not answer has none.
boost::asio::awaitable<NodeMirror> ask_node_for_mirror(net::Client& client,
                                                       const config::Config& config,
                                                       WallTime now);

// Which of the job's keys the mirror's rules keep.
class_monitor::MirroredKeys mirrored_keys(const config::Mirror& mirror);

}  // namespace edged

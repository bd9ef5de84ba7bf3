// SPDX-License-Identifier: Apache-2.0
// The job's use of the KV node, in the classic flow: class_state:{class_nbr} and
// notif:{class_watch_id}:{type}. Nothing here fails the job: a node that is missing, dead, slow or
// lacks the namespace reads as misses, is logged once until it answers again, and is counted.
// On the executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/base/metrics.h"
#include "proto/net/client.h"
#include "worker/monitor/run_store.h"
#include "worker/monitor/section_state.h"

namespace edged::monitor {

struct KvStatesOptions {
  std::string ns;  // id of the namespace; empty: no KV is configured
  std::chrono::milliseconds state_ttl{std::chrono::hours(1)};
  std::chrono::milliseconds claim_ttl{std::chrono::hours(24)};
};

class KvStates {
 public:
  // `client` may be null: no KV. It outlives this object.
  KvStates(net::Client* client, KvStatesOptions options, MetricsRegistry& metrics);

  // The states that count as fresh: those that carry the epoch PostgreSQL has for the section.
  boost::asio::awaitable<std::map<std::string, StoredState>> read(
      std::vector<WatchedSection> sections);

  // Stores states under the epoch of the run that settled them.
  boost::asio::awaitable<void> write(std::vector<StoredState> states);

  // Mirrors claims ("{class_watch_id}:{type}") and their resets.
  boost::asio::awaitable<void> write_claims(std::vector<std::string> claims,
                                            std::vector<std::string> resets);

  bool configured() const { return client_ != nullptr && !options_.ns.empty(); }

 private:
  void note(const Status& status);

  net::Client* client_;
  KvStatesOptions options_;
  bool available_ = true;
  Gauge& available_gauge_;
  Counter& failures_;
};

}  // namespace edged::monitor

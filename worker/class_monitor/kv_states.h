// SPDX-License-Identifier: Apache-2.0
// The job's use of the KV node: class_state:{class_nbr} and notif:{class_watch_id}:{type}. In the
// classic flow the job writes both itself; where a mirror keeps them, it only reads.
//
// Nothing here fails the job. A node that is missing, dead, slow, full or lacks the namespace reads
// as misses, is logged once until it answers again, and is counted. After a call that timed out the
// node is not asked for 10 s, so that a run waits for it once. A single section whose key or value
// the node does not take goes without the node, is named in the log once, and does not affect the
// others. On the executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/base/metrics.h"
#include "proto/net/client.h"
#include "worker/class_monitor/cache_policy.h"
#include "worker/class_monitor/run_store.h"
#include "worker/class_monitor/section_state.h"

namespace edged::class_monitor {

struct KvStatesOptions {
  std::string ns;  // id of the namespace; empty: no KV is configured
  std::chrono::milliseconds state_ttl{kStateLifetime};
  std::chrono::milliseconds claim_ttl{kClaimLifetime};
};

// The keys that a mirror keeps instead of the job.
struct MirroredKeys {
  bool states = false;
  bool claims = false;

  bool operator==(const MirroredKeys&) const = default;
};

class KvStates {
 public:
  // `client` may be null: no KV. It outlives this object.
  KvStates(net::Client* client, KvStatesOptions options, MetricsRegistry& metrics);

  // The states that count as fresh: those that carry the epoch PostgreSQL has for the section; of
  // a mirror all, once it has reached `position` (PostgreSQL's text; within a second).
  boost::asio::awaitable<std::map<std::string, StoredState>> read(
      std::vector<WatchedSection> sections, std::string position = {});

  // The mirror keeps these from now on.
  void set_mirrored(MirroredKeys mirrored) { mirrored_ = mirrored; }

  // Stores states under the epoch of the run that settled them, unless a newer one is there.
  boost::asio::awaitable<void> write(std::vector<StoredState> states);

  // Mirrors claims ("{class_watch_id}:{type}") and their resets.
  boost::asio::awaitable<void> write_claims(std::vector<std::string> claims,
                                            std::vector<std::string> resets);

  bool configured() const { return client_ != nullptr && !options_.ns.empty(); }

 private:
  static std::optional<StoredState> fresh_state(const WatchedSection& section,
                                                const std::string& value,
                                                bool mirrored);
  using Entries = std::vector<std::optional<net::KvEntry>>;
  // What was found under a key, by which a put makes sure that it replaces just that.
  struct Seen {
    std::uint64_t version = 0;  // 0: nothing
    std::int64_t epoch = 0;
  };
  void note_seen(const std::string& key, const std::optional<net::KvEntry>& entry);
  boost::asio::awaitable<std::vector<StoredState>> put_newer(std::vector<StoredState> states);
  // Whether the node takes such a key, and names it in the log if not.
  bool is_fit(const std::string& key);
  // Says once that the entry goes without the node.
  void go_without(const std::string& key, const std::string& why);
  enum class Call { kRead, kWrite };
  // False: a call timed out a moment ago, and the node is not asked again yet.
  bool worth_asking() const;
  void note(Call call, const Status& status);
  // After a read that was answered with this code.
  boost::asio::awaitable<void> explain_unknown_namespace(Code answer);

  net::Client* client_;
  KvStatesOptions options_;
  MirroredKeys mirrored_;
  std::map<std::string, Seen> seen_;       // by key; of the sections of the last runs
  std::set<std::string> unfit_;            // keys that were named in the log as going without
  bool read_ok_ = true, write_ok_ = true;  // the last of each
  bool namespace_explained_ = false;       // and not found since
  std::chrono::steady_clock::time_point slow_until_{};
  Gauge& available_gauge_;
  Counter& failures_;
};

}  // namespace edged::class_monitor

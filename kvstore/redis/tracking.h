// SPDX-License-Identifier: Apache-2.0
// CLIENT TRACKING: which clients keep which keys in caches of their own, and who is told when a key
// changes. A key is registered before it is read, so that no change after the read is missed.
// Changes come from the store's feed, and so those by other clients, other faces and mirrors are
// noticed alike. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kvstore/redis/pub_sub.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"

namespace edged::redis {

class Tracking {
 public:
  // How many keys are registered for all clients together. Above it one key is given up: its
  // clients are told to drop it.
  static constexpr std::size_t kKeysMax = 1'000'000;

  // Starts or replaces a client's tracking. `inbox` gets the invalidations. `prefixes`: of BCAST,
  // not empty then; without them the client's keys are kept as it reads them.
  void start(std::uint64_t client, std::shared_ptr<Inbox> inbox, std::vector<std::string> prefixes);
  void stop(std::uint64_t client);

  // The client is about to read the key.
  void keep(std::uint64_t client, storage::NamespaceNumber ns, std::string_view key);
  // An entry that a client has read expires at this time. sweep() tells the client when it is over.
  void expires(storage::NamespaceNumber ns, std::string_view key, WallTime at);

  // The key has changed, and expires at this time.
  void changed(storage::NamespaceNumber ns,
               const std::string& key,
               std::optional<WallTime> expires_at);
  // Anything in the namespace may have changed: all clients drop everything.
  void lost(storage::NamespaceNumber ns);
  // Tells the clients of entries that have expired by `now`.
  void sweep(WallTime now);

  bool empty() const;

 private:
  struct Client {
    std::shared_ptr<Inbox> inbox;
    std::vector<std::string> prefixes;  // of BCAST
  };
  struct Name {
    storage::NamespaceNumber ns = 0;
    std::string key;
    auto operator<=>(const Name&) const = default;
  };
  struct Expiry {
    WallTime at;
    Name name;
    bool operator>(const Expiry& other) const { return at > other.at; }
  };

  void tell(const Name& name);
  // False: nobody wanted to know.
  bool tell_prefixes(const std::string& key);

  mutable std::mutex mutex_;  // guards what follows
  std::unordered_map<std::uint64_t, Client> clients_;
  std::map<Name, std::set<std::uint64_t>> keys_;
  std::priority_queue<Expiry, std::vector<Expiry>, std::greater<>> expiries_;
};

}  // namespace edged::redis

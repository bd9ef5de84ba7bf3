// SPDX-License-Identifier: Apache-2.0
// Writes imported entries into a namespace of the node, in groups, and keeps account of each. One
// thread; blocks on the node.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/base/status.h"
#include "proto/net/blocking_client.h"

namespace edged::kvctl {

struct BulkStoreOptions {
  bool if_absent = false;  // a key that exists keeps its entry
  bool sync = false;       // a group is on disk before the next one is sent
};

struct BulkCounts {
  std::uint64_t stored = 0;
  std::uint64_t expired = 0;   // had expired when they were to be written: left out
  std::uint64_t existing = 0;  // with if_absent
  std::uint64_t bytes = 0;     // of keys and values that were stored
};

class BulkStore {
 public:
  // The client outlives it. `ns`: the id.
  BulkStore(net::BlockingClient& client, std::string ns, BulkStoreOptions options);

  // Takes an entry over; writes the group that is full. `name` is what an error calls it, as
  // "entry 17". A node that is busy or away is asked again for about a minute.
  // Errors: what the node answered, with the entry's name; how far it came says settled().
  Status add(net::PutItem item, std::string name);
  // Writes what has been taken over. After the last entry.
  Status flush();

  const BulkCounts& counts() const { return counts_; }
  // The number of entries, from the first one on, that need not be given again: they are stored,
  // had expired or existed. After an error, entries behind the one that failed may be stored too.
  std::uint64_t settled() const { return settled_; }

 private:
  struct Pending {
    net::PutItem item;
    std::string name;
    bool expired = false;
  };

  Status write_group();
  Result<std::vector<Result<std::uint64_t>>> put_group();
  Status count(const Pending& pending, const Status& status);

  net::BlockingClient& client_;
  const std::string ns_;
  const BulkStoreOptions options_;
  std::vector<Pending> group_;
  std::size_t group_bytes_ = 0;
  BulkCounts counts_;
  std::uint64_t settled_ = 0;
};

}  // namespace edged::kvctl

// SPDX-License-Identifier: Apache-2.0
// Changes rows of the benchmark's table at a rate, or as fast as PostgreSQL takes it, and keeps the
// node up to date in one of three ways. Each call blocks its thread until it is done.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/base/status.h"

namespace edged::bench {

// What is changed, and how often. The table is (id int primary key, version bigint, pad text).
struct WritePlan {
  std::string table;
  std::string prefix;         // of the keys, which end in the row's id
  std::int64_t ids = 10'000;  // from 1 on
  std::int64_t rows = 1;      // of a transaction: neighbours
  double rate = 0;            // transactions a second; 0: as many as can be
  std::chrono::milliseconds duration{2'000}, warm_up{300};
  std::uint64_t seed = 1;
};

struct Node {
  std::string address;
  std::string ns;
};

struct Written {
  std::uint64_t transactions = 0;  // those of the warm-up included
  std::uint64_t late = 0;          // began more than their interval after they were due
  double seconds = 0;              // from the first statement to the last answer
  std::uint64_t questions = 0;     // that were asked of the nodes until it was there
  double caught_up_seconds = 0;    // to when the last row could be read; 0: not asked
  // Of each node, what was measured, in order.
  std::vector<std::vector<std::chrono::nanoseconds>> latencies;
};

// A mirror brings the rows to the nodes: the time from before the statement until the last row of
// the transaction can be read from each node. Without a rate only the end is waited for. `lanes`
// connections write, each its own part of the ids, and share the rate. `pause`: see ReadablePoller.
Result<Written> write_mirrored(const WritePlan& plan,
                               const std::vector<Node>& nodes,
                               unsigned lanes,
                               std::chrono::microseconds pause);

// The application brings the row to the node itself: from before the statement until it is there.
enum class Aside {
  kBoth,  // it puts the new value behind the statement
  kFill,  // it invalidates the key; who reads next takes the lease, selects the row and puts it
};
Result<Written> write_aside(const WritePlan& plan, const Node& node, Aside how);

}  // namespace edged::bench

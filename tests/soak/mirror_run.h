// SPDX-License-Identifier: Apache-2.0
// What the threads of the mirror's soak share. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "tests/soak/mirror_oracle.h"

namespace edged::soak {

// Lets many in, or nobody.
class Gate {
 public:
  void enter();  // waits while it is closed
  void leave();
  void close();  // returns when nobody is inside
  void open();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  bool closed_ = false;
};

enum Table : std::size_t { kCounters, kItems, kDocs, kTables };

struct Figures {
  std::atomic<std::uint64_t> reads{0}, judged{0}, stale{0}, failed{0}, bounded{0}, positions{0};
  std::atomic<std::uint64_t> transactions{0}, rows{0}, rollbacks{0}, large{0}, truncates{0};
  std::atomic<std::uint64_t> unknown{0}, refused{0}, violations{0};
};

struct MirrorRun {
  // Fixed once threads run.
  std::string sql_url;       // of the database, past the proxy
  std::string node_address;  // of net::ClientOptions
  std::string ns;

  Oracle oracle;
  Gate writers;
  std::array<Gate, kTables> tables;
  std::atomic<bool> stop{false};
  // When the tables or the publication last changed: until the worker has seen that, positions move
  // past changes that it is not sent.
  std::atomic<std::int64_t> shape_changed_ms{0};
  // Answer::unsettled.
  bool unsettled(const Answer& answer) const;
  Figures figures;

  // Counts a broken promise, and prints the first ones.
  void violation(const std::string& what);
};

}  // namespace edged::soak

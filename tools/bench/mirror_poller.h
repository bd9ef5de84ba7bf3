// SPDX-License-Identifier: Apache-2.0
// Waits until versions of rows can be read from a node, in the order in which they were committed,
// by asking for their keys again and again in a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "proto/base/status.h"
#include "proto/net/client.h"

namespace edged::bench {

using SteadyTime = std::chrono::steady_clock::time_point;

// Makes short sleeps of the calling thread short: the kernel's default rounds them up by 50 µs.
void sleep_precisely();

// The member "version" of a row as the mirror writes it; nothing if there is none.
std::optional<std::int64_t> version_in(std::string_view row);

class ReadablePoller {
 public:
  struct Options {
    std::string address;
    std::string ns;
    std::chrono::microseconds pause{0};  // between two questions; 0: none
  };
  struct Pending {
    std::string key;
    std::int64_t version = 0;
    SteadyTime sent;
    bool measured = true;
  };

  explicit ReadablePoller(Options options);
  ~ReadablePoller();
  ReadablePoller(const ReadablePoller&) = delete;
  ReadablePoller& operator=(const ReadablePoller&) = delete;

  // Any thread.
  void add(Pending pending);
  // No more will come: waits until all could be read. Errors: kDeadlineExceeded (one could not be
  // read for a minute), those of the node.
  Status finish();

  // After finish(): from sent to readable of each that was measured; when the last one was there.
  const std::vector<std::chrono::nanoseconds>& latencies() const { return latencies_; }
  SteadyTime last() const { return last_; }
  std::uint64_t questions() const { return questions_; }

 private:
  void run();
  Status await_all();
  std::optional<Pending> next();

  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Pending> waiting_;  // guarded, as finished_
  bool finished_ = false;
  Status status_;  // the thread's until it is joined, as those below
  std::vector<std::chrono::nanoseconds> latencies_;
  SteadyTime last_;
  std::uint64_t questions_ = 0;
  std::thread thread_;
};

}  // namespace edged::bench

// SPDX-License-Identifier: Apache-2.0
// How long a peer may still keep the server waiting for one body or one answer: a grace, and one
// second more for each `rate_min` bytes that have moved. The server's own time does not count. Any
// thread, one at a time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace edged::http {

class TransferBudget {
 public:
  using Clock = std::chrono::steady_clock;

  TransferBudget(std::chrono::milliseconds grace, std::size_t rate_min)
      : grace_(grace), rate_min_(std::max<std::size_t>(1, rate_min)) {}

  // Begins to wait; `bytes` more are to move by the time that is returned.
  Clock::time_point begin(std::uint64_t bytes = 0) {
    began_ = Clock::now();
    const auto earned = std::chrono::milliseconds((bytes_ + bytes) * 1000 / rate_min_);
    return began_ + std::max(grace_ + earned - waited_, Clock::duration(0));
  }
  // The wait is over; `bytes` have moved.
  void end(std::uint64_t bytes) {
    waited_ += Clock::now() - began_;
    bytes_ += bytes;
  }

 private:
  const Clock::duration grace_;
  const std::size_t rate_min_;
  Clock::time_point began_{};
  Clock::duration waited_{0};
  std::uint64_t bytes_ = 0;
};

}  // namespace edged::http

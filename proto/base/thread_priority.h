// SPDX-License-Identifier: Apache-2.0
// Which threads give way when there are fewer cores than work. Only speed depends on it: where the
// system refuses, it has no effect. For the calling thread.
#pragma once

#include <chrono>
#include <thread>

namespace edged {

// 0 is everybody's, 19 gives way most. Needs no rights to raise it.
void set_thread_nice(int nice);

// For a thread that has much to do in small pieces: after each 150 µs of work it offers its core to
// a thread that may have none, since the kernel would only look at its next tick, milliseconds
// later. Offering it after every piece would cost more than the small pieces.
class CoreOffer {
 public:
  // The thread waited, and begins to work.
  void begin() { working_since_ = Clock::now(); }
  // A piece is done.
  void piece_done() {
    if (Clock::now() - working_since_ < kStretch) return;
    std::this_thread::yield();
    begin();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds kStretch{150};
  Clock::time_point working_since_{};
};

}  // namespace edged

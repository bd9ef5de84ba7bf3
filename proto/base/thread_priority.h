// SPDX-License-Identifier: Apache-2.0
// Which threads give way, and which come soon, when there are fewer cores than work. Nothing but
// speed depends on it: where the system refuses, it is without effect. Both are of the calling
// thread.
#pragma once

#include <chrono>
#include <thread>

namespace edged {

// 0 is everybody's, 19 gives way most. Needs no rights to raise it.
void set_thread_nice(int nice);

// Asks for the core in slices of that length, 0.1 to 100 ms: a short one comes sooner after a
// wake-up, before threads with longer ones, at no larger share of the core. For threads that many
// wait for and that seldom work long. Linux before 6.12 does not heed it.
void set_thread_slice(std::chrono::nanoseconds slice);

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

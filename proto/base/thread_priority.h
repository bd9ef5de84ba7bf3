// SPDX-License-Identifier: Apache-2.0
// Which threads give way, and which come soon, when there are fewer cores than work. Nothing but
// speed depends on it: where the system refuses, it is without effect. Both are of the calling
// thread.
#pragma once

#include <chrono>

namespace edged {

// 0 is everybody's, 19 gives way most. Needs no rights to raise it.
void set_thread_nice(int nice);

// Asks for the core in slices of that length, 0.1 to 100 ms: a short one comes sooner after a
// wake-up, before threads with longer ones, at no larger share of the core. For threads that many
// wait for and that seldom work long. Linux before 6.12 does not heed it.
void set_thread_slice(std::chrono::nanoseconds slice);

}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
// Which threads give way when there are fewer cores than work.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

namespace edged {

// Sets the nice value of the calling thread: 0 is everybody's, 19 gives way most. Needs no rights
// to raise it. Without effect where the system refuses; nothing but speed depends on it.
inline void set_thread_nice(int nice) {
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nice));
}

}  // namespace edged

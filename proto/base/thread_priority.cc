// SPDX-License-Identifier: Apache-2.0
// See thread_priority.h.
#include "proto/base/thread_priority.h"

#include <sys/resource.h>
#include <unistd.h>

namespace edged {

void set_thread_nice(int nice) {
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nice));
}

}  // namespace edged

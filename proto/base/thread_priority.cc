// SPDX-License-Identifier: Apache-2.0
// See thread_priority.h.
#include "proto/base/thread_priority.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace edged {
namespace {

// The kernel's sched_attr, first version (sched_setattr(2)); some C libraries have no declaration,
// others one that clashes with the kernel's.
struct SchedulerAttributes {
  std::uint32_t size = sizeof(SchedulerAttributes);
  std::uint32_t policy = 0;  // 0: SCHED_OTHER
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0;  // the slice
  std::uint64_t deadline_ns = 0;
  std::uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulerAttributes) == 48);

}  // namespace

void set_thread_nice(int nice) {
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nice));
}

void set_thread_slice(std::chrono::nanoseconds slice) {
  SchedulerAttributes attributes;
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0U) != 0 ||
      attributes.policy != 0) {
    return;  // somebody gave the process another policy: that is to stay
  }
  attributes.runtime_ns = static_cast<std::uint64_t>(slice.count());
  static_cast<void>(::syscall(SYS_sched_setattr, 0, &attributes, 0U));
}

}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
// For `edged serve` under a service manager: children report to it as they would to the service
// manager themselves, and it reports one state for all of them. READY once every child is ready;
// WATCHDOG while no child that was ready has been silent for a period of the watchdog, so that one
// that hangs makes the service manager restart everything. One thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <map>

#include "proto/base/service_manager.h"

namespace edged {

class ChildReports {
 public:
  using Clock = std::chrono::steady_clock;

  // `manager` outlives it; null, or without a service manager: every call does nothing. Otherwise
  // sets NOTIFY_SOCKET and WATCHDOG_USEC for children that are started from then on.
  ChildReports(ServiceManager* manager, std::size_t children);
  ~ChildReports();
  ChildReports(const ChildReports&) = delete;
  ChildReports& operator=(const ChildReports&) = delete;

  void started(pid_t child);
  void ended(pid_t child);
  void reloading();  // the children have been told; each says when it is ready again
  void stopping();

  // Reads what has come, and passes on what follows from it. The time after which it wants to be
  // called again.
  Clock::duration relay(Clock::time_point now);

 private:
  struct State {
    bool ready = false;
    bool watched = false;  // it was ready once
    Clock::time_point alive{};
  };

  void listen();
  void receive(Clock::time_point now);
  bool all_ready() const;
  bool all_alive(Clock::time_point now) const;

  ServiceManager* manager_;
  const std::size_t children_;
  int socket_ = -1;
  std::map<pid_t, State> states_;  // of those that run
  bool told_ready_ = false;
  bool stopping_ = false;
  Clock::time_point told_alive_{};
};

}  // namespace edged

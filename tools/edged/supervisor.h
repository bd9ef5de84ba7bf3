// SPDX-License-Identifier: Apache-2.0
// Keeps child processes running: starts them, restarts with back-off the one that ended, forwards
// SIGHUP, and ends all of them on SIGTERM or SIGINT. Children are independent of each other, and
// get SIGTERM if the supervisor itself dies. Processes that are reparented to it (as process 1 of a
// container) are reaped. ChildReports tells the service manager of the children. Beside the calling
// thread only threads that block all signals, such as the log's, may run.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/base/service_manager.h"
#include "tools/edged/child_reports.h"

namespace edged {

struct SupervisedProgram {
  std::string name;               // for the log
  std::string executable;         // a path
  std::vector<std::string> argv;  // with argv[0]
};

struct SupervisorOptions {
  std::chrono::milliseconds delay_first{200};  // doubles at each failure
  std::chrono::milliseconds delay_max{10'000};
  std::chrono::milliseconds stable_after{10'000};  // running that long resets the delay
  std::chrono::milliseconds stop_timeout{12'000};  // then SIGKILL
  ServiceManager* manager = nullptr;               // outlives the supervisor; null: none
};

class Supervisor {
 public:
  Supervisor(std::vector<SupervisedProgram> programs, SupervisorOptions options);

  // Returns 0 after SIGTERM or SIGINT, once no child is left; a second one kills at once.
  int run();

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Child {
    SupervisedProgram program;
    Backoff backoff;
    pid_t pid = 0;  // 0: not running
    Time started{};
    Time start_at{};  // if not running
  };

  void start(Child& child);
  void reap();
  void schedule_restart(Child& child, int wait_status);
  void start_due();
  bool any_running() const;
  void signal_all(int signal) const;
  Time next_wake_up() const;
  void handle(int signal);

  std::vector<Child> children_;
  const SupervisorOptions options_;
  ChildReports reports_;
  sigset_t signals_{};
  sigset_t signals_before_{};
  bool stopping_ = false;
  Time kill_at_{};
};

}  // namespace edged

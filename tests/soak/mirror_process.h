// SPDX-License-Identifier: Apache-2.0
// A program of ours as a child that can be killed and started again. One thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace edged::soak {

// Runs a program to its end, its output in `log`; its exit status, 128 if it was killed.
int run_program(const std::vector<std::string>& arguments, const std::string& log);

class MirrorProcess {
 public:
  // What it says is appended to `log`.
  MirrorProcess(std::vector<std::string> arguments, std::string log)
      : arguments_(std::move(arguments)), log_(std::move(log)) {}
  ~MirrorProcess();
  MirrorProcess(const MirrorProcess&) = delete;
  MirrorProcess& operator=(const MirrorProcess&) = delete;

  // Does nothing if it runs.
  void start();
  // With SIGKILL; returns when it is dead.
  void kill();
  bool started() const { return process_ != 0; }
  // Whether it has ended by itself since its start; it counts as not started then.
  bool ended();

  // What follows `mark` on each line of the log that has it.
  std::vector<std::string> log_lines(const std::string& mark) const;

 private:
  const std::vector<std::string> arguments_;
  const std::string log_;
  pid_t process_ = 0;
};

}  // namespace edged::soak

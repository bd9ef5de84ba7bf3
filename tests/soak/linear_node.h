// SPDX-License-Identifier: Apache-2.0
// An `edged node` as a child process that can be killed and started again on the same directory.
// One thread.
#pragma once

#include <sys/types.h>

#include <string>

#include "proto/base/status.h"

namespace edged::soak {

class LinearNode {
 public:
  // `program` is the built edged; `directory` exists.
  LinearNode(std::string program, std::string directory)
      : program_(std::move(program)), directory_(std::move(directory)) {}
  ~LinearNode();
  LinearNode(const LinearNode&) = delete;
  LinearNode& operator=(const LinearNode&) = delete;

  // Returns when it takes connections. Errors: kUnavailable (it ended, or did not within 120 s).
  Status start();
  // With SIGKILL; returns when it is dead.
  void kill();

  std::string socket_path() const { return directory_ + "/kv.sock"; }

 private:
  std::string program_, directory_;
  pid_t process_ = 0;
};

}  // namespace edged::soak

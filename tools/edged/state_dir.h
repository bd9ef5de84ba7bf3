// SPDX-License-Identifier: Apache-2.0
// The worker's state directory: locked by one process at a time, it keeps the worker's name across
// restarts (so that a restarted worker takes its own run over at once) and the ports in use. A copy
// on another machine gets a name of its own: two live workers of one name would take each other's
// runs.
#pragma once

#include <string>

#include "proto/base/status.h"

namespace edged {

class StateDir {
 public:
  // Creates the directory, closes it to other users, locks it and reads or makes the worker's name.
  // Errors: kIoError: it cannot be created or written; kBusy: another worker runs on it.
  static Result<StateDir> open(const std::string& path,
                               const std::string& machine_id_file = "/etc/machine-id");

  ~StateDir();
  StateDir(StateDir&& other) noexcept;
  StateDir& operator=(StateDir&&) = delete;

  // 32 hexadecimal digits, the same at every start on this machine.
  const std::string& worker_name() const { return worker_name_; }

  // Replaces `name` in the directory by `content` in one step. Errors: kIoError, kDiskFull.
  Status write(const std::string& name, const std::string& content) const;
  void remove(const std::string& name) const;

 private:
  StateDir(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}

  std::string path_;
  int lock_fd_ = -1;
  std::string worker_name_;
};

}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
// --dev without --data: a temporary directory for node and worker, removed at the end. One thread.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "tools/edged/flags.h"

namespace edged {

class DevDir {
 public:
  // Puts the directory into `flags` if --dev is there and --data is not; unix socket included.
  // False if it cannot be made.
  bool prepare(Flags& flags) {
    if (!flags.dev || !flags.data_dir.empty()) return true;
    std::error_code error;
    std::string pattern =
        std::filesystem::temp_directory_path(error).string() + "/edged-dev-XXXXXX";
    if (error || ::mkdtemp(pattern.data()) == nullptr) return false;
    path_ = pattern;
    flags.data_dir = path_ + "/node";
    flags.unix_path = flags.unix_path.empty() ? flags.data_dir + "/kv.sock" : flags.unix_path;
    flags.state_dir = flags.state_dir.empty() ? path_ + "/worker" : flags.state_dir;
    return true;
  }
  DevDir() = default;
  ~DevDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  DevDir(const DevDir&) = delete;
  DevDir& operator=(const DevDir&) = delete;

 private:
  std::string path_;
};

}  // namespace edged

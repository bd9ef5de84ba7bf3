// SPDX-License-Identifier: Apache-2.0
// Copies files with their SHA-256, not faster than is allowed. Blocks on disk; one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged::backup {

// 64 hexadecimal digits.
std::string sha256_of(std::string_view bytes);

// Sleeps so that no more than a number of bytes pass in a second.
class Throttle {
 public:
  explicit Throttle(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}  // 0: no bound
  void pass(std::uint64_t bytes);

 private:
  const std::uint64_t rate_;
  std::chrono::steady_clock::time_point next_{};
};

struct FileSum {
  std::uint64_t bytes = 0;
  std::string sha256;
};

// Puts a copy under a name that does not exist yet, for its owner alone; it is on disk when this
// returns, but not its name: sync_directory(). After an error nothing is left of it. Errors:
// kNotFound (the source); kExists; kDiskFull; kIoError; all with the path.
Result<FileSum> copy_file(const std::string& from, const std::string& to, Throttle& throttle);

// Errors: kNotFound; kIoError.
Result<FileSum> sum_file(const std::string& path, Throttle& throttle);

// Errors: kIoError, kDiskFull.
Status sync_directory(const std::string& path);

// "could not copy "a": no space left on device", by errno.
Status file_error(std::string_view attempted, const std::string& path, int error);

}  // namespace edged::backup

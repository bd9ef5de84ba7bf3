// SPDX-License-Identifier: Apache-2.0
// Reads a small file that a person named: a configuration, a token, a list. Devices, pipes and
// directories are refused before anything is read of them, and a file that is too large is not read
// to its end. Blocks on disk; any thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "proto/base/status.h"

namespace edged {

struct FileContent {
  std::string bytes;
  uid_t owner = 0;  // owner and mode are of the file that was read, links followed
  mode_t mode = 0;  // the permission bits
};

// Errors, whose message is the reason alone ("it is a directory", "permission denied"):
// kNotFound; kInvalidArgument: no regular file; kTooLarge: more than `bytes_max`; kIoError.
Result<FileContent> read_small_file(const std::string& path, std::size_t bytes_max);

// Why a file that was found by itself, and not named by the user, is not to be trusted: another
// user than the process's and root owns it or its directory, or can write one of them. Empty: it
// may be. `owner` and `mode` are those of the file that was read.
std::string why_not_own_file(const std::string& path, const FileContent& content);

}  // namespace edged

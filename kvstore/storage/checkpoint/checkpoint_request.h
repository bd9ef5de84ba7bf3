// SPDX-License-Identifier: Apache-2.0
// The other side of checkpoints.h: asks the node that runs on a data directory for a checkpoint.
// The file system decides who may: root and the node's own user. Blocks on disk; any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged::storage {

// Below checkpoints/: a request is the file <name>.request; its answer is the directory <name>, or
// the file <name>.failed with a line that says why.
inline constexpr std::string_view kRequestSuffix = ".request";
inline constexpr std::string_view kMakingSuffix = ".making";
inline constexpr std::string_view kFailedSuffix = ".failed";

inline std::string checkpoints_path(const std::string& data_dir) {
  return data_dir + "/checkpoints";
}

// 16 hexadecimal digits.
bool is_checkpoint_name(std::string_view text);

// Waits for the checkpoint, at most `patience`, and answers its path. It holds everything that was
// acknowledged before the call. The caller locks it within 10 s, by opening it as a store for
// reading, and removes it at the end. Errors: kNotFound (no store there); kUnavailable (no node
// runs on it, or it does not answer); kDenied (another user's); kIoError: the node could not, with
// its reason.
Result<std::string> request_checkpoint(const std::string& data_dir,
                                       std::chrono::milliseconds patience);

// Requires that its user holds no lock on it any more. Errors: kIoError.
Status remove_checkpoint(const std::string& path);

}  // namespace edged::storage

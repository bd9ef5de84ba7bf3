// SPDX-License-Identifier: Apache-2.0
// Replaces a small file in one step: a reader sees the old content or the new, also after a crash.
// Blocks on disk; one writer per path at a time.
#pragma once

#include <string>

#include "proto/base/status.h"

namespace edged {

// `mode` is the new file's, less the umask. Errors: kDiskFull, kIoError, with the path; the old
// file then stands.
Status replace_file(const std::string& path, const std::string& content, unsigned mode = 0600);

}  // namespace edged

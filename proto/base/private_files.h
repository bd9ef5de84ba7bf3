// SPDX-License-Identifier: Apache-2.0
// Directories and files that only their owner may open: 0700 and 0600, whatever the umask. What the
// programs keep on disk (values, mails, hashes of tokens) is nobody else's. Blocks on disk; any
// thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"

namespace edged {

// The umask of a program that keeps such files: what it creates is its own. Call it first in main:
// threads and child processes inherit it.
void use_private_umask();

// Creates `path` and each missing directory above it with mode 0700. Directories that exist keep
// their mode. Errors: kDiskFull, kIoError, with the path.
// `what` is what the message calls it.
Status make_private_directory(const std::string& path, std::string_view what = "directory");

// Takes the rights of group and others away from the directory `path` and from the files `names` in
// it. A name may be a directory; then its files are tightened too, at any depth, if it was open
// itself. Sockets and symbolic links are left alone, as is what does not exist. The log says what
// changed. The directory keeps its mode, and the log says why, if
// - it is a shared one, as /tmp is: sticky, or with entries of another user in it, who would lose
//   them;
// - this process may not change it.
void tighten_private_directory(const std::string& path, const std::vector<std::string_view>& names);

}  // namespace edged

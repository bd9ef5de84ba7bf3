// SPDX-License-Identifier: Apache-2.0
// A token kept in a file, so that it is on no command line. Blocks on disk; any thread.
#pragma once

#include <string>

#include "proto/base/status.h"

namespace edged::net {

// The file's first line. Errors: kInvalidArgument (no such file, empty, too long for a token,
// readable by everybody).
Result<std::string> read_credential_file(const std::string& path);

}  // namespace edged::net

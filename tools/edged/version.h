// SPDX-License-Identifier: Apache-2.0
// Which edged this is: the version of CMake's project(), and the commit it was built from. Pure.
#pragma once

#include <string>
#include <string_view>

namespace edged {

std::string_view version();  // "0.1.0"

// What --version prints: "edged 0.1.0\ncommit 0123456789ab", and with an engine the line
// "engine rocksdb 9.10.0". A tree without git has the commit "unknown".
std::string version_text(std::string_view program, std::string_view engine = {});

}  // namespace edged

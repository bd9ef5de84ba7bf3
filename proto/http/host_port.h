// SPDX-License-Identifier: Apache-2.0
// "127.0.0.1:4781" and "[::1]:4781" taken apart. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "proto/base/status.h"

namespace edged::http {

struct HostPort {
  std::string host;  // without brackets
  std::uint16_t port = 0;
};

// Errors: kInvalidArgument.
Result<HostPort> split_host_port(const std::string& address);

}  // namespace edged::http

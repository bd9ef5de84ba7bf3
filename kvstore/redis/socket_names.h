// SPDX-License-Identifier: Apache-2.0
// The addresses of a connected socket as CLIENT LIST shows them. Any thread.
#pragma once

#include <string>

namespace edged::redis {

// "127.0.0.1:34020", "[::1]:6379"; of a unix socket "PATH:0"; empty if it is not known.
std::string socket_name(int socket, bool of_peer);

}  // namespace edged::redis

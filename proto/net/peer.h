// SPDX-License-Identifier: Apache-2.0
// Who the kernel says is at the other end of a unix socket. Any thread.
#pragma once

#include <string>

namespace edged::net {

// True for a connected unix socket whose other end root or this process's own user opened: they can
// read the node's files anyway. False for anything else.
bool is_own_peer(int socket);

// Where the other end is, for shares: an IPv4 address, the network of an IPv6 address (its first 64
// bits, which one machine may have all to itself), or the user of a unix socket.
std::string peer_address(int socket);

}  // namespace edged::net

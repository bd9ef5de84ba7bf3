// SPDX-License-Identifier: Apache-2.0
// Who the kernel says is at the other end of a unix socket. Any thread.
#pragma once

namespace edged::server {

// True for a connected unix socket whose other end root or this process's own user opened: they can
// read the node's files anyway. False for anything else.
bool is_own_peer(int socket);

}  // namespace edged::server

// SPDX-License-Identifier: Apache-2.0
// Finds out why no node answered at an address: nobody listens, the socket may not be opened, or
// another protocol is spoken there. Opens at most three connections of its own. Blocks for at most
// a few seconds.
#pragma once

#include <optional>
#include <string>

#include "proto/base/status.h"

namespace edged::kvctl {

// `address` as --addr takes it. The reason with what to do about it; nothing if the peer speaks the
// binary protocol, so that the reason lies elsewhere. Codes: kUnavailable (nobody listens), kDenied
// (no permission on the socket), kUnsupported (another protocol), kBusy (closed at once),
// kDeadlineExceeded (silent).
std::optional<Status> find_reason(const std::string& address);

}  // namespace edged::kvctl

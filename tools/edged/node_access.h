// SPDX-License-Identifier: Apache-2.0
// Whether the node lets this worker in. The executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "proto/net/client.h"
#include "tools/edged/config.h"
#include "tools/edged/duties.h"

namespace edged {

// Asks the node once. If it wants a token, or does not take the one that it was shown, logs which
// key to set and how to make a token. All outlive the call.
boost::asio::awaitable<void> tell_missing_token(net::Client& client,
                                                const config::Config& config,
                                                const Duties& duties);

}  // namespace edged

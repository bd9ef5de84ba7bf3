// SPDX-License-Identifier: Apache-2.0
// Opens the listening end of a unix socket. A socket file that nobody listens on any more, left by
// a process that was killed, is replaced; anything else at the path is left alone. Any thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <string>

#include "proto/base/status.h"

namespace edged::net {

// Binds and listens. The file gets mode 0660; the caller removes it in the end. Errors:
// kInvalidArgument (the path's length); kUnavailable ("could not listen on \"/run/kv.sock\": …").
Result<boost::asio::local::stream_protocol::acceptor> open_unix_acceptor(
    const boost::asio::any_io_executor& executor, const std::string& path, int backlog);

}  // namespace edged::net

// SPDX-License-Identifier: Apache-2.0
// What libpq would refuse in a connection URL or keyword string, found before anything connects and
// told without a word of what may be a password: libpq's own messages quote the URL. Pure but for
// the environment that libpq reads; any thread.
#pragma once

#include <string>

#include "proto/base/status.h"

namespace edged::db {

// Errors: kInvalidArgument: names the parameter or the part that is wrong, and what to do. Values
// are not repeated, except those of parameters with a fixed list of words, such as sslmode.
Status check_connection_url(const std::string& url);

}  // namespace edged::db

// SPDX-License-Identifier: Apache-2.0
// The one place where PostgreSQL's errors become edged's: SQLSTATE to Code. Pure; any thread.
// Source: PostgreSQL 15 documentation, appendix A.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged::db {

// The code for an error the server reported while a statement ran. An empty `sqlstate` means the
// connection was lost: kUnknownOutcome.
Code code_for_sqlstate(std::string_view sqlstate);

// The status for a failed statement: "relation \"x\" does not exist (SQLSTATE 42P01)". `message` is
// the server's primary message, `detail` its detail or empty.
Status statement_error(std::string_view sqlstate,
                       std::string_view message,
                       std::string_view detail);

// The status for a failed attempt to connect, from libpq's message with PQERRORS_VERBOSE: kDenied
// if the server refused the user (class 28), kUnavailable otherwise. Keeps the first line, without
// its code.
Status connect_error(std::string_view libpq_message);

}  // namespace edged::db

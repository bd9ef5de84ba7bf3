// SPDX-License-Identifier: Apache-2.0
// The one place where PostgreSQL's errors become edged's: SQLSTATE to Code. Pure; any thread.
// Source: PostgreSQL 15 documentation, appendix A.
#pragma once

#include <string>
#include <string_view>
#include <vector>

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

// Of the same message: true if a server answered and will not have us (its user, database or
// request). libpq tries no other host then, and what is wrong should be seen; a server that is
// starting, stopping or out of something is not of that kind.
bool is_refusal(std::string_view libpq_message);

// What several attempts to connect came to, in their order, as one status: the last one's code, and
// what the first few said. Requires one.
Status join_connect_errors(const std::vector<Status>& errors);

}  // namespace edged::db

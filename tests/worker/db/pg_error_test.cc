// SPDX-License-Identifier: Apache-2.0
// Which SQLSTATE becomes which code, and what is left of libpq's connection messages.
#include "worker/db/pg_error.h"

#include <gtest/gtest.h>

namespace edged::db {
namespace {

TEST(PgErrorTest, TranslatesSqlstates) {
  const struct {
    const char* sqlstate;
    Code code;
  } cases[] = {
      {"40001", Code::kConflict},
      {"40P01", Code::kConflict},
      {"57014", Code::kDeadlineExceeded},
      {"57P01", Code::kUnknownOutcome},
      {"08006", Code::kUnknownOutcome},
      {"42501", Code::kDenied},
      {"42P01", Code::kInvalidArgument},
      {"23505", Code::kInvalidArgument},
      {"53100", Code::kDiskFull},
      {"53200", Code::kUnavailable},
      {"25006", Code::kUnavailable},
      {"XX001", Code::kCorruption},
      {"XX000", Code::kInternal},
      {"", Code::kUnknownOutcome},
  };
  for (const auto& test : cases)
    EXPECT_EQ(code_for_sqlstate(test.sqlstate), test.code) << test.sqlstate;
}

TEST(PgErrorTest, NamesTheSqlstateAndTheDetail) {
  const Status status = statement_error("23505", "duplicate key", "Key (id)=(1) already exists.");
  EXPECT_EQ(status.message(), "duplicate key (Key (id)=(1) already exists.) (SQLSTATE 23505)");
}

TEST(PgErrorTest, ReadsTheCodeOfARefusedConnection) {
  const Status status = connect_error(
      "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password "
      "authentication "
      "failed for user \"x\"\nLOCATION:  auth_failed, auth.c:330\n");
  EXPECT_EQ(status.code(), Code::kDenied);
  EXPECT_EQ(
      status.message(),
      "could not connect to PostgreSQL: connection to server at \"127.0.0.1\", port 5432 failed: "
      "FATAL: password authentication failed for user \"x\"");
}

TEST(PgErrorTest, OtherConnectionFailuresAreUnavailable) {
  const Status starting =
      connect_error("failed: FATAL:  57P03: the database system is starting up\n");
  EXPECT_EQ(starting.code(), Code::kUnavailable);
  EXPECT_EQ(starting.message(),
            "could not connect to PostgreSQL: failed: FATAL: the database system is starting up");
  EXPECT_EQ(connect_error("Connection refused\n\tIs the server running?\n").message(),
            "could not connect to PostgreSQL: Connection refused");
  EXPECT_NE(connect_error("FATAL:  08P01: unsupported startup parameter: options\n")
                .message()
                .find("set postgres.session_state to false"),
            std::string::npos);
  EXPECT_EQ(connect_error("").message(), "could not connect to PostgreSQL: no connection");
}

TEST(PgErrorTest, ARefusalIsWhatTheServerSaidLast) {
  const struct {
    const char* message;
    bool refusal;
  } cases[] = {
      {"failed: FATAL:  28P01: password authentication failed\nLOCATION:  auth_failed\n", true},
      {"failed: FATAL:  3D000: database \"x\" does not exist\n", true},
      {"failed: FATAL:  57P03: the database system is starting up\n", false},
      {"failed: FATAL:  57P01: terminating connection\n", false},
      {"failed: FATAL:  53300: too many connections\n", false},
      {"failed: Connection refused\n\tIs the server running?\n", false},
      {"failed: session is read-only\n", false},
      {"failed: FATAL:  28000: no encryption\nfailed: FATAL:  57P03: starting up\n", false},
      {"failed: FATAL:  57P03: starting up\nfailed: FATAL:  28000: no encryption\n", true},
      {"", false},
  };
  for (const auto& test : cases) EXPECT_EQ(is_refusal(test.message), test.refusal) << test.message;
}

TEST(PgErrorTest, SeveralFailuresBecomeOne) {
  const Status refused = connect_error("refused"), lost(Code::kUnavailable, "could not resolve");
  EXPECT_EQ(join_connect_errors({refused}).message(), refused.message());
  const Status denied = connect_error("FATAL:  28P01: wrong password\n");
  const Status joined = join_connect_errors({lost, refused, denied});
  EXPECT_EQ(joined.code(), Code::kDenied);
  EXPECT_EQ(joined.message(), "could not resolve; refused; FATAL: wrong password");
  EXPECT_EQ(join_connect_errors(std::vector<Status>(6, refused)).message(),
            "could not connect to PostgreSQL: refused; refused; refused; refused; and 2 more");
}

}  // namespace
}  // namespace edged::db

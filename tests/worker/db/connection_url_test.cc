// SPDX-License-Identifier: Apache-2.0
// Which connection URLs are refused, what is said about them, and that no password is said.
#include "worker/db/connection_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace edged::db {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ConnectionUrlTest, AcceptsWhatLibpqAccepts) {
  for (const char* url : {"postgres://db",
                          "postgresql://",
                          "postgresql:///app?host=/run/postgresql",
                          "postgresql://u:p%40ss%2Fword@db.example:6432/app",
                          "postgresql://u@[::1]:5432/app?sslmode=verify-full&sslrootcert=/ca.pem",
                          "postgresql://u@a,b:6000,[::1]/app?target_session_attrs=read-write",
                          "postgresql://u@a:1,b:2/app",
                          "postgresql://u@h/app?ssl=true",
                          "postgresql://u@h/app?sslmode=require&channel_binding=require",
                          "postgresql://u@h/app?options=-c%20search_path%3Dx&application_name=a",
                          "host=db dbname=app user=u password='a b\\'c' connect_timeout=5",
                          "host=a,b port=5432 dbname=app",
                          "service=app"}) {
    EXPECT_EQ(check_connection_url(url).message(), "") << url;
  }
}

struct Refused {
  const char* url;
  std::vector<const char*> said;
};

TEST(ConnectionUrlTest, NamesTheParameterAndWhatToDo) {
  const std::vector<Refused> cases{
      {"postgresql://u:secret@h/app?pgbouncer=true",
       {"\"pgbouncer\"", "postgres.session_state to false"}},
      {"postgres://u:secret@h:6543/app?pgbouncer=true&connection_limit=1",
       {"\"pgbouncer\"", "\"connection_limit\"", "postgres.pool_size"}},
      {"postgresql://u:secret@h/app?schema=public", {"\"schema\"", "remove it"}},
      {"postgresql://u:secret@h/app?pool_timeout=10", {"\"pool_timeout\"", "statement_timeout"}},
      {"postgresql://u:secret@h/app?statement_cache_size=0", {"postgres.prepared_statements"}},
      {"postgresql://u:secret@h/app?sslaccept=strict", {"\"sslaccept\"", "sslmode=verify-full"}},
      {"postgresql://u:secret@h/app?ssl=false", {"\"ssl\"", "sslmode"}},
      {"postgresql://u:secret@h/app?sslmode=no-verify", {"no-verify", "sslmode=require"}},
      {"postgresql://u:secret@h/app?sslmode=required", {"sslmode=required", "verify-full"}},
      {"postgresql://u:secret@h/app?SSLMODE=require", {"\"SSLMODE\"", "write \"sslmode\""}},
      {"postgresql://u:secret@h/app?target_session_attrs=master", {"target_session_attrs=master"}},
      {"postgresql://u:secret@h/app?sslmode=require&supa=base-pooler.x", {"\"supa\"", "remove"}},
      {"postgresql://u:secret@h/app?uselibpqcompat=true", {"\"uselibpqcompat\""}},
      {"postgresql://u:secret@h/app?replication=database", {"\"replication\"", "remove it"}},
      {"postgresql://u:secret@h/app?connect_timeout=5s", {"connect_timeout", "not a number"}},
      {"postgresql://u:secret@h/app?sslmode", {"\"sslmode\"", "NAME=VALUE"}},
      {"host=h password=secret pgbouncer=true", {"\"pgbouncer\"", "session_state"}},
      {"host=h password='secret word' sslmode=no-verify", {"no-verify", "sslmode=require"}},
      {"host=h password=secret dbname", {"keyword string"}},
      {"jdbc:postgresql://h/app?user=u&password=secret", {"jdbc:postgresql", "postgresql://"}},
      {"postgresql+asyncpg://u:secret@h/app", {"postgresql+asyncpg", "postgresql://"}},
      {"POSTGRESQL://u:secret@h/app", {"POSTGRESQL", "postgresql://"}},
      {"prisma://h/?api_key=secret", {"prisma", "postgresql://"}},
      {" postgresql://u:secret@h/app", {"blank at its beginning or end"}},
      {"postgresql://u:secret@h/app\n", {"line break"}},
      {"postgresql://u:secret@h,i/app?port=1,2,3", {"differ in number"}},
      {"postgresql://u:secret@h:99999/app", {"port"}},
      {"postgresql://u:secret@[::1/app", {"IPv6"}},
  };
  for (const Refused& one : cases) {
    const Status status = check_connection_url(one.url);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << one.url;
    for (const char* said : one.said) EXPECT_THAT(status.message(), HasSubstr(said)) << one.url;
    EXPECT_THAT(status.message(), Not(HasSubstr("secret"))) << one.url;
  }
}

// A password whose special characters are not percent-encoded ends up in other parts of the URL:
// none of them is repeated.
TEST(ConnectionUrlTest, NeverRepeatsAPassword) {
  for (const char* url : {"postgresql://u:hush%zz@h/app",
                          "postgresql://u:hush%@h/app",
                          "postgresql://u:hu%00sh@h/app",
                          "postgresql://u:pa/hush@h/app",
                          "postgresql://u:123/hush@h/app",
                          "postgresql://u:pa@hush@h/app",
                          "postgresql://u:pa:hush/x@h/app",
                          "postgresql://u:pa]hush[@h:x/app",
                          "postgresql://u:pa/?hush&hush=hush&x@h/app",
                          "postgresql://u:pass@h/app?password=hush&hush",
                          "postgresql://u@h/app?password=%hush",
                          "host=h password='hush",
                          "host=h password=pa hush",
                          "hush"}) {
    const Status status = check_connection_url(url);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << url;
    EXPECT_THAT(status.message(), Not(HasSubstr("hush"))) << url;
  }
}

TEST(ConnectionUrlTest, SaysThatAPasswordMustBeEncoded) {
  for (const char* url :
       {"postgresql://u:pa/ss@h/app", "postgresql://u:p@ss@h/app", "postgresql://u:1/ss@h/app"}) {
    EXPECT_THAT(check_connection_url(url).message(), HasSubstr("percent-encoded")) << url;
  }
  EXPECT_THAT(check_connection_url("postgresql://u:100%@h/app").message(),
              HasSubstr("the user or the password"));
}

}  // namespace
}  // namespace edged::db

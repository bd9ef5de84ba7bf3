// SPDX-License-Identifier: Apache-2.0
// What becomes of a connection URL.
#include "worker/db/pg_target.h"

#include <gtest/gtest.h>

namespace edged::db {
namespace {

PgConnectOptions with_url(std::string url) {
  PgConnectOptions options;
  options.url = std::move(url);
  return options;
}

TEST(PgTargetTest, SetsTheSession) {
  Result<PgSettings> settings = parse_settings(with_url("postgresql://u:p@db.example:6000/app"));
  ASSERT_TRUE(settings);
  EXPECT_EQ((*settings)["host"], "db.example");
  EXPECT_EQ((*settings)["dbname"], "app");
  EXPECT_EQ((*settings)["options"],
            "-c statement_timeout=5000 -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres"
            " -c extra_float_digits=1 -c bytea_output=hex -c quote_all_identifiers=off"
            " -c standard_conforming_strings=on"
            " -c default_transaction_isolation=read\\ committed -c jit=off");
  EXPECT_EQ((*settings)["client_encoding"], "UTF8");
}

TEST(PgTargetTest, SetsAReplicationSession) {
  PgConnectOptions options = with_url("postgresql://h/app?client_encoding=LATIN1");
  options.replication = true;
  Result<PgSettings> settings = parse_settings(options);
  ASSERT_TRUE(settings);
  EXPECT_TRUE(
      (*settings)["options"].ends_with(" -c row_security=off -c lock_timeout=0"
                                       " -c idle_in_transaction_session_timeout=0"));
  EXPECT_EQ((*settings)["client_encoding"], "UTF8");
}

TEST(PgTargetTest, KeepsTheOptionsOfTheUrl) {
  Result<PgSettings> settings =
      parse_settings(with_url("postgresql://h/app?options=-c%20work_mem%3D8MB&keepalives_idle=5"));
  ASSERT_TRUE(settings);
  EXPECT_TRUE((*settings)["options"].starts_with("-c work_mem=8MB -c statement_timeout=5000 "));
  EXPECT_EQ((*settings)["keepalives_idle"], "5");
}

TEST(PgTargetTest, NeverRepeatsAUrlItCannotParse) {
  const Result<PgSettings> settings =
      parse_settings(with_url("postgresql://u:secret@h:1/db?nonsense=1"));
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.code(), Code::kInvalidArgument);
  EXPECT_EQ(settings.error().message().find("secret"), std::string::npos);
  EXPECT_NE(settings.error().message().find("\"nonsense\""), std::string::npos);
}

TEST(PgTargetTest, PairsHostsWithPorts) {
  const Result<std::vector<PgHost>> hosts =
      list_hosts({{"host", "a.example,10.0.0.1"}, {"port", "1,2"}});
  ASSERT_TRUE(hosts);
  ASSERT_EQ(hosts->size(), 2U);
  EXPECT_TRUE(needs_resolving((*hosts)[0]));
  EXPECT_FALSE(needs_resolving((*hosts)[1]));
  EXPECT_EQ((*hosts)[1].port, "2");
}

TEST(PgTargetTest, AsksTheDnsForNamesOnly) {
  EXPECT_FALSE(needs_resolving({"/run/postgresql", "", "5432"}));
  EXPECT_FALSE(needs_resolving({"::1", "", "5432"}));
  EXPECT_FALSE(needs_resolving({"db.example", "10.0.0.1", "5432"}));
  EXPECT_FALSE(needs_resolving({"", "", "5432"}));
  EXPECT_TRUE(needs_resolving({"localhost", "", "5432"}));
}

TEST(PgTargetTest, RefusesListsOfDifferentLength) {
  EXPECT_EQ(list_hosts({{"host", "a,b,c"}, {"port", "1,2"}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(list_hosts({{"host", "a,b"}, {"hostaddr", "10.0.0.1"}}).code(), Code::kInvalidArgument);
}

TEST(PgTargetTest, ASingleServerKeepsItsSettings) {
  for (const PgSettings& settings : {PgSettings{{"service", "x"}},
                                     PgSettings{{"host", "/run/postgresql"}},
                                     PgSettings{{"host", "10.0.0.1"}, {"port", "1"}},
                                     PgSettings{{"host", "a"}, {"hostaddr", "10.0.0.1"}}}) {
    const Result<std::vector<PgHost>> hosts = list_hosts(settings);
    ASSERT_TRUE(hosts);
    const std::vector<PgAttempt> attempts = plan_attempts(settings, *hosts);
    ASSERT_EQ(attempts.size(), 1U);
    EXPECT_EQ(attempts[0].settings, settings);
  }
}

TEST(PgTargetTest, EachServerIsAnAttemptOfItsOwn) {
  const PgSettings settings{
      {"host", "a,gone,/run"}, {"port", "1,2,3"}, {"target_session_attrs", "read-write"}};
  std::vector<PgAttempt> attempts =
      plan_attempts(settings, {{"a", "10.0.0.1", "1"}, {"a", "::1", "1"}, {"/run", "", "3"}});
  ASSERT_EQ(attempts.size(), 3U);
  EXPECT_EQ(attempts[1].settings["host"], "a") << "for TLS";
  EXPECT_EQ(attempts[1].settings["hostaddr"], "::1");
  EXPECT_EQ(attempts[2].settings["host"], "/run");
  EXPECT_EQ(attempts[2].settings["hostaddr"], "");
  EXPECT_EQ(attempts[2].settings["port"], "3");
  EXPECT_EQ(attempts[2].settings["target_session_attrs"], "read-write");
  attempts = plan_attempts(settings, {{"/run", "", "3"}});
  ASSERT_EQ(attempts.size(), 1U);
  EXPECT_EQ(attempts[0].settings["host"], "/run") << "not the names that have no address";
}

TEST(PgTargetTest, APreferredStandbyIsLookedForFirst) {
  const PgSettings settings{{"host", "10.0.0.1,10.0.0.2"},
                            {"target_session_attrs", "prefer-standby"}};
  std::vector<PgAttempt> attempts =
      plan_attempts(settings, {{"10.0.0.1", "", ""}, {"10.0.0.2", "", ""}});
  ASSERT_EQ(attempts.size(), 4U);
  EXPECT_EQ(attempts[1].settings["target_session_attrs"], "standby");
  EXPECT_EQ(attempts[2].settings["target_session_attrs"], "any");
  EXPECT_EQ(attempts[2].host, 0U);
  EXPECT_EQ(attempts[2].settings["host"], "10.0.0.1");
}

TEST(PgTargetTest, AllAttemptsTogetherTakeFourTimeouts) {
  using std::chrono::milliseconds;
  EXPECT_EQ(time_for_each(milliseconds(5000), 1), milliseconds(5000));
  EXPECT_EQ(time_for_each(milliseconds(5000), 4), milliseconds(5000));
  EXPECT_EQ(time_for_each(milliseconds(5000), 5), milliseconds(4000));
  EXPECT_EQ(time_for_each(milliseconds(5000), 40), milliseconds(500));
}

}  // namespace
}  // namespace edged::db

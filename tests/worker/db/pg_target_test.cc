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
            "-c statement_timeout=5000 -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres");
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
  EXPECT_EQ(settings.error().message().find("nonsense"), std::string::npos);
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

}  // namespace
}  // namespace edged::db

// SPDX-License-Identifier: Apache-2.0
// Migrations and the check at start, against a throwaway PostgreSQL.
#include "worker/db/migrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <optional>

#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "worker/db/schema_check.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;
using test::PostgresCluster;
using test::run_awaitable;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class MigrateTest : public testing::Test {
 protected:
  PostgresCluster& cluster_ = PostgresCluster::shared();
  std::string database_ = cluster_.create_database();
  asio::io_context io_;
  MetricsRegistry metrics_;

  MigrateOptions options(bool app_schema = false) {
    MigrateOptions options;
    options.url = cluster_.url(database_);
    options.app_schema = app_schema;
    return options;
  }

  Result<MigrateReport> run(MigrateOptions options) {
    return run_awaitable(io_, migrate(io_.get_executor(), std::move(options)));
  }

  Status check() {
    PgPoolOptions target;
    target.url = cluster_.url(database_);
    PgPool pool(io_.get_executor(), target, metrics_);
    DatabaseUse use;
    use.job = use.mail = use.mirror = true;
    const auto found = run_awaitable(io_, check_database(pool, use));
    return found ? Status() : found.error();
  }
};

TEST_F(MigrateTest, AppliesOnceAndSaysSo) {
  const Result<MigrateReport> first = run(options());
  ASSERT_TRUE(first) << first.error().to_string();
  std::vector<std::string> all;
  for (const Migration& migration : embedded_migrations()) all.emplace_back(migration.name);
  EXPECT_EQ(first.value().applied, all);
  EXPECT_EQ(all.front(), "0001_edged_schema");
  EXPECT_EQ(first.value().version, embedded_migrations().back().version);
  EXPECT_EQ(cluster_.value(database_, "select min(length(checksum)) from edged.schema_migrations"),
            "64");
  EXPECT_EQ(cluster_.value(database_, "select to_regclass('edged.mails') is not null"), "t");
  const Result<MigrateReport> second = run(options());
  ASSERT_TRUE(second);
  EXPECT_THAT(second.value().applied, IsEmpty());
}

TEST_F(MigrateTest, CreatesTheApplicationTablesThatDoNotExist) {
  cluster_.query(database_, "create table public.class_states (mine int)");
  const Result<MigrateReport> first = run(options(true));
  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_THAT(first.value().created_tables,
              ElementsAre("auth.users",
                          "public.class_watches",
                          "public.notifications_sent",
                          "public.user_profiles"));
  EXPECT_EQ(cluster_.value(database_,
                           "select count(*) from information_schema.columns where "
                           "table_name = 'class_states'"),
            "1");
  const Result<MigrateReport> second = run(options(true));
  ASSERT_TRUE(second);
  EXPECT_THAT(second.value().created_tables, IsEmpty());
}

TEST_F(MigrateTest, RefusesAChangedMigration) {
  ASSERT_TRUE(run(options()));
  cluster_.query(database_, "update edged.schema_migrations set checksum = repeat('0', 64)");
  const Result<MigrateReport> result = run(options());
  EXPECT_EQ(result.code(), Code::kConflict);
  EXPECT_THAT(result.error().message(), HasSubstr("0001_edged_schema"));
  EXPECT_THAT(result.error().message(), HasSubstr("checksum differs"));
}

TEST_F(MigrateTest, RefusesANewerDatabase) {
  ASSERT_TRUE(run(options(true)));
  cluster_.query(database_,
                 "insert into edged.schema_migrations values (9999, '9999_future', 'x')");
  const Result<MigrateReport> result = run(options());
  EXPECT_EQ(result.code(), Code::kConflict);
  EXPECT_THAT(result.error().message(), HasSubstr("9999_future"));
  EXPECT_EQ(check().code(), Code::kUnsupported);
}

TEST_F(MigrateTest, FailingMigrationLeavesNothingOfItselfAndKeepsTheOnesBefore) {
  MigrateOptions broken = options();
  broken.migrations.push_back({9998, "9998_good", "a", "create table edged.good (n int);"});
  broken.migrations.push_back(
      {9999, "9999_bad", "b", "create table edged.bad (n int); select 1/0;"});
  const Result<MigrateReport> result = run(broken);
  EXPECT_EQ(result.code(), Code::kInvalidArgument);
  EXPECT_THAT(result.error().message(), HasSubstr("9999_bad"));
  EXPECT_EQ(cluster_.value(database_, "select to_regclass('edged.bad') is null"), "t");
  EXPECT_EQ(cluster_.value(database_, "select to_regclass('edged.good') is not null"), "t");
  EXPECT_EQ(cluster_.value(database_, "select max(version) from edged.schema_migrations"), "9998");
}

TEST_F(MigrateTest, TwoAtOnceApplyEachOnce) {
  std::vector<Result<MigrateReport>> results;
  auto work = [](asio::any_io_executor executor,
                 MigrateOptions target,
                 std::vector<Result<MigrateReport>>* out) -> asio::awaitable<void> {
    Result<MigrateReport> result = co_await migrate(executor, std::move(target));
    out->push_back(std::move(result));
  };
  for (int i = 0; i < 4; ++i) {
    asio::co_spawn(io_, work(io_.get_executor(), options(true), &results), asio::detached);
  }
  io_.run();
  std::size_t applied = 0;
  std::size_t tables = 0;
  for (const auto& result : results) {
    ASSERT_TRUE(result) << result.error().to_string();
    applied += result.value().applied.size();
    tables += result.value().created_tables.size();
  }
  EXPECT_EQ(results.size(), 4U);
  EXPECT_EQ(applied, embedded_migrations().size());
  EXPECT_EQ(tables, 5U);
}

TEST_F(MigrateTest, NamesTheMissingPrivilege) {
  cluster_.query(database_, "drop role if exists lowly; create role lowly login password 'lowly'");
  MigrateOptions target = options();
  target.url = cluster_.tcp_url(database_, "lowly", "lowly");
  const Result<MigrateReport> result = run(target);
  EXPECT_EQ(result.code(), Code::kDenied);
  EXPECT_THAT(result.error().message(), HasSubstr("could not create schema \"edged\""));
  EXPECT_THAT(result.error().message(),
              HasSubstr("User \"lowly\" needs the privilege CREATE on database"));
  EXPECT_EQ(cluster_.value(database_, "select count(*) from pg_namespace where nspname = 'edged'"),
            "0");
}

TEST_F(MigrateTest, UnreachableServerIsUnavailable) {
  MigrateOptions target = options();
  target.url = "postgresql://u@127.0.0.1:1/x";
  EXPECT_EQ(run(target).code(), Code::kUnavailable);
}

TEST_F(MigrateTest, CheckNamesWhatIsMissing) {
  EXPECT_EQ(
      check().message(),
      "schema \"edged\" does not exist in database \"" + database_ + "\". Run: edged migrate");
  ASSERT_TRUE(run(options()));
  const Status no_tables = check();
  EXPECT_EQ(no_tables.code(), Code::kNotFound);
  EXPECT_THAT(no_tables.message(),
              HasSubstr("auth.users.id, auth.users.email, public.class_states.term"));
  ASSERT_TRUE(run(options(true)));
  EXPECT_EQ(check().to_string(), "ok");
  cluster_.query(database_, "alter table public.class_states drop column meeting_times");
  EXPECT_THAT(check().message(), HasSubstr("application: public.class_states.meeting_times."));
  cluster_.query(database_, "delete from edged.schema_migrations");
  EXPECT_THAT(check().message(), HasSubstr("is at version 0, this program needs"));
}

}  // namespace
}  // namespace edged::db

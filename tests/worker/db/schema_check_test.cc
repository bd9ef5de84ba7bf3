// SPDX-License-Identifier: Apache-2.0
// The check before a database is used: rights by use, and what row-level security leaves a role.
#include "worker/db/schema_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "worker/db/migrate.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;
using test::PostgresCluster;
using test::run_awaitable;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kRole = "checked";

DatabaseUse job_use() {
  DatabaseUse use;
  use.job = use.mail = true;
  return use;
}

class SchemaCheckTest : public testing::Test {
 protected:
  SchemaCheckTest() {
    MigrateOptions options;
    options.url = cluster_.url(database_);
    options.app_schema = true;
    EXPECT_TRUE(run_awaitable(io_, migrate(io_.get_executor(), options)));
    sql("drop role if exists checked; create role checked login password 'checked'");
  }
  ~SchemaCheckTest() override { sql("drop owned by checked; drop role checked"); }

  void sql(const std::string& text) { cluster_.query(database_, text); }
  void grant_all() {
    MigrateOptions options;
    options.url = cluster_.url(database_);
    options.grant_to = kRole;
    EXPECT_TRUE(run_awaitable(io_, migrate(io_.get_executor(), options)));
  }
  Result<DatabaseFindings> check(DatabaseUse use) {
    PgPoolOptions target;
    target.url = cluster_.tcp_url(database_, kRole, kRole);
    PgPool pool(io_.get_executor(), target, metrics_);
    return run_awaitable(io_, check_database(pool, use));
  }
  std::string refusal(DatabaseUse use = job_use()) {
    const Result<DatabaseFindings> found = check(use);
    if (found) return "";
    EXPECT_EQ(found.code(), Code::kDenied) << found.error().message();
    return found.error().message();
  }

  PostgresCluster& cluster_ = PostgresCluster::shared();
  std::string database_ = cluster_.create_database();
  asio::io_context io_;
  MetricsRegistry metrics_;
};

TEST_F(SchemaCheckTest, NamesTheDatabaseThatWasReached) {
  grant_all();
  const auto found = check(job_use());
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->database, database_);
  EXPECT_THAT(found->warnings, IsEmpty());
}

TEST_F(SchemaCheckTest, AsksOnlyForTheRightsOfTheUse) {
  DatabaseUse mirror;
  mirror.mirror = true;
  mirror.permanent_slot = false;
  EXPECT_EQ(refusal(mirror), "") << "a temporary slot needs nothing of the schema edged";
  mirror.permanent_slot = true;
  EXPECT_THAT(refusal(mirror), HasSubstr("usage on schema edged"));
  sql("grant usage on schema edged to checked; grant select on edged.schema_migrations to checked");
  EXPECT_THAT(refusal(mirror), HasSubstr("insert on edged.mirror_heartbeats"));
  sql("grant select, insert, update on edged.mirror_heartbeats to checked");
  EXPECT_EQ(refusal(mirror), "");
  DatabaseUse history;
  history.history = true;
  EXPECT_THAT(refusal(history), HasSubstr("select on edged.cron_runs"));
  sql("grant select on edged.cron_runs to checked");
  EXPECT_EQ(refusal(history), "");
  EXPECT_THAT(refusal(), HasSubstr("edged.notifications"));
}

TEST_F(SchemaCheckTest, AMirrorNeedsNoTablesOfTheApplication) {
  sql("drop schema auth cascade; drop table public.class_states cascade");
  sql("grant usage on schema edged to checked; grant select on all tables in schema edged to "
      "checked; grant insert, update on edged.mirror_heartbeats to checked");
  DatabaseUse mirror;
  mirror.mirror = true;
  EXPECT_TRUE(check(mirror));
  EXPECT_EQ(check(job_use()).code(), Code::kNotFound);
}

// Each of these hides rows, whatever the others let through.
TEST_F(SchemaCheckTest, RefusesARoleFromWhichRowsAreHidden) {
  grant_all();
  const std::vector<std::pair<const char*, const char*>> cases{
      {"no policy at all", ""},
      {"only the application's users see their rows",
       "create policy own on public.class_watches using (user_id = gen_random_uuid())"},
      {"rows can be read and not deleted",
       "create policy readable on public.class_watches for insert with check (true)"},
      {"a policy of another role",
       "create policy other on public.class_watches to postgres using (true)"},
      {"a policy that gives nothing",
       "create policy empty on public.class_watches with check (true)"},
  };
  for (const auto& [name, policy] : cases) {
    SCOPED_TRACE(name);
    sql("alter table public.class_watches enable row level security");
    if (*policy != '\0') sql(policy);
    const std::string why = refusal();
    EXPECT_THAT(why, HasSubstr("row-level security hides rows from role \"checked\""));
    EXPECT_THAT(why, HasSubstr("alter role checked bypassrls;"));
    EXPECT_THAT(why,
                HasSubstr("create policy edged_worker on public.class_watches to checked using "
                          "(true) with check (true);"));
    sql("do $$ declare p record; begin for p in select polname from pg_policy where polrelid = "
        "'public.class_watches'::regclass loop execute format('drop policy %I on "
        "public.class_watches', p.polname); end loop; end $$");
  }
}

TEST_F(SchemaCheckTest, ChecksEveryTableAndEveryRightThatIsNeeded) {
  grant_all();
  sql("alter table public.class_states enable row level security;"
      "create policy readable on public.class_states for select using (true)");
  EXPECT_THAT(refusal(), HasSubstr("on public.class_states to checked"));
  sql("create policy writable on public.class_states for insert with check (true);"
      "create policy changeable on public.class_states for update using (true)");
  EXPECT_EQ(refusal(), "");
  sql("alter table edged.notifications enable row level security");
  EXPECT_THAT(refusal(), HasSubstr("on edged.notifications to checked"));
  sql("alter table edged.schema_migrations enable row level security");
  EXPECT_THAT(refusal(), HasSubstr("edged.notifications, edged.schema_migrations"));
  DatabaseUse history;
  history.history = true;
  EXPECT_THAT(refusal(history), Not(HasSubstr("edged.notifications")));
}

// The statements of the refusal, run as they are, mend it.
TEST_F(SchemaCheckTest, TheStatementsOfTheRefusalMendIt) {
  grant_all();
  for (const char* table : {"auth.users",
                            "public.user_profiles",
                            "public.class_watches",
                            "public.class_states",
                            "public.notifications_sent",
                            "edged.notifications"}) {
    sql("alter table " + std::string(table) + " enable row level security");
  }
  const std::string why = refusal();
  const std::size_t at = why.find("create policy");
  ASSERT_NE(at, std::string::npos) << why;
  sql(why.substr(at));
  EXPECT_EQ(refusal(), "");
}

TEST_F(SchemaCheckTest, AcceptsARoleThatSeesEverything) {
  grant_all();
  const std::string secure = "alter table public.class_watches enable row level security;";
  sql(secure);
  ASSERT_NE(refusal(), "");
  sql("alter role checked bypassrls");
  EXPECT_EQ(refusal(), "") << "BYPASSRLS";
  sql("alter role checked nobypassrls superuser");
  EXPECT_EQ(refusal(), "") << "a superuser";
  sql("alter role checked nosuperuser; alter table public.class_watches owner to checked");
  EXPECT_EQ(refusal(), "") << "the owner";
  sql("alter table public.class_watches force row level security");
  EXPECT_NE(refusal(), "") << "the owner, forced";
  sql("alter table public.class_watches no force row level security, owner to postgres;"
      "grant select on public.class_watches to checked");
  ASSERT_NE(refusal(), "");
  sql("create policy everybody on public.class_watches using (true)");
  EXPECT_EQ(refusal(), "") << "a policy for everybody";
  sql("drop policy everybody on public.class_watches; drop role if exists checkers;"
      "create role checkers; grant checkers to checked;"
      "create policy group_policy on public.class_watches to checkers using (true)");
  EXPECT_EQ(refusal(), "") << "a policy for a group";
  sql("drop policy group_policy on public.class_watches; drop role checkers");
}

// A policy with a condition that names the role may be the owner's intention.
TEST_F(SchemaCheckTest, WarnsOfAPolicyThatNamesTheRoleAndRestrictsIt) {
  grant_all();
  sql("alter table public.class_watches enable row level security;"
      "create policy a_part on public.class_watches to checked using (term = '2261')");
  const auto found = check(job_use());
  ASSERT_TRUE(found) << found.error().message();
  ASSERT_THAT(found->warnings, SizeIs(1));
  EXPECT_THAT(found->warnings[0], HasSubstr("only some rows of public.class_watches"));
  sql("create policy everything on public.class_watches to checked using (true);"
      "create policy less on public.class_watches as restrictive to checked using (term <> 'x')");
  const auto restrictive = check(job_use());
  ASSERT_TRUE(restrictive) << restrictive.error().message();
  EXPECT_THAT(restrictive->warnings, SizeIs(1));
}

// But not that nothing is left of a table that holds rows.
TEST_F(SchemaCheckTest, RefusesARestrictionThatLeavesNoRow) {
  grant_all();
  sql("insert into auth.users (id, email) values (gen_random_uuid(), 'a@example.edu');"
      "insert into public.class_watches (user_id, term, subject, catalog_nbr, class_nbr) "
      "select id, '2261', 'CSE', '100', '10001' from auth.users");
  sql("analyze public.class_watches");
  sql("alter table public.class_watches enable row level security;"
      "create policy a_part on public.class_watches to checked using (term = 'another')");
  EXPECT_THAT(refusal(), HasSubstr("row-level security hides rows from role"));
  sql("alter policy a_part on public.class_watches using (term = '2261')");
  EXPECT_EQ(refusal(), "");
}

}  // namespace
}  // namespace edged::db

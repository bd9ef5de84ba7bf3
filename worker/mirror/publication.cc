// SPDX-License-Identifier: Apache-2.0
// See publication.h.
#include "worker/mirror/publication.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>
#include <utility>

#include "proto/base/log.h"
#include "proto/json/write_json.h"
#include "worker/db/pg_quote.h"
#include "worker/mirror/sql.gen.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;

constexpr char kComplete[] =
    "publish = 'insert, update, delete, truncate', publish_via_partition_root = true";

std::string sql_name_of(const Table& table) {
  return db::quoted_identifier(table.name.schema) + "." + db::quoted_identifier(table.name.name);
}

// "table only a, only b": without "only" the children of a table would be in it too.
std::string list_of(const std::vector<Table>& tables, const std::set<std::uint32_t>& wanted) {
  std::string list;
  for (const Table& table : tables) {
    if (!wanted.contains(table.oid)) continue;
    list += (list.empty() ? "table only " : ", only ") + sql_name_of(table);
  }
  return list;
}

std::string names_of(const std::vector<Table>& tables, const std::set<std::uint32_t>& wanted) {
  std::string names;
  for (const Table& table : tables) {
    if (wanted.contains(table.oid)) names += (names.empty() ? "" : ", ") + table.name.to_text();
  }
  return names;
}

bool all_owned(const std::vector<Table>& tables, const std::set<std::uint32_t>& wanted) {
  return std::all_of(tables.begin(), tables.end(), [&](const Table& table) {
    return table.owned || !wanted.contains(table.oid);
  });
}

std::set<std::uint32_t> oids_in(std::string_view json) {
  std::set<std::uint32_t> oids;
  const boost::json::value parsed = boost::json::parse(json);
  for (const auto& oid : parsed.as_array()) oids.insert(oid.to_number<std::uint32_t>());
  return oids;
}

void append(std::string& all, const std::string& separator, const std::string& one) {
  all += (all.empty() ? "" : separator) + one;
}

PublicationPlan plan_to_create(const std::string& name,
                               const std::vector<Table>& tables,
                               bool may_create) {
  std::set<std::uint32_t> all;
  for (const Table& table : tables) all.insert(table.oid);
  PublicationPlan plan;
  plan.shortfall = "it does not exist";
  plan.statements = "create publication " + db::quoted_identifier(name) + " for " +
                    list_of(tables, all) + " with (" + kComplete + ")";
  plan.permitted = may_create && all_owned(tables, all);
  return plan;
}

// A row of the statement inspect_publication.
PublicationPlan plan_to_mend(const db::PgResult& found,
                             const std::string& name,
                             const std::vector<Table>& tables) {
  const auto text = [&](const char* column) { return found.text(0, found.column(column)); };
  PublicationPlan plan;
  plan.exists = true;
  if (text("everything") == "t") {
    plan.conflict = "it publishes all tables or the tables of a schema";
    return plan;
  }
  if (!text("swallowed").empty()) {
    plan.conflict = "it also publishes the partitioned table that table " +
                    std::string(text("swallowed")) +
                    " belongs to, so changes of the partition are sent as those of that table";
    return plan;
  }
  const std::string alter = "alter publication " + db::quoted_identifier(name) + " ";
  const std::set<std::uint32_t> missing = oids_in(text("missing"));
  const std::set<std::uint32_t> filtered = oids_in(text("filtered"));
  if (!filtered.empty()) {
    append(plan.shortfall, "; ", "it leaves out rows or columns of " + names_of(tables, filtered));
    append(plan.statements, "; ", alter + "drop " + list_of(tables, filtered));
    append(plan.statements, "; ", alter + "add " + list_of(tables, filtered));
  }
  if (!missing.empty()) {
    append(plan.shortfall, "; ", "it does not publish " + names_of(tables, missing));
    append(plan.statements, "; ", alter + "add " + list_of(tables, missing));
  }
  const bool via_root =
      text("via_root") == "t" || std::none_of(tables.begin(), tables.end(), [](const Table& table) {
        return table.partitioned;
      });
  if (text("all_changes") != "t" || !via_root) {
    append(plan.shortfall,
           "; ",
           "it does not send inserts, updates, deletes and truncates, partitions as their root");
    append(plan.statements, "; ", alter + "set (" + kComplete + ")");
  }
  plan.permitted =
      text("owned") == "t" && all_owned(tables, missing) && all_owned(tables, filtered);
  return plan;
}

std::string problem(const PublicationPlan& plan, const std::string& name) {
  return "could not use publication " + db::quoted_identifier(name) + ": " +
         (plan.conflict.empty() ? plan.shortfall : plan.conflict);
}

}  // namespace

asio::awaitable<Result<PublicationPlan>> plan_publication(db::PgPool& pool,
                                                          std::string name,
                                                          const std::vector<Table>& tables) {
  boost::json::array oids;
  for (const Table& table : tables) oids.emplace_back(table.oid);
  db::PgParameters parameters;
  parameters.emplace_back(name);
  parameters.emplace_back(write_json(oids));
  Result<db::PgResult> found =
      co_await pool.execute(std::string(sql::mirror::kInspectPublication), parameters);
  if (!found) co_return found.error().with_context("could not read the publication's definition");
  if (found->rows() > 0) co_return plan_to_mend(*found, name, tables);
  const Result<ServerFacts> facts = co_await read_server_facts(pool);
  if (!facts) co_return facts.error();
  co_return plan_to_create(name, tables, facts->may_create);
}

std::string obstacle_of(const PublicationPlan& plan, const std::string& name) {
  if (!plan.conflict.empty()) {
    return problem(plan, name) +
           ". Drop it, or give the mirror one of its own with mirror.publication";
  }
  if (plan.shortfall.empty() || plan.permitted) return {};
  return problem(plan, name) +
         ", and this role may not change that. As the owner of the tables, with the right to "
         "create "
         "in the database, run: " +
         plan.statements + ";";
}

asio::awaitable<Result<PublicationChange>> ensure_publication(db::PgPool& pool,
                                                              std::string name,
                                                              const std::vector<Table>& tables) {
  const Result<PublicationPlan> plan = co_await plan_publication(pool, name, tables);
  if (!plan) co_return plan.error();
  if (plan->fits()) co_return PublicationChange::kNone;
  const std::string obstacle = obstacle_of(*plan, name);
  if (!obstacle.empty()) {
    co_return Status(plan->conflict.empty() ? Code::kDenied : Code::kConflict, obstacle);
  }
  const Status done = co_await pool.execute_script(plan->statements);
  if (!done.ok()) {
    co_return done.with_context("could not run \"" + plan->statements +
                                "\", which the mirror needs");
  }
  log::info("[mirror] changed publication " + db::quoted_identifier(name) + ", because " +
            plan->shortfall + ": " + plan->statements);
  co_return plan->exists ? PublicationChange::kAltered : PublicationChange::kCreated;
}

asio::awaitable<Result<bool>> drop_publication(db::PgPool& pool, std::string name) {
  db::PgParameters parameters;
  parameters.emplace_back(name);
  parameters.emplace_back("[]");
  Result<db::PgResult> found =
      co_await pool.execute(std::string(sql::mirror::kInspectPublication), parameters);
  if (!found) co_return found.error().with_context("could not read the publication's definition");
  if (found->rows() == 0) co_return false;
  const std::string sql_name = db::quoted_identifier(name);
  if (found->text(0, found->column("owned")) != "t") {
    co_return Status(Code::kDenied,
                     "could not drop publication " + sql_name +
                         ": it belongs to another role. If no other mirror uses it, run as its "
                         "owner: drop publication " +
                         sql_name + ";");
  }
  const Status done = co_await pool.execute_script("drop publication if exists " + sql_name);
  if (!done.ok()) co_return done.with_context("could not drop publication " + sql_name);
  co_return true;
}

}  // namespace edged::mirror

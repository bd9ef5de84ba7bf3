// SPDX-License-Identifier: Apache-2.0
// See publication.h.
#include "worker/mirror/publication.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <utility>

#include "worker/db/pg_quote.h"
#include "worker/mirror/sql.gen.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;

struct Publication {
  bool everything = false;            // of all tables, or of a schema
  bool complete = false;              // sends every kind of change, partitions as their root
  bool filtered = false;              // leaves out rows or columns of some table
  std::vector<std::uint32_t> tables;  // their oids, ascending
};

asio::awaitable<Result<std::optional<Publication>>> inspect(db::PgPool& pool,
                                                            const std::string& name) {
  db::PgParameters parameters;
  parameters.emplace_back(name);
  Result<db::PgResult> found =
      co_await pool.execute(std::string(sql::mirror::kInspectPublication), parameters);
  if (!found) co_return found.error().with_context("could not look at the publication");
  if (found->rows() == 0) co_return std::optional<Publication>();
  Publication publication;
  publication.everything = found->text(0, found->column("everything")) == "t";
  publication.complete = found->text(0, found->column("complete")) == "t";
  const boost::json::value tables = boost::json::parse(found->text(0, found->column("tables")));
  for (const boost::json::value& table : tables.as_array()) {
    publication.tables.push_back(table.at("oid").to_number<std::uint32_t>());
    publication.filtered = publication.filtered || table.at("filtered").as_bool();
  }
  co_return publication;
}

std::string list_of(const std::vector<Table>& tables) {
  std::string list;
  for (const Table& table : tables) {
    if (!list.empty()) list += ", ";
    // Without "only" the children of a table would be in it too, with keys of their own.
    list += "table only " + db::quoted_identifier(table.name.schema) + "." +
            db::quoted_identifier(table.name.name);
  }
  return list;
}

std::vector<std::uint32_t> oids_of(const std::vector<Table>& tables) {
  std::vector<std::uint32_t> oids;
  for (const Table& table : tables) oids.push_back(table.oid);
  std::sort(oids.begin(), oids.end());
  return oids;
}

constexpr char kComplete[] =
    "(publish = 'insert, update, delete, truncate', publish_via_partition_root = true)";

}  // namespace

asio::awaitable<Result<PublicationChange>> ensure_publication(db::PgPool& pool,
                                                              std::string name,
                                                              const std::vector<Table>& tables) {
  Result<std::optional<Publication>> found = co_await inspect(pool, name);
  if (!found) co_return found.error();
  const std::string sql_name = db::quoted_identifier(name);
  std::string statements;
  if (!*found) {
    statements =
        "create publication " + sql_name + " for " + list_of(tables) + " with " + kComplete;
  } else if ((*found)->everything) {
    co_return Status(Code::kConflict,
                     "publication " + sql_name +
                         " is of all tables or of a schema, not of the mirror's: drop it, or "
                         "name another one");
  } else if (!(*found)->complete || (*found)->filtered || (*found)->tables != oids_of(tables)) {
    statements = "alter publication " + sql_name + " set " + list_of(tables) +
                 "; alter publication " + sql_name + " set " + kComplete;
  } else {
    co_return PublicationChange::kNone;
  }
  const Status done = co_await pool.execute_script(statements);
  if (!done.ok()) co_return done.with_context("could not make the publication " + sql_name);
  co_return *found ? PublicationChange::kAltered : PublicationChange::kCreated;
}

asio::awaitable<Result<bool>> drop_publication(db::PgPool& pool, std::string name) {
  Result<std::optional<Publication>> found = co_await inspect(pool, name);
  if (!found) co_return found.error();
  if (!*found) co_return false;
  const Status done =
      co_await pool.execute_script("drop publication if exists " + db::quoted_identifier(name));
  if (!done.ok()) co_return done.with_context("could not drop the publication");
  co_return true;
}

}  // namespace edged::mirror

// SPDX-License-Identifier: Apache-2.0
// See shape.h.
#include "worker/mirror/shape.h"

#include <boost/json.hpp>
#include <charconv>
#include <exception>
#include <utility>

#include "worker/mirror/catalogue.h"
#include "worker/mirror/sql.gen.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

struct Aspect {
  const char* key;     // of the shape's JSON
  const char* before;  // the text around the table's name
  const char* after;
};

constexpr Aspect kTableAspects[] = {
    {"definition",
     "table ",
     " was altered or created anew (its columns, a unique index, its replica identity, a table "
     "that "
     "inherits from it)"},
    {"types",
     "a type of a column of table ",
     " was altered (a label of an enum, an attribute of a composite type, its text output)"},
    {"partitions", "partitions of table ", " were attached, detached or altered"},
    {"files",
     "a partition of table ",
     " was truncated, or rewritten by VACUUM FULL, CLUSTER or ALTER TABLE"},
};

constexpr char kByWhom[] =
    "Its owner may have done that, or another worker whose mirror.publication has the same name";

constexpr char kChanged[] = "a table or the publication has changed";
constexpr char kChangedOrUpgraded[] =
    "a table or the publication has changed, or another version of edged loaded the rows";

void append(std::string& all, const std::string& one) {
  all += (all.empty() ? "" : "; ") + one;
}

// Throws if one of the texts is not a shape of this version.
std::string differences(const json::value& before, const json::value& now) {
  std::string all;
  const json::array& old_tables = before.at("tables").as_array();
  const json::array& tables = now.at("tables").as_array();
  for (std::size_t i = 0; i < tables.size() && i < old_tables.size(); ++i) {
    const std::string name(tables[i].at("name").as_string());
    for (const Aspect& aspect : kTableAspects) {
      if (tables[i].at(aspect.key) == old_tables[i].at(aspect.key)) continue;
      append(all, aspect.before + name + aspect.after);
    }
  }
  const json::value& old_publication = before.at("publication");
  const json::value& publication = now.at("publication");
  std::string altered;
  if (publication.at("definition") != old_publication.at("definition")) {
    altered = "the publication was altered or created anew";
  } else if (publication.at("tables") != old_publication.at("tables")) {
    altered = "a mirrored table was added to the publication or removed from it";
  }
  if (!altered.empty()) append(all, altered + ". " + kByWhom);
  return all;
}

}  // namespace

asio::awaitable<Result<Shape>> read_shape(db::PgPool& pool,
                                          const std::vector<Rule>& rules,
                                          std::string publication) {
  db::PgParameters parameters;
  parameters.emplace_back(tables_as_json(rules));
  parameters.emplace_back(std::move(publication));
  Result<db::PgResult> found =
      co_await pool.execute(std::string(sql::mirror::kReadShape), parameters);
  if (!found) {
    co_return found.error().with_context(
        "could not read the definitions of the mirrored tables and of the publication");
  }
  Shape shape;
  shape.text = found->text(0, 0);
  const std::string_view now = found->text(0, 1);
  std::int64_t now_ms = 0;
  std::from_chars(now.data(), now.data() + now.size(), now_ms);
  shape.now = from_unix_ms(now_ms);
  co_return shape;
}

std::string describe_shape_change(const std::string& before, const std::string& now) {
  if (before == now) return {};
  try {
    const std::string all = differences(json::parse(before), json::parse(now));
    if (!all.empty()) return kChanged + (": " + all);
  } catch (const std::exception&) {
    // Another version's text.
  }
  return kChangedOrUpgraded;
}

}  // namespace edged::mirror

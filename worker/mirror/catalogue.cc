// SPDX-License-Identifier: Apache-2.0
// See catalogue.h.
#include "worker/mirror/catalogue.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <utility>

#include "proto/json/write_json.h"
#include "worker/mirror/column_types.h"
#include "worker/mirror/sql.gen.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;

// A row of the statement list_columns.
class CatalogueRow {
 public:
  CatalogueRow(const db::PgResult& result, int row) : result_(result), row_(row) {}

  std::string_view text(const char* column) const {
    return result_.text(row_, result_.column(column));
  }
  bool flag(const char* column) const { return text(column) == "t"; }
  char letter(const char* column) const {
    const std::string_view value = text(column);
    return value.empty() ? '\0' : value.front();
  }
  std::uint32_t number(const char* column) const {
    return static_cast<std::uint32_t>(signed_number(column));
  }
  std::int64_t signed_number(const char* column) const {
    std::int64_t value = 0;
    const std::string_view digits = text(column);
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  }

 private:
  const db::PgResult& result_;
  int row_;
};

// Why the table cannot be mirrored because of its partitions, parents or children; empty if it can.
std::string complaint_about_relatives(const CatalogueRow& row) {
  const std::string child(row.text("child"));
  if (!child.empty()) {
    return "table " + child +
           " inherits from it, and the rows of such tables are not replicated with it: name the "
           "tables that have no children in mirror.rules, or use partitions";
  }
  const std::string unlogged(row.text("unlogged_partition"));
  if (!unlogged.empty()) {
    return "its partition " + unlogged +
           " is a foreign or unlogged table, whose changes are not replicated: detach it, or run: "
           "alter table " +
           unlogged + " set logged";
  }
  const std::string identity(row.text("other_identity"));
  if (!identity.empty()) {
    return "its partition " + identity +
           " has another replica identity, so updates and deletes there do not say of which row: "
           "run: alter table " +
           identity +
           " replica identity with the choice that the partitioned table has (default, full, or "
           "using the partition's index on the same columns)";
  }
  const std::string ancestor(row.text("mirrored_ancestor"));
  if (!ancestor.empty()) {
    return "is a partition of table " + ancestor +
           ", which another rule names: PostgreSQL sends its changes as those of " + ancestor +
           " only. Remove one of the two rules";
  }
  return {};
}

// Why the table as such cannot be mirrored; empty if it can.
std::string complaint_about(const CatalogueRow& row) {
  switch (row.letter("relkind")) {
    case '\0':
      return "does not exist";
    case 'v':
    case 'm':
      return "is a view, and PostgreSQL replicates tables only: name its table";
    case 'f':
      return "is a foreign table, and PostgreSQL replicates local tables only";
    default:
      break;
  }
  if (row.letter("relpersistence") != 'p') {
    return "is temporary or unlogged, and PostgreSQL replicates logged tables only: run alter "
           "table ... set logged";
  }
  if (!row.flag("readable")) return "cannot be read by this role: grant select on it";
  if (row.flag("filtered")) {
    return "hides rows from this role by row-level security: give the role bypassrls";
  }
  return complaint_about_relatives(row);
}

// What one rule asks of one table, column by column.
class TableReader {
 public:
  TableReader(const Rule& rule,
              const ColumnTypes& types,
              std::size_t number,
              std::vector<std::string>& complaints)
      : rule_(rule),
        types_(types.types),
        column_types_(types.columns[number]),
        unique_indexes_(types.unique_indexes[number]),
        complaints_(complaints) {
    table_.name = rule.table;
  }

  void add(const CatalogueRow& row) {
    if (table_.oid == 0 && !broken_) begin(row);
    if (broken_ || row.text("attname").empty()) return;
    const std::string name(row.text("attname"));
    if (row.flag("generated")) {
      generated_.push_back(name);
      return;
    }
    if (prints(row)) check_steady(row);
    // Altered since the columns were listed: the next look at the table tells.
    const auto found = column_types_.find(name);
    const std::uint32_t type = found == column_types_.end() ? 0 : found->second;
    Result<JsonType> json = types_.json(type);
    if (!json && rule_.value.kind == RowValue::Kind::kRow) {
      complain("column \"" + name + "\" has the type " + std::string(row.text("type_name")) +
               ": row_to_json() calls a cast function for " + json.error().message() +
               ", and the mirror cannot do the same. Mirror one column of the table instead "
               "(\"value\": {\"column\": ...}), or change the type");
    }
    JsonColumn column{name, json ? *std::move(json) : JsonType{}};
    table_.columns.push_back({std::move(column), row.flag("in_identity"), types_.shape(type)});
    table_.types.push_back(
        {row.number("atttypid"), static_cast<std::int32_t>(row.signed_number("atttypmod"))});
  }

  Table finish() {
    if (broken_) return std::move(table_);
    const std::size_t complaints = complaints_.size();
    for (const std::string& column : rule_.key.columns()) need(column, "key");
    if (rule_.value.kind == RowValue::Kind::kColumn) need(rule_.value.text, "value.column");
    if (!rule_.expires.empty()) need_time(rule_.expires);
    check_identity();
    check_unique(complaints);
    return std::move(table_);
  }

 private:
  void begin(const CatalogueRow& row) {
    const std::string complaint = complaint_about(row);
    if (!complaint.empty()) {
      complain(complaint);
      broken_ = true;
      return;
    }
    table_.oid = row.number("oid");
    sql_name_ = row.text("sql_name");
    table_.partitioned = row.letter("relkind") == 'p';
    table_.owned = row.flag("owned");
    table_.identity = static_cast<ReplicaIdentity>(row.letter("relreplident"));
  }

  void complain(const std::string& what) {
    complaints_.push_back("table " + rule_.table.to_text() + ": " + what);
  }

  // Whether the column's text becomes part of a key or value, or tells rows apart.
  bool prints(const CatalogueRow& row) const {
    const std::string name(row.text("attname"));
    const std::vector<std::string>& key = rule_.key.columns();
    return rule_.value.kind == RowValue::Kind::kRow ||
           (rule_.value.kind == RowValue::Kind::kColumn && rule_.value.text == name) ||
           std::find(key.begin(), key.end(), name) != key.end() || row.flag("in_identity") ||
           table_.identity == ReplicaIdentity::kFull;
  }

  void check_steady(const CatalogueRow& row) {
    const std::string type(row.text("unsteady_type"));
    if (type.empty()) return;
    complain("column \"" + std::string(row.text("attname")) + "\" has the type " +
             std::string(row.text("type_name")) +
             (type == "money"
                  ? ", and the text of money depends on the setting lc_monetary of each session: "
                    "change the column to numeric"
                  : ", and the text of " + type +
                        " changes when another object is renamed, without a change of the row: "
                        "change the column to text or oid") +
             ", or use a rule that does not need the column");
  }

  const TableColumn* find(const std::string& name) const {
    const auto found = std::find_if(table_.columns.begin(),
                                    table_.columns.end(),
                                    [&](const auto& one) { return one.json.name == name; });
    return found == table_.columns.end() ? nullptr : &*found;
  }

  const TableColumn* need(const std::string& name, const char* setting) {
    const TableColumn* column = find(name);
    if (column != nullptr) return column;
    const bool generated =
        std::find(generated_.begin(), generated_.end(), name) != generated_.end();
    complain(std::string(setting) + " names the column \"" + name + "\", which " +
             (generated ? "is generated: such columns are not replicated" : "does not exist"));
    return nullptr;
  }

  void need_time(const std::string& name) {
    const TableColumn* column = need(name, "expires");
    if (column == nullptr) return;
    const JsonForm form = column->json.type.form;
    if (form != JsonForm::kTimestamp && form != JsonForm::kTimestampTz) {
      complain("expires names the column \"" + name + "\", which is not a timestamp");
    }
  }

  void check_identity() {
    if (table_.identity == ReplicaIdentity::kFull) return;
    const bool some = std::any_of(table_.columns.begin(),
                                  table_.columns.end(),
                                  [](const auto& column) { return column.identity; });
    if (table_.identity != ReplicaIdentity::kNothing && some) return;
    complain(
        "updates and deletes do not say which row they change, because the table has no replica "
        "identity: add a primary key, or run: alter table " +
        sql_name_ + " replica identity full");
  }

  // Not if the key's columns are not there: that was said.
  void check_unique(std::size_t complaints_before) {
    if (complaints_.size() != complaints_before) return;
    KeyReader::Shapes shapes;
    for (const TableColumn& column : table_.columns) shapes[column.json.name] = column.shape;
    const Result<UniqueIndex> index = unique_index_of(rule_, shapes, unique_indexes_);
    if (!index) return complain(index.error().message());
    table_.deferred_key = !index->immediate;
    for (std::size_t i = 0; i < index->columns.size(); ++i) {
      const std::string& name = index->columns[i];
      table_.lookup.push_back(
          {name, types_.base_of(column_types_.at(name)).sql_name, index->operators[i]});
    }
  }

  const Rule& rule_;
  const TypeCatalogue& types_;
  const std::map<std::string, std::uint32_t>& column_types_;
  const std::vector<UniqueIndex>& unique_indexes_;
  std::vector<std::string>& complaints_;
  Table table_;
  std::string sql_name_;  // with the quotes that SQL wants
  std::vector<std::string> generated_;
  bool broken_ = false;
};

}  // namespace

std::string tables_as_json(const std::vector<Rule>& rules) {
  boost::json::array list;
  for (const Rule& rule : rules) {
    list.push_back({{"schema", rule.table.schema},
                    {"name", rule.table.name},
                    {"key", boost::json::value_from(rule.key.columns())}});
  }
  return write_json(list);
}

asio::awaitable<Result<Catalogue>> read_catalogue(db::PgPool& pool,
                                                  const std::vector<Rule>& rules) {
  db::PgParameters parameters;
  parameters.emplace_back(tables_as_json(rules));
  Result<db::PgResult> found =
      co_await pool.execute(std::string(sql::mirror::kListColumns), parameters);
  if (!found)
    co_return found.error().with_context("could not read the definitions of the mirrored tables");
  const Result<ColumnTypes> types =
      co_await read_column_types(pool, tables_as_json(rules), rules.size());
  if (!types) co_return types.error();
  Catalogue catalogue;
  int row = 0;
  for (std::size_t rule = 0; rule < rules.size(); ++rule) {
    TableReader reader(rules[rule], *types, rule, catalogue.complaints);
    for (; row < found->rows(); ++row) {
      const CatalogueRow columns(*found, row);
      if (columns.number("rule") != rule) break;
      reader.add(columns);
    }
    catalogue.tables.push_back(reader.finish());
  }
  if (!catalogue.complaints.empty()) catalogue.tables.clear();
  co_return catalogue;
}

asio::awaitable<Result<ServerFacts>> read_server_facts(db::PgPool& pool) {
  const db::PgParameters none;
  Result<db::PgResult> found = co_await pool.execute(std::string(sql::mirror::kServerFacts), none);
  if (!found) co_return found.error().with_context("could not read the server's settings");
  const CatalogueRow row(*found, 0);
  ServerFacts facts;
  facts.role = row.text("role");
  facts.database = row.text("database");
  facts.wal_level = row.text("wal_level");
  facts.keep_size = row.text("keep_size");
  facts.slots = static_cast<int>(row.number("slots"));
  facts.slots_max = static_cast<int>(row.number("slots_max"));
  facts.senders_max = static_cast<int>(row.number("senders_max"));
  facts.standby = row.flag("standby");
  facts.may_replicate = row.flag("may_replicate");
  facts.may_create = row.flag("may_create");
  if (!row.text("may_beat").empty()) facts.may_beat = row.flag("may_beat");
  co_return facts;
}

std::vector<std::string> obstacles(const ServerFacts& facts, const Catalogue& catalogue) {
  std::vector<std::string> all = catalogue.complaints;
  if (facts.wal_level != "logical") {
    all.push_back("wal_level is " + facts.wal_level +
                  ": set wal_level = logical and restart PostgreSQL");
  }
  if (facts.standby) all.emplace_back("this server is a standby: name the primary in postgres.url");
  if (!facts.may_replicate) {
    all.push_back("role " + facts.role + " may not replicate: run: alter role " + facts.role +
                  " replication");
  }
  if (facts.slots >= facts.slots_max) {
    all.push_back("all " + std::to_string(facts.slots_max) +
                  " replication slots are in use: raise max_replication_slots, or drop one");
  }
  if (facts.senders_max == 0)
    all.emplace_back("max_wal_senders is 0: set it to at least 1 and restart PostgreSQL");
  return all;
}

std::string heartbeat_obstacle(const ServerFacts& facts) {
  if (!facts.may_beat) {
    return "table edged.mirror_heartbeats does not exist in database " + facts.database +
           ": run edged migrate";
  }
  if (*facts.may_beat) return {};
  return "role " + facts.role +
         " may not write table edged.mirror_heartbeats. As its owner run: grant usage on schema "
         "edged to " +
         facts.role + "; grant select, insert, update, delete on edged.mirror_heartbeats to " +
         facts.role + ";";
}

std::vector<std::string> doubts(const ServerFacts& facts) {
  std::vector<std::string> all;
  if (facts.keep_size == "-1") {
    all.emplace_back(
        "max_slot_wal_keep_size is -1: while the worker is away PostgreSQL keeps its log until the "
        "disk is full; set a bound, 4GB for example");
  }
  return all;
}

}  // namespace edged::mirror

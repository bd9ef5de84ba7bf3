// SPDX-License-Identifier: Apache-2.0
// See column_types.h.
#include "worker/mirror/column_types.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <utility>

#include "proto/base/check.h"
#include "worker/mirror/sql.gen.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;

std::uint32_t number(const db::PgResult& result, int row, const char* column) {
  const std::string_view digits = result.text(row, result.column(column));
  std::uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::string_view text(const db::PgResult& result, int row, const char* column) {
  return result.text(row, result.column(column));
}

std::vector<std::string> names(std::string_view json) {
  std::vector<std::string> all;
  const boost::json::value parsed = boost::json::parse(json);
  for (const boost::json::value& name : parsed.as_array()) all.emplace_back(name.as_string());
  return all;
}

TypeCatalogue::Type type_of(const db::PgResult& found, int row) {
  TypeCatalogue::Type type;
  type.kind = text(found, row, "typtype").front();
  type.sql_name = text(found, row, "sql_name");
  type.base = number(found, row, "base");
  type.element = number(found, row, "element");
  constexpr std::uint32_t kInt2Vector = 22, kOidVector = 30;
  const std::uint32_t oid = number(found, row, "oid");
  type.vector = oid == kInt2Vector || oid == kOidVector;
  const std::string_view delimiter = text(found, row, "delimiter");
  if (!delimiter.empty()) type.delimiter = delimiter.front();
  type.labels = names(text(found, row, "labels"));
  const boost::json::value attributes = boost::json::parse(text(found, row, "attributes"));
  for (const boost::json::value& one : attributes.as_array()) {
    type.attributes.emplace_back(one.at("name").as_string(),
                                 one.at("type").to_number<std::uint32_t>());
  }
  type.cast_to_json = text(found, row, "cast_to_json") == "t";
  return type;
}

std::string list_of(const std::vector<std::string>& columns) {
  std::string list;
  for (const std::string& column : columns) list += (list.empty() ? "" : ", ") + column;
  return list;
}

bool contains_all(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  return std::all_of(some.begin(), some.end(), [&](const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  });
}

}  // namespace

std::uint32_t TypeCatalogue::base_oid(std::uint32_t oid) const {
  for (auto found = types_.find(oid); found != types_.end() && found->second.kind == 'd';
       found = types_.find(oid)) {
    oid = found->second.base;
  }
  return oid;
}

const TypeCatalogue::Type& TypeCatalogue::base_of(std::uint32_t oid) const {
  static const Type unknown;
  const auto found = types_.find(base_oid(oid));
  return found == types_.end() ? unknown : found->second;
}

TextShape TypeCatalogue::shape(std::uint32_t oid) const {
  const Type& type = base_of(oid);
  return type.kind == 'e' ? shape_of_labels(type.labels) : shape_of_type(base_oid(oid));
}

Result<JsonType> TypeCatalogue::json(std::uint32_t oid) const {
  const Type& type = base_of(oid);
  if (type.element != 0) {
    Result<JsonType> element = json(type.element);
    if (!element) return element.error();
    JsonType made = array_of(*std::move(element), type.delimiter);
    if (type.vector) made.form = JsonForm::kVector;
    return made;
  }
  if (type.kind == 'c') {
    std::vector<JsonColumn> attributes;
    for (const auto& [name, attribute_oid] : type.attributes) {
      Result<JsonType> attribute = json(attribute_oid);
      if (!attribute) return attribute.error();
      attributes.push_back({name, *std::move(attribute)});
    }
    return composite_of(std::move(attributes));
  }
  if (type.cast_to_json) return Status(Code::kUnsupported, type.sql_name);
  return JsonType{scalar_json_form(base_oid(oid))};
}

asio::awaitable<Result<ColumnTypes>> read_column_types(db::PgPool& pool,
                                                       std::string tables,
                                                       std::size_t rules) {
  std::vector<db::PgStatement> statements;
  for (const std::string_view sql :
       {sql::mirror::kListTypes, sql::mirror::kListColumnTypes, sql::mirror::kListUniqueIndexes}) {
    db::PgStatement statement;
    statement.sql = sql;
    statement.parameters.emplace_back(tables);
    statements.push_back(std::move(statement));
  }
  Result<std::vector<db::PgResult>> found = co_await pool.execute_pipeline(std::move(statements));
  if (!found) co_return found.error().with_context("could not read the types of the columns");
  ColumnTypes all;
  all.columns.resize(rules);
  all.unique_indexes.resize(rules);
  const db::PgResult &types = (*found)[0], &columns = (*found)[1], &indexes = (*found)[2];
  for (int row = 0; row < types.rows(); ++row) {
    all.types.add(number(types, row, "oid"), type_of(types, row));
  }
  for (int row = 0; row < columns.rows(); ++row) {
    const std::string name(text(columns, row, "attname"));
    all.columns.at(number(columns, row, "rule"))[name] = number(columns, row, "atttypid");
  }
  for (int row = 0; row < indexes.rows(); ++row) {
    UniqueIndex index;
    index.immediate = text(indexes, row, "immediate") == "t";
    const boost::json::value parts = boost::json::parse(text(indexes, row, "columns"));
    for (const boost::json::value& part : parts.as_array()) {
      index.columns.emplace_back(part.at("name").as_string());
      index.operators.emplace_back(part.at("equal").as_string());
    }
    all.unique_indexes.at(number(indexes, row, "rule")).push_back(std::move(index));
  }
  co_return all;
}

Result<UniqueIndex> unique_index_of(const Rule& rule,
                                    const KeyReader::Shapes& shapes,
                                    const std::vector<UniqueIndex>& indexes) {
  const KeyReader reader(rule.key, shapes);
  bool unique = false;
  for (const UniqueIndex& index : indexes) {
    if (contains_all(reader.columns(), index.columns)) return index;
    unique = unique || contains_all(rule.key.columns(), index.columns);
  }
  if (!unique) {
    return Status(Code::kUnsupported,
                  "two rows may have the same key, because no unique index is on (" +
                      list_of(rule.key.columns()) +
                      ") or a part of it: create a unique index, without a condition and without "
                      "expressions");
  }
  return Status(Code::kUnsupported,
                "two rows may have the same key, because \"" + rule.key.text() +
                    "\" does not show where the texts of " + list_of(reader.ambiguous()) +
                    " begin and end: they may contain the text between them. Set the key \"" +
                    unambiguous_template(rule.key, shapes) + "\", for example");
}

}  // namespace edged::mirror

// SPDX-License-Identifier: Apache-2.0
// See translator.h.
#include "worker/mirror/translator.h"

#include <algorithm>
#include <utility>

namespace edged::mirror {
namespace {

using Fields = std::vector<RowMapper::Field>;

Result<Fields> fields_of(const Row& row) {
  Fields fields;
  fields.reserve(row.size());
  for (const ColumnValue& column : row) {
    RowMapper::Field field;
    switch (column.kind) {
      case ColumnValue::Kind::kNull:
        break;
      case ColumnValue::Kind::kUnchanged:
        field.unchanged = true;
        break;
      case ColumnValue::Kind::kText:
        field.text = column.bytes;
        break;
      case ColumnValue::Kind::kBinary:
        return Status(Code::kBadFrame, "received a column in binary form, but text was requested");
    }
    fields.push_back(field);
  }
  return fields;
}

bool any_unchanged(const Fields& fields) {
  return std::any_of(fields.begin(), fields.end(), [](const auto& one) { return one.unchanged; });
}

Status of_table(const Status& status, const RowMapper& mapper) {
  return status.with_context("table " + mapper.rule().table.to_text());
}

// What the row was called before the change, from the columns that tell rows apart.
Status note_before(const RowMapper& mapper, const Fields& row, RowChange& change) {
  if (change.indexed) {
    Result<std::string> identity = mapper.identity(row);
    if (!identity) return identity.error();
    change.identity_before = *std::move(identity);
    return {};
  }
  Result<std::optional<std::string>> key = mapper.key(row);
  if (!key) return key.error();
  change.key_before = *std::move(key);
  return {};
}

Status note_after(const std::shared_ptr<const RowMapper>& mapper,
                  const Fields& row,
                  RowChange& change) {
  if (change.indexed) {
    Result<std::string> identity = mapper->identity(row);
    if (!identity) return identity.error();
    change.identity = *std::move(identity);
  }
  if (any_unchanged(row)) {
    change.partial = std::make_shared<PartialRow>(mapper, row);
    return {};
  }
  Result<std::optional<RowMapper::Entry>> entry = mapper->entry(row, std::nullopt);
  if (!entry) return entry.error();
  change.entry = *std::move(entry);
  return {};
}

// What of the table is no longer as the catalogue said; empty: nothing.
std::string difference_between(const Table& table, const Relation& relation) {
  const TableName name{std::string(relation.schema.empty() ? "pg_catalog" : relation.schema),
                       std::string(relation.name)};
  if (!(table.name == name)) return "its name is now " + name.to_text();
  if (table.identity != relation.identity) return "it has another replica identity";
  if (table.columns.size() != relation.columns.size()) return "it has another number of columns";
  for (std::size_t i = 0; i < relation.columns.size(); ++i) {
    const RelationColumn& now = relation.columns[i];
    const TableColumn& before = table.columns[i];
    const std::string column = "column \"" + before.json.name + "\"";
    if (before.json.name != now.name) return column + " is now \"" + std::string(now.name) + "\"";
    if (i < table.types.size() && !(table.types[i] == ColumnType{now.type, now.modifier})) {
      return column + " has another type";
    }
    if (relation.identity != ReplicaIdentity::kFull && before.identity != now.key) {
      return column + " was added to the replica identity or removed from it";
    }
  }
  return {};
}

}  // namespace

PartialRow::PartialRow(std::shared_ptr<const RowMapper> mapper, Fields fields)
    : mapper_(std::move(mapper)), fields_(std::move(fields)) {
  std::size_t bytes = 0;
  for (const auto& field : fields_) bytes += field.text ? field.text->size() : 0;
  texts_.reserve(bytes);
  for (auto& field : fields_) {
    if (!field.text) continue;
    const std::size_t start = texts_.size();
    texts_ += *field.text;
    field.text = std::string_view(texts_).substr(start);
  }
}

Result<std::optional<std::string>> PartialRow::key(
    std::optional<std::string_view> key_before) const {
  return mapper_->key(fields_, key_before);
}

Result<std::optional<RowMapper::Entry>> PartialRow::complete(
    std::optional<std::string_view> stored, std::optional<std::string_view> key_before) const {
  return mapper_->entry(fields_, stored, key_before);
}

Result<bool> PartialRow::has_expired(std::int64_t now_ms) const {
  return mapper_->has_expired(fields_, now_ms);
}

std::size_t RowChange::bytes() const {
  std::size_t bytes = identity_before.size() + identity.size();
  if (key_before) bytes += key_before->size();
  if (entry) bytes += entry->key.size() + entry->value.size();
  if (partial) bytes += partial->bytes();
  return bytes;
}

Translator::Translator(std::vector<Rule> rules, std::vector<Table> tables)
    : rules_(std::move(rules)), tables_(std::move(tables)) {}

Status Translator::relation(const Relation& relation) {
  const auto table = std::find_if(
      tables_.begin(), tables_.end(), [&](const Table& one) { return one.oid == relation.id; });
  if (table == tables_.end()) {
    known_[relation.id] = {};
    return {};
  }
  const std::string difference = difference_between(*table, relation);
  if (!difference.empty()) {
    return Status(Code::kConflict,
                  "table " + table->name.to_text() + " was altered: " + difference);
  }
  const auto rule = static_cast<std::size_t>(table - tables_.begin());
  const bool whole = relation.identity == ReplicaIdentity::kFull;
  Result<RowMapper> mapper = RowMapper::make(rules_[rule], table->columns, whole);
  if (!mapper) return mapper.error();
  known_[relation.id] = {rule, std::make_shared<const RowMapper>(*std::move(mapper))};
  return {};
}

Result<Translator::Known> Translator::find(std::uint32_t relation) const {
  const auto found = known_.find(relation);
  if (found != known_.end()) return found->second;
  return Status(Code::kBadFrame,
                "received a change for table OID " + std::to_string(relation) +
                    " before its Relation message");
}

Result<std::optional<RowChange>> Translator::insert(const Insert& insert) const {
  const Result<Known> known = find(insert.relation);
  if (!known) return known.error();
  if (!known->mapper) return std::optional<RowChange>();
  const Result<Fields> row = fields_of(insert.row);
  if (!row) return row.error();
  RowChange change;
  change.rule = known->rule;
  change.indexed = !known->mapper->key_is_in_identity();
  change.deferred_key = tables_[known->rule].deferred_key;
  change.inserted = true;
  const Status after = note_after(known->mapper, *row, change);
  if (!after.ok()) return of_table(after, *known->mapper);
  return std::optional(std::move(change));
}

Result<std::optional<RowChange>> Translator::update(const Update& update) const {
  const Result<Known> known = find(update.relation);
  if (!known) return known.error();
  if (!known->mapper) return std::optional<RowChange>();
  Result<Fields> row = fields_of(update.row);
  if (!row) return row.error();
  RowChange change;
  change.rule = known->rule;
  change.indexed = !known->mapper->key_is_in_identity();
  change.deferred_key = tables_[known->rule].deferred_key;
  Status before;
  if (update.old) {
    const Result<Fields> old = fields_of(update.old->row);
    if (!old) return old.error();
    before = note_before(*known->mapper, *old, change);
    // The old row has its identity columns in full, also those that are not sent again.
    const std::vector<TableColumn>& columns = known->mapper->columns();
    for (std::size_t i = 0; i < row->size() && i < old->size() && i < columns.size(); ++i) {
      if (!(*row)[i].unchanged) continue;
      if (update.old->whole || columns[i].identity) (*row)[i] = (*old)[i];
    }
  } else {
    before = note_before(*known->mapper, *row, change);
  }
  const Status after = before.ok() ? note_after(known->mapper, *row, change) : before;
  if (!after.ok()) return of_table(after, *known->mapper);
  return std::optional(std::move(change));
}

Result<std::optional<RowChange>> Translator::remove(const Delete& removal) const {
  const Result<Known> known = find(removal.relation);
  if (!known) return known.error();
  if (!known->mapper) return std::optional<RowChange>();
  const Result<Fields> old = fields_of(removal.old.row);
  if (!old) return old.error();
  RowChange change;
  change.rule = known->rule;
  change.indexed = !known->mapper->key_is_in_identity();
  change.deferred_key = tables_[known->rule].deferred_key;
  change.removed = true;
  const Status before = note_before(*known->mapper, *old, change);
  if (!before.ok()) return of_table(before, *known->mapper);
  return std::optional(std::move(change));
}

Result<std::vector<std::size_t>> Translator::truncate(const Truncate& truncate) const {
  std::vector<std::size_t> rules;
  for (const std::uint32_t relation : truncate.relations) {
    const Result<Known> known = find(relation);
    if (!known) return known.error();
    if (known->mapper) rules.push_back(known->rule);
  }
  return rules;
}

}  // namespace edged::mirror

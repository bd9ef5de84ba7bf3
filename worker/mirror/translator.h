// SPDX-License-Identifier: Apache-2.0
// Translates messages of the replication stream to row changes: which row has which entry now.
// Knows the tables of the session; no I/O. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/status.h"
#include "worker/mirror/catalogue.h"
#include "worker/mirror/pgoutput.h"
#include "worker/mirror/row_mapper.h"

namespace edged::mirror {

// A row whose large columns were not sent, because they have not changed. Its entry is made once
// the stored value is at hand.
class PartialRow {
 public:
  PartialRow(std::shared_ptr<const RowMapper> mapper, std::vector<RowMapper::Field> fields);
  // `key_before`: the key of the row before the change. Errors: as RowMapper::key().
  Result<std::optional<std::string>> key(std::optional<std::string_view> key_before) const;
  // Errors: as RowMapper::entry().
  Result<std::optional<RowMapper::Entry>> complete(
      std::optional<std::string_view> stored,
      std::optional<std::string_view> key_before = std::nullopt) const;
  // Errors: as RowMapper::has_expired().
  Result<bool> has_expired(std::int64_t now_ms) const;
  std::size_t bytes() const { return texts_.size(); }

 private:
  std::shared_ptr<const RowMapper> mapper_;
  std::string texts_;  // of the fields, which are views into it
  std::vector<RowMapper::Field> fields_;
};

struct RowChange {
  std::size_t rule = 0;
  bool inserted = false;  // there was no such row before
  bool removed = false;   // there is none any more
  // The unique constraint of the key is deferrable: until the transaction ends another row may have
  // the same key.
  bool deferred_key = false;
  std::uint32_t xid = 0;  // of the transaction in the stream; 0: of a load
  Lsn commit_lsn = 0;     // of its commit record
  // The row's identity before and after the change. Only for tables with an index.
  bool indexed = false;
  std::string identity_before, identity;
  // Of tables without an index: the key before, if there was one.
  std::optional<std::string> key_before;
  std::optional<RowMapper::Entry> entry;  // as it is now; nothing: removed, or a row without a key
  std::shared_ptr<const PartialRow> partial;  // instead of the entry

  std::size_t bytes() const;
};

class Translator {
 public:
  // `tables`: one for each rule. They must be those that `relation` will tell of.
  Translator(std::vector<Rule> rules, std::vector<Table> tables);

  // What every key of a rule begins with.
  const std::string& prefix(std::size_t rule) const { return rules_[rule].key.prefix(); }

  // Must be told of each table before its changes. Errors: kConflict: the table is no longer what
  // the catalogue said; read it again, and the rows.
  Status relation(const Relation& relation);

  // Nothing for a table that belongs to no rule. Errors: kBadFrame (a table that was not told of),
  // kInvalidArgument (a row that has no place in the node; says which table).
  Result<std::optional<RowChange>> insert(const Insert& insert) const;
  Result<std::optional<RowChange>> update(const Update& update) const;
  Result<std::optional<RowChange>> remove(const Delete& removal) const;
  // The rules whose tables were emptied.
  Result<std::vector<std::size_t>> truncate(const Truncate& truncate) const;

 private:
  struct Known {
    std::size_t rule = 0;
    std::shared_ptr<const RowMapper> mapper;  // null: no rule's table
  };
  Result<Known> find(std::uint32_t relation) const;

  const std::vector<Rule> rules_;
  const std::vector<Table> tables_;
  std::map<std::uint32_t, Known> known_;
};

}  // namespace edged::mirror

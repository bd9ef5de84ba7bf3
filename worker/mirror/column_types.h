// SPDX-License-Identifier: Apache-2.0
// The types of the mirrored tables' columns, followed through domains, arrays and composites to
// what their texts look like and what JSON becomes of them. The executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/mirror/key_text.h"
#include "worker/mirror/row_json.h"
#include "worker/mirror/rule.h"

namespace edged::mirror {

// Types by their oid in pg_type.
class TypeCatalogue {
 public:
  struct Type {
    char kind = 'b';       // pg_type.typtype
    std::string sql_name;  // for casts; without a modifier
    std::uint32_t base = 0, element = 0;
    bool vector = false;  // int2vector or oidvector
    char delimiter = ',';
    std::vector<std::pair<std::string, std::uint32_t>> attributes;  // of a composite
    std::vector<std::string> labels;                                // of an enum
    bool cast_to_json = false;  // row_to_json() calls a function of the type's author
  };
  void add(std::uint32_t oid, Type type) { types_[oid] = std::move(type); }

  // Domains are followed to the type they are based on.
  const Type& base_of(std::uint32_t oid) const;
  std::uint32_t base_oid(std::uint32_t oid) const;
  TextShape shape(std::uint32_t oid) const;
  // Errors: kUnsupported: row_to_json() makes something of the type that cannot be made here; the
  // message is the name of that type.
  Result<JsonType> json(std::uint32_t oid) const;

 private:
  std::map<std::uint32_t, Type> types_;
};

struct UniqueIndex {
  std::vector<std::string> columns;
  std::vector<std::string> operators;  // of equality, one for each column, as SQL has them
  bool immediate = true;  // false: its constraint is deferrable, and checked later than each row
};

// For each rule: its table's columns with their types' oids, and its unique indexes.
struct ColumnTypes {
  TypeCatalogue types;
  std::vector<std::map<std::string, std::uint32_t>> columns;
  std::vector<std::vector<UniqueIndex>> unique_indexes;
};

// `tables`: as tables_as_json() gives them. Errors: those of PgPool::execute.
boost::asio::awaitable<Result<ColumnTypes>> read_column_types(db::PgPool& pool,
                                                              std::string tables,
                                                              std::size_t rules);

// By which the rule's keys are one to one with its table's rows. The first index that holds for
// each row at any time is preferred. Errors: kUnsupported: two rows may have the same key; the
// message says why, and names a template or an index that mends it.
Result<UniqueIndex> unique_index_of(const Rule& rule,
                                    const KeyReader::Shapes& shapes,
                                    const std::vector<UniqueIndex>& indexes);

}  // namespace edged::mirror

// SPDX-License-Identifier: Apache-2.0
// Row changes in their order become what one batch writes: for each key its last state. Pure; one
// thread.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/net/client.h"
#include "worker/mirror/translator.h"

namespace edged::mirror {

net::PutItem put_item(std::string key, std::string value);
net::RemoveItem remove_item(std::string key);

class BatchPlan {
 public:
  // What the node's index says; must be known of each indexed row that is changed or removed.
  void know_index(const std::string& index_key, std::optional<std::string> key);

  // The key that the row has before the change; nothing: it has none.
  std::optional<std::string> key_before(const RowChange& change) const;
  // The value that an earlier change of the plan gave the row: nothing if none did, so that the
  // node has it under key_before(); an empty optional within if the row has none. Not simply what
  // is planned for that key: where a unique constraint is deferred another row may have taken it.
  std::optional<std::optional<std::string_view>> value_before(const RowChange& change) const;

  // `entry`: of the row as it is now, nothing if it has none.
  void add(const RowChange& change, std::optional<RowMapper::Entry> entry);

  // Puts and removals, for a batch in which their order does not matter.
  std::vector<net::BatchItem> take_items();

 private:
  struct State {
    std::optional<RowMapper::Entry> entry;
    // Whose row it is, of indexed tables: another row may leave the key after this one took it,
    // where a unique constraint is deferred.
    std::string holder;
  };
  struct Index {
    std::optional<std::string> key;
    bool changed = false;              // the key
    bool valued = false;               // by the plan
    std::optional<std::string> value;  // of the row, if it has an entry
  };
  void leave(const RowChange& change, const std::string& key);
  void set_index(std::size_t rule,
                 const std::string& identity,
                 const std::optional<RowMapper::Entry>& entry);

  std::map<std::string, State> keys_;
  std::map<std::string, Index> index_;
};

}  // namespace edged::mirror

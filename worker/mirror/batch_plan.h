// SPDX-License-Identifier: Apache-2.0
// Turns row changes, in their order, into what one batch writes: the last state of each key. Keys
// whose state the changes do not tell are listed, to be read from their tables. Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/net/client.h"
#include "worker/mirror/translator.h"

namespace edged::mirror {

net::PutItem put_item(std::string key, std::string value);
net::RemoveItem remove_item(std::string key);

class BatchPlan {
 public:
  // True if the node's state of `key` was read from its table and includes the transaction `xid`.
  using Includes = std::function<bool(const std::string& key, std::uint32_t xid)>;
  explicit BatchPlan(Includes node_includes = nullptr) : node_includes_(std::move(node_includes)) {}

  // The key that the node's index has for a row. Call it for each indexed row that is changed or
  // removed, before add().
  void know_index(const std::string& index_key, std::optional<std::string> key);

  // The key that the row has before the change; nothing: it has none.
  std::optional<std::string> key_before(const RowChange& change) const;

  // Where the row's value before the change is.
  struct Stored {
    enum class Where {
      kNode,     // under `key`, as it is before the plan
      kPlan,     // here
      kNowhere,  // it must be read from the table
    };
    Where where = Where::kNowhere;
    std::string key;
    std::string_view value{};  // of kPlan; valid until the next change is added
  };
  Stored stored_before(const RowChange& change) const;

  // `entry`: of the row as it is now, nothing if it has none.
  void add(const RowChange& change, std::optional<RowMapper::Entry> entry);
  // The row has `key` now, and its value must be read from the table.
  void add_unknown(const RowChange& change, const std::string& key);
  // The row has `key` now, and has expired: nobody needs its value.
  void add_expired(const RowChange& change, const std::string& key);

  // The keys whose state must be read from their tables, by rule. Where a unique constraint is
  // deferrable these include all that a row has left: another may have taken the key before, or
  // have it still.
  std::map<std::size_t, std::vector<std::string>> unknown_keys() const;

  // Puts and removals of known keys, for a batch in which their order does not matter.
  std::vector<net::BatchItem> take_items();
  // Those of the index.
  std::vector<net::BatchItem> take_index_items();

 private:
  struct State {
    std::size_t rule = 0;
    std::optional<RowMapper::Entry> entry;
    bool unknown = false;
  };
  struct Index {
    std::optional<std::string> key;
    bool changed = false;              // the key
    bool valued = false;               // by the plan
    std::optional<std::string> value;  // of the row, if it has an entry and it is known
  };
  bool node_includes(const RowChange& change, const std::string& key) const;
  void apply(const RowChange& change, const std::optional<std::string>& key, State state);
  void set(const RowChange& change, const std::string& key, State state);
  void set_index(std::size_t rule,
                 const std::string& identity,
                 const std::optional<std::string>& key,
                 const std::optional<RowMapper::Entry>& entry);

  const Includes node_includes_;
  std::map<std::string, State> keys_;
  std::map<std::string, Index> index_;
};

// An entry as the node stores it.
net::BatchItem entry_item(RowMapper::Entry entry);

}  // namespace edged::mirror

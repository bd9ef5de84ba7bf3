// SPDX-License-Identifier: Apache-2.0
// The keys of one command, or of all commands of an EXEC, as they were read and as the commands
// leave them: commands run over it, without I/O, and what they changed becomes one Write, each part
// on the condition that the key is still as it was read. One thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvstore/storage/store.h"
#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::redis {

// What a command did to a key, for keyspace notifications: "set", "expire", "del".
struct KeyEvent {
  storage::NamespaceNumber ns = 0;
  std::string key;
  std::string_view name;
};

class Overlay {
 public:
  struct Name {
    storage::NamespaceNumber ns = 0;  // 0: a database whose namespace does not exist yet
    std::string key;
    auto operator<=>(const Name&) const = default;
  };

  explicit Overlay(const storage::Store& store) : store_(store) {}

  void clear();
  // What reading the key gave. Errors but kNotFound come back from each use of the key.
  void load(const Name& name, Result<storage::Entry> read);
  bool holds(const Name& name) const { return keys_.contains(name); }
  std::size_t bytes() const { return bytes_; }

  // The entry of a key that was loaded, or null if the key is absent. Errors: why it could not be
  // read (kStale, kDenied, …).
  Result<const storage::Entry*> find(storage::NamespaceNumber ns, std::string_view key);

  // kOk if the key may be changed. Errors: those of find(); kConflict: it belongs to a mirror.
  Status may_change(storage::NamespaceNumber ns, std::string_view key);
  void put(storage::NamespaceNumber ns, std::string_view key, storage::Entry entry);
  // Changes the expiry alone. The key must be present.
  void set_expiry(storage::NamespaceNumber ns,
                  std::string_view key,
                  std::optional<WallTime> expires_at);
  // The key must be present.
  void erase(storage::NamespaceNumber ns, std::string_view key);

  // The version of a key that was loaded; 0 if the key is absent or could not be read.
  storage::Version version_read(const Name& name) const;

  bool changed() const { return changes_ > 0; }
  // The changes, and checks of the keys that were only read. Nothing is to be written if none
  // changed.
  storage::Write to_write() const;

  std::vector<KeyEvent>& events() { return events_; }

 private:
  struct State {
    Status status;  // kOk: the key is known
    std::optional<storage::Entry> entry;
    storage::Version version_read = 0;  // 0: absent
    bool value_changed = false, expiry_changed = false;
    bool changed() const { return value_changed || expiry_changed; }
  };

  State& at(storage::NamespaceNumber ns, std::string_view key);
  void count_change(State& state);

  const storage::Store& store_;
  std::map<Name, State> keys_;
  std::vector<KeyEvent> events_;
  std::size_t changes_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace edged::redis

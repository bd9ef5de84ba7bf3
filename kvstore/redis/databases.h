// SPDX-License-Identifier: Apache-2.0
// Which namespace each of a client's numbered databases is. One object per reactor: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kvstore/storage/store.h"

namespace edged::redis {

inline constexpr std::size_t kDatabases = 16;
// The number of the namespace, or 0 if the database has none yet.
using DatabaseNumbers = std::array<storage::NamespaceNumber, kDatabases>;

class Databases {
 public:
  // `names`: ids or titles by the number of the database; what is empty or not named is "default"
  // for 0 and "redis-N" for N.
  Databases(const storage::Store& store, const std::vector<std::string>& names);

  const DatabaseNumbers& numbers() {
    const std::uint64_t version = store_.namespaces_version();
    if (version != version_) look_up(version);
    return numbers_;
  }
  // The title of the namespace that the first write creates. Empty if the configuration names the
  // namespace: then it is not created.
  std::string title_to_create(std::size_t database) const;
  const std::string& name(std::size_t database) const { return names_[database]; }

 private:
  void look_up(std::uint64_t version);

  const storage::Store& store_;
  std::array<std::string, kDatabases> names_;
  std::array<bool, kDatabases> configured_{};
  DatabaseNumbers numbers_{};
  std::uint64_t version_ = ~std::uint64_t{0};
};

}  // namespace edged::redis

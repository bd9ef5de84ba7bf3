// SPDX-License-Identifier: Apache-2.0
// See databases.h.
#include "kvstore/redis/databases.h"

namespace edged::redis {

Databases::Databases(const storage::Store& store, const std::vector<std::string>& names)
    : store_(store) {
  for (std::size_t i = 0; i < kDatabases; ++i) {
    configured_[i] = i < names.size() && !names[i].empty();
    if (configured_[i]) {
      names_[i] = names[i];
    } else {
      names_[i] = i == 0 ? std::string("default") : "redis-" + std::to_string(i);
    }
  }
}

std::string Databases::title_to_create(std::size_t database) const {
  return configured_[database] ? std::string() : names_[database];
}

void Databases::look_up(std::uint64_t version) {
  for (std::size_t i = 0; i < kDatabases; ++i) {
    const auto found = store_.find_namespace(names_[i]);
    numbers_[i] = found ? found->number : 0;
  }
  version_ = version;
}

}  // namespace edged::redis

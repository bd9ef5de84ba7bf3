// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/linear_configurations.h"

namespace edged::soak {

bool LinearConfiguration::covers(const LinearConfiguration& other) const {
  if (next != other.next || content != other.content) return false;
  if ((other.explained & ~explained) != 0) return false;
  if ((deletes_spent & ~other.deletes_spent) != 0) return false;
  for (std::size_t i = 0; i < spent.size(); ++i) {
    if (spent[i] > other.spent[i]) return false;
  }
  return true;
}

bool LinearConfigurations::insert(const LinearConfiguration& added) {
  std::vector<LinearConfiguration>& alike = groups_[{added.next, added.content}];
  for (const LinearConfiguration& held : alike) {
    if (held.covers(added)) return false;
  }
  count_ -= std::erase_if(alike,
                          [&added](const LinearConfiguration& held) { return added.covers(held); });
  alike.push_back(added);
  ++count_;
  return true;
}

std::vector<LinearConfiguration> LinearConfigurations::all() const {
  std::vector<LinearConfiguration> list;
  for (const auto& [key, group] : groups_) list.insert(list.end(), group.begin(), group.end());
  return list;
}

}  // namespace edged::soak

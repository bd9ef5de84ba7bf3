// SPDX-License-Identifier: Apache-2.0
// See key_order.h.
#include "kvstore/server/key_order.h"

#include <algorithm>
#include <functional>

#include "kvstore/server/operations.h"

namespace edged::server {
namespace {

std::uint64_t hash_of(std::uint32_t ns, std::string_view key) {
  return std::hash<std::string_view>()(key) + ns * std::uint64_t{0x9E3779B97F4A7C15};
}

// Calls `visit` with each key until it answers false.
template <typename Visit>
void visit_keys(const wire::Request& request, Visit visit) {
  switch (request.opcode) {
    case wire::Opcode::kMultiGet:
    case wire::Opcode::kMultiPut:
    case wire::Opcode::kMultiDelete:
    case wire::Opcode::kBatch: {
      wire::ItemReader reader(request.value);
      wire::Item item;
      while (reader.next(item) && visit(item.fields.ns.value_or(request.ns), item.key)) {
      }
      return;
    }
    default:
      if (request.opcode == wire::Opcode::kGet || is_write(request.opcode)) {
        visit(request.ns, request.key);
      }
  }
}

}  // namespace

bool KeyOrder::Keys::has(std::uint32_t ns, std::string_view key) const {
  if (uses_.empty()) return false;
  if (uses_.size() > kLookedThroughMax) return true;
  const std::uint64_t hash = hash_of(ns, key);
  return std::any_of(
      uses_.begin(), uses_.end(), [hash](const Use& use) { return use.hash == hash; });
}

void KeyOrder::Keys::add(std::uint64_t ticket, std::uint32_t ns, std::string_view key) {
  uses_.push_back({hash_of(ns, key), ticket});
}

// The uses of a ticket are neighbours, and mostly the first there are.
void KeyOrder::Keys::remove(std::uint64_t ticket) {
  const auto is_its = [ticket](const Use& use) { return use.ticket == ticket; };
  const auto first = std::find_if(uses_.begin(), uses_.end(), is_its);
  uses_.erase(first, std::find_if_not(first, uses_.end(), is_its));
}

bool KeyOrder::conflicts(const wire::Request& request) const {
  const Keys& others = is_write(request.opcode) ? reads_ : writes_;
  if (others.empty()) return false;
  bool found = false;
  visit_keys(request, [&](std::uint32_t ns, std::string_view key) {
    found = others.has(ns, key);
    return !found;
  });
  return found;
}

void KeyOrder::begin(std::uint64_t ticket, const wire::Request& request, bool exclusive) {
  const bool writes = is_write(request.opcode);
  visit_keys(request, [&](std::uint32_t ns, std::string_view key) {
    if (writes) writes_.add(ticket, ns, key);
    if (exclusive || !writes) reads_.add(ticket, ns, key);
    return true;
  });
}

void KeyOrder::end(std::uint64_t ticket) {
  reads_.remove(ticket);
  writes_.remove(ticket);
}

}  // namespace edged::server

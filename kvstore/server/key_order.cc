// SPDX-License-Identifier: Apache-2.0
// See key_order.h.
#include "kvstore/server/key_order.h"

#include <utility>

#include "kvstore/server/operations.h"
#include "proto/wire/codec.h"

namespace edged::server {
namespace {

std::string full_key(std::uint32_t ns, std::string_view key) {
  std::string full;
  wire::append_u32(full, ns);
  full.append(key);
  return full;
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
      while (reader.next(item) && visit(full_key(item.fields.ns.value_or(request.ns), item.key))) {
      }
      return;
    }
    default:
      if (request.opcode == wire::Opcode::kGet || is_write(request.opcode)) {
        visit(full_key(request.ns, request.key));
      }
  }
}

}  // namespace

bool KeyOrder::conflicts(const wire::Request& request) const {
  if (uses_.empty()) {
    return false;
  }
  const bool write = is_write(request.opcode);
  bool found = false;
  visit_keys(request, [&](const std::string& key) {
    const auto use = uses_.find(key);
    found = use != uses_.end() && (write ? use->second.reads : use->second.writes) > 0;
    return !found;
  });
  return found;
}

bool KeyOrder::is_written(std::uint32_t ns, std::string_view key) const {
  if (uses_.empty()) {
    return false;
  }
  const auto use = uses_.find(full_key(ns, key));
  return use != uses_.end() && use->second.writes > 0;
}

void KeyOrder::begin(std::uint64_t ticket, const wire::Request& request, bool exclusive) {
  Ticket& entry = tickets_[ticket];
  entry.writes = is_write(request.opcode);
  entry.reads = exclusive || !entry.writes;
  visit_keys(request, [&](std::string key) {
    Use& use = uses_[key];
    use.reads += entry.reads ? 1 : 0;
    use.writes += entry.writes ? 1 : 0;
    entry.keys.push_back(std::move(key));
    return true;
  });
}

void KeyOrder::end(std::uint64_t ticket) {
  const auto entry = tickets_.find(ticket);
  if (entry == tickets_.end()) {
    return;
  }
  for (const std::string& key : entry->second.keys) {
    const auto use = uses_.find(key);
    use->second.reads -= entry->second.reads ? 1 : 0;
    use->second.writes -= entry->second.writes ? 1 : 0;
    if (use->second.reads == 0 && use->second.writes == 0) {
      uses_.erase(use);
    }
  }
  tickets_.erase(entry);
}

}  // namespace edged::server

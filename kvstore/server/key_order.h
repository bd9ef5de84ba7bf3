// SPDX-License-Identifier: Apache-2.0
// Keeps the promise "same connection and same key: effects in the order sent". It knows the keys of
// the requests under way; a read of a key that is being written, or a write of a key that is being
// read from disk, must wait. Writes after writes need not: the store keeps their order. One per
// connection; its reactor only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proto/wire/message.h"

namespace edged::server {

class KeyOrder {
 public:
  // True if `request` must not start before some request under way has ended.
  bool conflicts(const wire::Request& request) const;
  // The same for a read of one key.
  bool is_written(std::uint32_t ns, std::string_view key) const;
  // `ticket` names the request until end(). `exclusive`: later writes of its keys wait too.
  void begin(std::uint64_t ticket, const wire::Request& request, bool exclusive);
  void end(std::uint64_t ticket);
  std::size_t under_way() const { return tickets_.size(); }

 private:
  struct Use {
    std::uint32_t reads = 0;
    std::uint32_t writes = 0;
  };
  struct Ticket {
    bool reads = false;
    bool writes = false;
    std::vector<std::string> keys;
  };
  std::unordered_map<std::string, Use> uses_;
  std::unordered_map<std::uint64_t, Ticket> tickets_;
};

}  // namespace edged::server

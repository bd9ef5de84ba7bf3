// SPDX-License-Identifier: Apache-2.0
// Keeps the promise "same connection and same key: effects in the order sent". It knows the keys of
// the requests under way; a read of a key that is being written, or a write of a key that is being
// read from disk, must wait. Writes after writes need not: the store keeps their order. One per
// connection; its reactor only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

#include "proto/wire/message.h"

namespace edged::server {

class KeyOrder {
 public:
  // True if `request` must not start before some request under way has ended.
  bool conflicts(const wire::Request& request) const;
  // The same for a read of one key.
  bool is_written(std::uint32_t ns, std::string_view key) const { return writes_.has(ns, key); }
  // `ticket` names the request until end(). `exclusive`: later writes of its keys wait too.
  void begin(std::uint64_t ticket, const wire::Request& request, bool exclusive);
  void end(std::uint64_t ticket);

 private:
  // Keys by their hash: two that share one wait for each other without need, no more.
  class Keys {
   public:
    bool empty() const { return uses_.empty(); }
    bool has(std::uint32_t ns, std::string_view key) const;
    void add(std::uint64_t ticket, std::uint32_t ns, std::string_view key);
    void remove(std::uint64_t ticket);

   private:
    struct Use {
      std::uint64_t hash = 0;
      std::uint64_t ticket = 0;
    };
    // With more, every key counts as one of them: nobody looks through thousands.
    static constexpr std::size_t kLookedThroughMax = 512;
    std::deque<Use> uses_;
  };
  Keys reads_, writes_;
};

}  // namespace edged::server

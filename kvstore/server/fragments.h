// SPDX-License-Identifier: Apache-2.0
// Requests that arrive in fragments (docs/protocol.md, "Fragments"), put together: a value is
// staged in the store as it arrives, the items of a request for several keys are kept in memory up
// to a bound. One per connection; its reactor only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "kvstore/operations/staged_upload.h"
#include "kvstore/server/completion.h"
#include "kvstore/server/reply.h"

namespace edged::server {

class Fragments {
 public:
  // What a whole request is made of: `upload` holds its value if there is one.
  struct Whole {
    OwnedRequest request;
    std::shared_ptr<operations::StagedUpload> upload;
  };

  Fragments(storage::Store& store,
            operations::StoragePool& pool,
            std::weak_ptr<Completion> progress)
      : store_(store), pool_(pool), progress_(std::move(progress)) {}

  // True if the request is a fragment: another follows, or its id has begun.
  bool concerns(const wire::Request& request) const;
  // True if a fragment with this id has come before.
  bool has_begun(std::uint32_t id) const { return open_.contains(id); }
  // The first fragment without its value. has_begun(id).
  wire::Request head(std::uint32_t id) const { return open_.at(id).first.request(); }
  // True if the next frame with this id is a fragment, to be taken or dropped.
  bool expects(std::uint32_t id) const { return has_begun(id) || refused_.contains(id); }
  // Records that the request with this id has been answered with a refusal although more of its
  // fragments follow. They are dropped: without the first one they would be requests of their own,
  // and bytes of a value would be operations. False if too many requests are in this state; then
  // the connection must end.
  bool refuse(std::uint32_t id);
  // True if the request is a fragment of a refused one, and so is to be dropped. The last one ends
  // the matter: the id is free again.
  bool drops(std::uint32_t id, std::uint16_t flags);
  // Takes a fragment. Answers the whole request with its last one, nothing before.
  // Errors: kUnsupported, kBusy: the fragment is refused and nothing of it kept; kInvalidArgument,
  // kTooLarge, kBusy with the last fragment: why the whole request is refused.
  Result<std::unique_ptr<Whole>> take(const wire::Request& request);
  // Forgets an unfinished request, or that one was refused. False if there is none with this id.
  bool cancel(std::uint32_t id) { return open_.erase(id) + refused_.erase(id) > 0; }
  void clear() { open_.clear(); }

  // Of staged values, not yet with the store: reading should pause above some bound.
  std::size_t pending_bytes() const;
  // Of items kept.
  std::size_t memory_bytes() const;
  bool empty() const { return open_.empty(); }

 private:
  struct Assembly {
    explicit Assembly(const wire::Request& head) : first(head) {}
    OwnedRequest first;  // without value
    std::string value;
    std::shared_ptr<operations::StagedUpload> upload;
    Status refused;
  };

  Result<Assembly*> begin(const wire::Request& request);
  void add(Assembly& assembly, std::string_view value);

  storage::Store& store_;
  operations::StoragePool& pool_;
  const std::weak_ptr<Completion> progress_;
  std::unordered_map<std::uint32_t, Assembly> open_;
  std::unordered_set<std::uint32_t> refused_;  // answered, with fragments to come
};

}  // namespace edged::server

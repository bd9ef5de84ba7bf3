// SPDX-License-Identifier: Apache-2.0
// See value_stream.h.
#include "kvstore/operations/value_stream.h"

#include <utility>

#include "kvstore/operations/shared.h"

namespace edged::operations {

ValueStream::ValueStream(Shared& shared,
                         Caller caller,
                         storage::NamespaceNumber ns,
                         std::string key,
                         std::unique_ptr<storage::ValueReader> reader)
    : shared_(shared),
      caller_(std::move(caller)),
      ns_(ns),
      key_(std::move(key)),
      reader_(std::move(reader)) {
  shared_.streams.fetch_add(1);
}

ValueStream::~ValueStream() {
  shared_.streams.fetch_sub(1);
}

void ValueStream::read(Done<std::string> done) {
  Status allowed = shared_.stopping.load() ? Status(Code::kUnavailable, "the node is stopping")
                                           : caller_.authorize(demand_of(Kind::kGet, ns_, key_));
  if (!allowed.ok()) {
    done(std::move(allowed));
    return;
  }
  shared_.pending.begin();
  shared_.work.under_way()->begin();
  // Never refused: it continues what was admitted.
  shared_.work.pool().post_always(caller_.owner(),
                                  [self = shared_from_this(), done = std::move(done)]() mutable {
                                    Shared& shared = self->shared_;
                                    Result<std::string> piece = self->reader_->read();
                                    shared.work.under_way()->end();
                                    self.reset();
                                    std::exchange(done, nullptr)(std::move(piece));
                                    shared.pending.end();
                                  });
}

}  // namespace edged::operations

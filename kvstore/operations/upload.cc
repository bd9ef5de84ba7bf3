// SPDX-License-Identifier: Apache-2.0
// See upload.h.
#include "kvstore/operations/upload.h"

#include <utility>
#include <vector>

#include "kvstore/operations/shared.h"

namespace edged::operations {

Upload::Upload(Shared& shared, Caller caller, storage::NamespaceNumber ns, std::string key)
    : shared_(shared),
      caller_(std::move(caller)),
      ns_(ns),
      key_(std::move(key)),
      staged_(
          std::make_shared<StagedUpload>(shared.store, shared.work.pool(), ns, caller_.owner())) {}

Status Upload::authorize() {
  if (shared_.stopping.load()) return {Code::kUnavailable, "the node is stopping"};
  return caller_.authorize(demand_of(Kind::kPut, ns_, key_));
}

void Upload::append(std::string piece, Done<Nothing> done) {
  Status allowed = authorize();
  if (!allowed.ok()) {
    done(std::move(allowed));
    return;
  }
  shared_.pending.begin();
  shared_.work.under_way()->begin();
  staged_->append(std::move(piece),
                  [&shared = shared_, done = std::move(done)](const Status& stored) {
                    shared.work.under_way()->end();
                    done(stored.ok() ? Result<Nothing>(Nothing{}) : Result<Nothing>(stored));
                    shared.pending.end();
                  });
}

void Upload::put(storage::Put put,
                 storage::Durability durability,
                 Done<storage::WriteOutcome> done) {
  auto call =
      std::make_shared<Call<storage::WriteOutcome>>(shared_, Kind::kPut, caller_, std::move(done));
  const Status allowed = authorize();
  if (!allowed.ok()) {
    call->answer(allowed);
    return;
  }
  put.ns = ns_;
  put.key = key_;
  put.value.clear();
  storage::Write write;
  write.operations.emplace_back(std::move(put));
  write.durability = durability;
  write.owner = caller_.owner();
  const std::shared_ptr<UnderWayCount> under_way = shared_.work.under_way();
  under_way->begin();
  // Shared, because a std::function must be copyable. The upload lives until the put is answered.
  auto planned = std::make_shared<storage::Write>(std::move(write));
  staged_->finish([self = shared_from_this(), call, planned, under_way](
                      Result<storage::StagedValue> staged) mutable {
    if (!staged) {
      self.reset();
      under_way->end();
      call->answer(staged.error());
      return;
    }
    std::get<storage::Put>(planned->operations.front()).staged = *staged;
    storage::Store& store = self->shared_.store;
    store.submit(std::move(*planned),
                 [self = std::move(self), call, under_way](
                     Result<std::vector<storage::WriteOutcome>> written) mutable {
                   self.reset();  // released on the pool, which stop() keeps until the answer
                   under_way->end();
                   if (!written) {
                     call->answer(written.error());
                     return;
                   }
                   const Code status = written->front().code;
                   call->answer(std::move(written->front()), status);
                 });
  });
}

}  // namespace edged::operations

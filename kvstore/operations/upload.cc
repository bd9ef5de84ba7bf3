// SPDX-License-Identifier: Apache-2.0
// See upload.h.
#include "kvstore/operations/upload.h"

#include <utility>
#include <vector>

#include "kvstore/operations/shared.h"

namespace edged::operations {
namespace {

struct StagedPut {
  Shared& shared;
  std::shared_ptr<StagedUpload> upload;
  storage::Write write;
  storage::WriteCallback done;
};

void end(const std::shared_ptr<StagedPut>& put,
         Result<std::vector<storage::WriteOutcome>> written) {
  Shared& shared = put->shared;
  put->upload.reset();  // it is released on the pool, which is there until stop() returns
  shared.work.under_way()->end();
  std::exchange(put->done, nullptr)(std::move(written));
  shared.pending.end();  // last: the operations may go
}

}  // namespace

void put_staged(Shared& shared,
                std::shared_ptr<StagedUpload> upload,
                storage::Write write,
                storage::WriteCallback done) {
  auto put = std::make_shared<StagedPut>(
      StagedPut{shared, std::move(upload), std::move(write), std::move(done)});
  shared.pending.begin();
  shared.work.under_way()->begin();
  put->upload->finish([put](Result<storage::StagedValue> staged) {
    if (!staged) {
      end(put, staged.error());
      return;
    }
    std::get<storage::Put>(put->write.operations.front()).staged = *staged;
    put->shared.store.submit(std::move(put->write),
                             [put](Result<std::vector<storage::WriteOutcome>> written) {
                               end(put, std::move(written));
                             });
  });
}

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
  put_staged(shared_,
             staged_,
             std::move(write),
             [call](Result<std::vector<storage::WriteOutcome>> written) {
               if (!written) {
                 call->answer(written.error());
                 return;
               }
               const Code status = written->front().code;
               call->answer(std::move(written->front()), status);
             });
}

}  // namespace edged::operations

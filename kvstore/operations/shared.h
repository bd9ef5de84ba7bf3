// SPDX-License-Identifier: Apache-2.0
// What the operations, value streams and uploads of a node share. Internal to this folder.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "kvstore/operations/caller.h"
#include "kvstore/operations/done.h"
#include "kvstore/operations/pending_count.h"
#include "kvstore/operations/request_metrics.h"
#include "kvstore/operations/staged_upload.h"
#include "kvstore/operations/work.h"
#include "kvstore/storage/store.h"

namespace edged::operations {

struct Shared {
  storage::Store& store;
  Work& work;
  std::array<std::unique_ptr<RequestMetrics>, kFaces> metrics;  // of the faces that call operations
  std::atomic<bool> stopping{false};
  PendingCount pending;  // calls that were not answered yet
  std::atomic<std::size_t> write_bytes{0};
  std::atomic<std::size_t> streams{0};

  RequestMetrics& metrics_of(const Caller& caller) {
    return *metrics[static_cast<std::size_t>(caller.face())];
  }
};

// Writes `write`, whose one operation is the Put of the upload's value, when the upload is done;
// the upload lives until the answer. Counted as under way, and waited for by Operations::stop().
void put_staged(Shared& shared,
                std::shared_ptr<StagedUpload> upload,
                storage::Write write,
                storage::WriteCallback done);

// The demand of an operation on one key, a prefix, or a namespace.
inline Demand demand_of(Kind kind, storage::NamespaceNumber ns, std::string_view key = {}) {
  Demand demand;
  demand.name = kind_name(kind);
  demand.rule = rule_of(kind);
  if (demand.rule.reach != Reach::kNode) demand.ns = ns;
  demand.key = key;
  return demand;
}

// One call of a face: answered once, counted, and waited for by Operations::stop().
template <class T>
class Call : public std::enable_shared_from_this<Call<T>> {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  Call(Shared& shared, Kind kind, Caller who, Done<T> done)
      : caller(std::move(who)),
        shared_(shared),
        kind_(kind),
        start_(std::chrono::steady_clock::now()),
        done_(std::move(done)) {
    shared_.pending.begin();
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Errors: kUnavailable: the node is stopping; kBusy: it is overloaded.
  Status admit() const {
    if (shared_.stopping.load()) return {Code::kUnavailable, "the node is stopping"};
    if (!shared_.work.overloaded()) return {};
    return {Code::kBusy, "could not take request: the node is overloaded"};
  }
  // Also the errors of Caller::authorize().
  Status authorize(const Demand& demand) {
    Status admitted = admit();
    return admitted.ok() ? caller.authorize(demand) : admitted;
  }

  // `status` is what the metrics count, if it is not the result's.
  void answer(Result<T> result) {
    const Code status = result.code();
    answer(std::move(result), status);
  }
  void answer(Result<T> result, Code status) {
    shared_.metrics_of(caller).count(kind_, status, start_);
    answer_uncounted(std::move(result));
  }
  void answer_uncounted(Result<T> result) {
    std::exchange(done_, nullptr)(std::move(result));
    shared_.pending.end();  // last: the operations may go
  }

  // Runs `body` on the pool and answers what it returns.
  template <class Body>
  void run(Work::Length length, Body body) {
    const bool posted = shared_.work.post(
        caller.owner(), length, [self = this->shared_from_this(), body = std::move(body)] {
          Result<T> result = body();
          self->shared_.work.under_way()->end();
          self->answer(std::move(result));
        });
    if (!posted) {
      answer(Status(Code::kBusy, "could not read: the queue of work for the disk is full"));
    }
  }

  Caller caller;

 private:
  Shared& shared_;
  const Kind kind_;
  const Instant start_;
  Done<T> done_;
};

}  // namespace edged::operations

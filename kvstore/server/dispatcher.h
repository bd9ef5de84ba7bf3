// SPDX-License-Identifier: Apache-2.0
// From a request to its response, without I/O of its own. What memory can answer is answered at
// once; a read that needs the disk goes to the storage pool, a write to the store's writer thread,
// and the response comes through a Completion. Any thread may dispatch. The store and the registry
// must outlive every completion, the dispatcher itself need not.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "kvstore/server/reply.h"
#include "kvstore/server/storage_pool.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"
#include "proto/base/metrics.h"

namespace edged::server {

// Where late responses go.
class Completion {
 public:
  virtual ~Completion() = default;
  // Called exactly once for a ticket, on any thread, also on the dispatching one. Must not block.
  virtual void complete(std::uint64_t ticket, std::string response) = 0;
};

struct DispatcherOptions {
  std::size_t storage_threads = 2;
  std::size_t storage_queue_max = 4096;
  storage::Durability durability = storage::Durability::kWal;  // of writes that do not ask for sync
};

class Dispatcher {
 public:
  Dispatcher(storage::Store& store,
             const Clock& clock,
             MetricsRegistry& registry,
             DispatcherOptions options);
  ~Dispatcher();

  // True: the response was appended to `out`. False: `completion` gets it under `ticket`.
  // `request` is needed during the call only.
  bool dispatch(const wire::Request& request,
                const ReplyTo& to,
                const std::shared_ptr<Completion>& completion,
                std::uint64_t ticket,
                std::string& out);

  // The gauge of open connections; STATS reports it too.
  Gauge& connections();

 private:
  struct Metrics;
  using Instant = std::chrono::steady_clock::time_point;
  enum class Answered { kNow, kLater };

  bool answer_now(const wire::Request& request, const ReplyTo& to, Instant start, std::string& out);
  void submit_write(const wire::Request& request,
                    const ReplyTo& to,
                    const std::shared_ptr<Completion>& completion,
                    std::uint64_t ticket,
                    Instant start);
  void post_to_pool(const wire::Request& request,
                    const ReplyTo& to,
                    const std::shared_ptr<Completion>& completion,
                    std::uint64_t ticket,
                    Instant start);
  Code answer_from_disk(const wire::Request& request, const ReplyTo& to, std::string& out);

  storage::Store& store_;
  const Clock& clock_;
  std::int64_t started_ms_;
  std::shared_ptr<Metrics> metrics_;
  const storage::Durability durability_;
  StoragePool pool_;  // last: its threads use the members above
};

}  // namespace edged::server

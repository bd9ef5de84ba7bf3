// SPDX-License-Identifier: Apache-2.0
// From a request to its response, without I/O of its own. What memory can answer is answered at
// once; a read that needs the disk goes to the storage pool, a write to the pass of its reactor,
// and the response comes through a Completion. Pool, uploads and counts are the operations' of the
// node. Any thread may dispatch. The store and the registry must outlive every completion, the
// dispatcher itself need not.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "kvstore/access/access_table.h"
#include "kvstore/operations/operations.h"
#include "kvstore/operations/pending_count.h"
#include "kvstore/operations/request_metrics.h"
#include "kvstore/operations/staged_upload.h"
#include "kvstore/server/completion.h"
#include "kvstore/server/memory_share.h"
#include "kvstore/server/pass.h"
#include "kvstore/server/reads.h"
#include "kvstore/server/reply.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"
#include "proto/base/metrics.h"

namespace edged::server {

struct DispatcherOptions {
  // That all connections may hold together, beside what each may hold anyway.
  std::size_t connection_bytes_max = 512 * 1024 * 1024;
  storage::Durability durability = storage::Durability::kWal;  // of writes that do not ask for sync
  access::AccessTable* access = nullptr;                       // of the TOKEN operations
};

class Dispatcher {
 public:
  Dispatcher(operations::Operations& operations,
             storage::Store& store,
             const Clock& clock,
             MetricsRegistry& registry,
             DispatcherOptions options);
  ~Dispatcher();  // waits for its reads on the pool

  // True: the response was appended to `out`. False: `completion` gets it under `ticket`. It is
  // empty if the request is quiet and there is nothing to say.
  // `request` is needed during the call only.
  bool dispatch(const wire::Request& request,
                const ReplyTo& to,
                const std::shared_ptr<Completion>& completion,
                std::uint64_t ticket,
                Pass& pass,
                std::string& out);

  // The GETs that a connection has answered at one wake-up, to be counted together: one reading of
  // the clock and one update of each metric for all. For one connection.
  struct Turn {
    std::chrono::steady_clock::time_point start;  // of the first
    KeyCounts keys;
    storage::Entry scratch;
  };
  // See server::answer_plain_get. False: dispatch() it.
  bool answer_plain_get(const wire::Frame& frame,
                        std::uint32_t body_bytes_max,
                        Turn& turn,
                        std::string& out);
  // Before the responses are sent.
  void end(Turn& turn);

  // A PUT whose value is `upload`, given as the request without value. Always answered through
  // `completion`.
  void commit_upload(std::shared_ptr<operations::StagedUpload> upload,
                     const wire::Request& request,
                     const ReplyTo& to,
                     const std::shared_ptr<Completion>& completion,
                     std::uint64_t ticket);

  // True while so much waits that connections with more than their share are to be told to wait.
  bool overloaded() const { return operations_.work().overloaded(); }
  void refuse_busy(const wire::Request& request,
                   const ReplyTo& to,
                   const char* why,
                   std::string& out);
  // What the connections hold.
  MemoryTotal& memory() { return memory_; }

  // For operations that are answered elsewhere.
  void count(wire::Opcode opcode, Code status, std::chrono::steady_clock::time_point start);

  storage::Store& store() { return store_; }
  operations::StoragePool& pool() { return operations_.work().pool(); }
  // The gauge of open connections; STATS reports it too.
  Gauge& connections() { return connections_; }

 private:
  using Instant = std::chrono::steady_clock::time_point;

  bool answer_now(const wire::Request& request, const ReplyTo& to, Instant start, std::string& out);
  void collect_write(const wire::Request& request,
                     const ReplyTo& to,
                     const std::shared_ptr<Completion>& completion,
                     std::uint64_t ticket,
                     Pass& pass,
                     Instant start);
  void post_to_pool(const wire::Request& request,
                    const ReplyTo& to,
                    const std::shared_ptr<Completion>& completion,
                    std::uint64_t ticket,
                    Instant start);
  void answer_from_disk(const wire::Request& request,
                        const ReplyTo& to,
                        const std::shared_ptr<Completion>& completion,
                        std::uint64_t ticket,
                        Instant start);
  Code execute_on_disk(const wire::Request& request, const ReplyTo& to, std::string& out);

  operations::Operations& operations_;
  storage::Store& store_;
  const Clock& clock_;
  const std::int64_t started_ms_;
  Gauge& connections_;
  const std::shared_ptr<operations::RequestMetrics> metrics_;  // shared with completions
  const storage::Durability durability_;
  access::AccessTable* const access_;
  const std::shared_ptr<operations::UnderWayCount> under_way_;  // likewise
  const std::shared_ptr<WriteAnswers> write_answers_;
  MemoryTotal memory_;
  operations::PendingCount reads_;  // on the pool
};

}  // namespace edged::server

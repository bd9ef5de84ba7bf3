// SPDX-License-Identifier: Apache-2.0
// What a node can be asked to do, for every face: a face translates a request of its protocol into
// one call here and the answer back. Rights, bounds on work under way, the storage pool, limits and
// metrics are here and nowhere else. What memory can answer is answered at once; a read that needs
// the disk goes to the storage pool, a write to the store's writer thread.
//   auto caller = operations.identify(Face::kRest, bearer);
//   auto ns = operations.find_namespace(*caller, id);
//   operations.get(*caller, ns->number, key, 64 * 1024, done);
// Errors of every call besides its own: kUnauthenticated, kDenied, kNamespaceNotFound (rights);
// kBusy (too much under way); kUnavailable (stopping). Any thread may call every method. How a new
// face is added: docs/architecture.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/access/access_table.h"
#include "kvstore/operations/caller.h"
#include "kvstore/operations/done.h"
#include "kvstore/operations/request_metrics.h"
#include "kvstore/operations/staged_upload.h"
#include "kvstore/operations/upload.h"
#include "kvstore/operations/value_stream.h"
#include "kvstore/operations/work.h"
#include "kvstore/operations/write_pass.h"
#include "kvstore/storage/store.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"

namespace edged::operations {

struct OperationsOptions {
  WorkOptions work;
  std::size_t write_bytes_max = 256 * 1024 * 1024;  // of writes under way together
  std::size_t streams_max = 1024;                   // open at once
};

class Operations {
 public:
  // All must outlive the object; `access` is null if everything is open to everyone.
  Operations(storage::Store& store,
             const access::AccessTable* access,
             MetricsRegistry& registry,
             OperationsOptions options);
  ~Operations();  // stops
  Operations(const Operations&) = delete;
  Operations& operator=(const Operations&) = delete;

  // Refuses new calls and returns when all others are answered. Streams and uploads must be dropped
  // after this and before the object is destroyed; the store must be open. Not for a pool's thread.
  void stop();

  // Who shows this token; without one, what the node allows to everybody. It is judged again at
  // each call, so that a token that was revoked stops working. Errors: kUnauthenticated.
  Result<Caller> identify(Face face, std::optional<std::string_view> bearer) const;
  // A peer on a unix socket that is root or the node's own user.
  Caller trusted(Face face) const;

  // By id, or if none has that id by title. A namespace the caller may not see is not found.
  Result<storage::Namespace> find_namespace(const Caller& caller,
                                            std::string_view id_or_title) const;
  // Those that the caller may see.
  Result<std::vector<storage::Namespace>> namespaces(const Caller& caller) const;
  // Errors: those of the store's methods of these names.
  void create_namespace(Caller caller,
                        std::string title,
                        std::string id,
                        Done<storage::Namespace> done);
  void rename_namespace(Caller caller,
                        storage::NamespaceNumber ns,
                        std::string title,
                        Done<Nothing> done);
  void clear_namespace(Caller caller, storage::NamespaceNumber ns, Done<Nothing> done);
  void delete_namespace(Caller caller, storage::NamespaceNumber ns, Done<Nothing> done);

  // Errors: those of Store::get; kInvalidArgument (no key, or above 512 bytes); kTooLarge: the
  // value is above `value_bytes_max`, call open_value().
  void get(Caller caller,
           storage::NamespaceNumber ns,
           std::string key,
           std::size_t value_bytes_max,
           Done<storage::Entry> done);
  // Also for metadata alone: nothing of a large value is read before the first read(). Errors: as
  // get().
  void open_value(Caller caller,
                  storage::NamespaceNumber ns,
                  std::string key,
                  Done<std::shared_ptr<ValueStream>> done);
  // One result per key, in order. Errors: kTooLarge: the values are above `bytes_max` together;
  // kInvalidArgument: no keys, or more than 1,000.
  void get_many(Caller caller,
                storage::NamespaceNumber ns,
                std::vector<std::string> keys,
                std::size_t bytes_max,
                Done<std::vector<Result<storage::Entry>>> done);
  // The request's prefix must begin with the token's. A page with values ends before they, their
  // keys and metadata are above 1 MiB together; a first value that is larger is left out (its
  // value_bytes tell).
  // Errors: those of Store::list.
  void list(Caller caller, storage::ListRequest request, Done<storage::ListPage> done);

  // Each operation needs its own rights; if one is refused, nothing is written. The queues take
  // turns by the caller's owner, and keep the order of one owner's writes.
  // Errors: those of Store::submit.
  void write(Caller caller, storage::Write write, Done<std::vector<storage::WriteOutcome>> done);

  // Errors: those of Store::begin_upload; kInvalidArgument (the key).
  void begin_upload(Caller caller,
                    storage::NamespaceNumber ns,
                    std::string key,
                    Done<std::shared_ptr<Upload>> done);

  // For faces on reactors of their own. A get that memory answers at once, without an allocation:
  // kOk, with `entry` filled, or kNotFound. Nothing: ask get(), which also says what is wrong.
  std::optional<Code> get_now(Caller& caller,
                              storage::NamespaceNumber ns,
                              std::string_view key,
                              storage::Entry& entry) const;
  // Counts the gets that get_now() answered, several at once. `start` is the first one's.
  void count_gets(Face face, KeyCounts counts, std::chrono::steady_clock::time_point start);
  // Writes of one pass of a reactor (write_pass.h). `done` gets the errors of write(); a write that
  // is refused is answered at once.
  std::shared_ptr<WritePass> begin_pass();
  void collect(WritePass& pass,
               Caller& caller,
               storage::Write write,
               Done<std::vector<storage::WriteOutcome>> done);
  void commit(std::shared_ptr<WritePass> pass);

  // Errors: those of Store::watch and of rights. The caller is to be judged again as long as the
  // watch is read (Caller::moved).
  Result<std::unique_ptr<storage::Watch>> watch(Caller& caller,
                                                storage::WatchRequest request,
                                                std::function<void()> wake);
  // Whether the caller might do this to the key or prefix: for what is named like a key. Errors:
  // those of rights.
  Status judge(Caller& caller,
               Kind kind,
               storage::NamespaceNumber ns,
               std::string_view key_or_prefix) const;
  // Errors: those of Store::usage.
  Result<storage::NamespaceUsage> usage(Caller& caller, storage::NamespaceNumber ns) const;
  Result<storage::StoreStats> stats(Caller& caller) const;

  // For the binary face, which judges its requests with a Caller of its own per connection, because
  // it answers most of them from memory without an allocation.
  const AccessContext& context(Face face) const;

  // The worker's queues, which a face passes on: whether the caller may use them, and what became
  // of it. Errors: kUnauthenticated, kDenied, kUnavailable (stopping). Not for the binary face.
  Status judge_queues(Caller& caller) const;
  void count_queues(Face face, Code status, std::chrono::steady_clock::time_point start);

  // For the binary face, which has its own way to fast reads.
  Work& work() { return work_; }
  // Writes `write`, whose one operation is the Put of the upload's value. Errors: those of
  // Store::begin_upload, ValueUpload and Store::submit; kBusy: the pool is full.
  void put_upload(std::shared_ptr<StagedUpload> upload,
                  storage::Write write,
                  storage::WriteCallback done);

 private:
  // Errors: kUnavailable: the node is stopping; kBusy: it is overloaded.
  Status admit() const;
  template <class Body>
  void change_namespace(
      Caller caller, Kind kind, storage::NamespaceNumber ns, Done<Nothing> done, Body body);

  const OperationsOptions options_;
  storage::Store& store_;
  std::vector<AccessContext> contexts_;  // by face
  std::unique_ptr<Shared> shared_;
  Work work_;  // last: its threads use the members above
};

}  // namespace edged::operations

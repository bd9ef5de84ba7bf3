// SPDX-License-Identifier: Apache-2.0
// Writes row changes to the node: collects them, and sends them in batches that are atomic, carry
// the position they lead to, and fail if another worker has taken over. A row that cannot be made
// of its change and of what the node has is read from its table; its state is then newer than the
// position, and changes that it includes are passed over. A key that is written is the mirror's
// alone (docs/protocol.md, "Mirrors"). One call at a time; the executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "proto/net/client.h"
#include "proto/net/condition.h"
#include "worker/mirror/batch_plan.h"
#include "worker/mirror/fetched_keys.h"
#include "worker/mirror/hidden_keys.h"
#include "worker/mirror/row_fetcher.h"
#include "worker/mirror/translator.h"

namespace edged::mirror {

// The mirror's state as the node stores it.
struct StoredState {
  std::optional<Source> source;
  std::vector<OwnedPrefix> rules;
  std::optional<Lsn> position;
  std::optional<WallTime> fresh_as_of;
  std::optional<Part> part;
  std::int64_t beat = 0;
};

// kTooLarge.
Status entry_too_large(std::size_t bytes);

class Applier {
 public:
  // A transaction above either bound comes in parts.
  static constexpr std::size_t kBatchBytesMax = 7 * 1024 * 1024;
  static constexpr std::size_t kBatchChangesMax = 2'400;  // each may be four items

  // `client` outlives this object; its calls may take long (call_timeout). `changes_max`: of a
  // batch, at most kBatchChangesMax.
  Applier(boost::asio::any_io_executor executor,
          net::Client& client,
          std::string ns,
          std::size_t changes_max = kBatchChangesMax)
      : executor_(executor),
        client_(client),
        ns_(std::move(ns)),
        changes_max_(changes_max),
        settled_(executor),
        visible_(executor) {}
  Applier(const Applier&) = delete;
  Applier& operator=(const Applier&) = delete;

  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  // Makes this session the owner: batches of other sessions fail from now on. `who` names the
  // worker for people. Everything that is written later has a higher version than the one returned.
  // Errors: kNamespaceNotFound, kDenied, those of a node that does not answer.
  Awaitable<Result<std::uint64_t>> take_over(std::string who);
  Awaitable<Result<StoredState>> read_state();

  // From now on rows are read from their tables where they must be. Both outlive this object. Until
  // then flush() fails with kVersionMismatch instead. The clock tells which rows have expired.
  void fetch_rows_with(const RowFetcher& fetcher, const Clock& clock) {
    fetcher_ = &fetcher;
    clock_ = &clock;
  }

  // Errors: kTooLarge (the row fits no batch).
  Status add(RowChange change);
  bool has_room_for(const RowChange& change) const;
  bool empty() const { return changes_.empty(); }

  // What a batch carries besides the changes.
  struct Seal {
    std::optional<Mark> mark;
    std::optional<Part> part;  // the batch ends within this transaction
    std::optional<std::int64_t> beat;
    bool sync = false;  // on disk before it is answered
    std::vector<net::BatchItem> more;
  };
  // Writes what was added. Errors: kConflict (another session took over: begin anew);
  // kVersionMismatch (a row cannot be completed: load anew); kUnavailable (PostgreSQL does not show
  // a transaction that it has sent); those of PostgreSQL and of the node, after which it is not
  // known whether the batch was written: take over anew.
  Awaitable<Status> flush(Seal seal);
  // As flush(), but returns while the node still writes. The next call waits for that write and
  // returns its error. Call settle() before the object is destroyed.
  Awaitable<Status> begin_flush(Seal seal);
  // Waits for the write that begin_flush() started.
  Awaitable<Status> settle();

  // Removes the mirror's keys with `prefix` whose version is below the bound. Reserved keys are
  // removed only if the prefix is reserved too.
  // Errors: as flush.
  Awaitable<Status> remove_all(std::string prefix, std::uint64_t version_bound);
  static constexpr std::uint64_t kAnyVersion = UINT64_MAX;
  // To be part of the first batch of a load: all rows will be read anew.
  net::BatchItem forget_fetched();

  // Ends the mirror in the node: removes the mirrored keys and the mirror's state. No mirror owns
  // keys of the namespace afterwards. False if none did before. Errors: as take_over and flush.
  Awaitable<Result<bool>> release(std::string who);

 private:
  Awaitable<Status> read_index(std::size_t first, BatchPlan* plan);
  bool node_is_current(const RowChange& change, bool first_plan) const;
  Awaitable<Result<std::optional<std::string>>> read_stored(const BatchPlan::Stored& stored);
  Awaitable<Result<std::size_t>> complete(const RowChange& change,
                                          bool first_plan,
                                          BatchPlan* plan);
  Awaitable<Result<FetchedRows>> fetch_visible(std::size_t rule, std::vector<std::string> keys);
  Awaitable<Status> fetch(std::size_t rule,
                          std::vector<std::string> keys,
                          std::vector<net::BatchItem>* items);
  void note_fetched(std::size_t rule, Lsn until);
  Awaitable<Status> plan_changes(std::size_t first,
                                 std::vector<net::BatchItem>* items,
                                 std::size_t* next);
  Awaitable<Status> send_surplus(std::vector<net::BatchItem>* items, bool all);
  Awaitable<Status> send(std::vector<net::BatchItem> items, std::optional<Mark> mark);

  const boost::asio::any_io_executor executor_;
  net::Client& client_;
  const std::string ns_;
  const std::size_t changes_max_;
  const RowFetcher* fetcher_ = nullptr;
  const Clock* clock_ = nullptr;
  net::AsyncCondition settled_;  // notified when what is under way has ended
  bool under_way_ = false;
  Status last_;  // of what was under way
  std::uint64_t owner_version_ = 0;
  bool part_stored_ = false;
  boost::asio::steady_timer visible_;  // between attempts to see a transaction's rows
  FetchedKeys fetched_;
  FetchedUntil fetched_until_;      // what the node must know of it
  bool fetched_stored_ = true;      // and knows
  bool surplus_announced_ = false;  // of the flush under way
  std::size_t fetch_keys_ = kFetchKeysFirst;
  static constexpr std::size_t kFetchKeysFirst = 32;
  std::vector<RowChange> changes_;
  std::size_t bytes_ = 0;
};

}  // namespace edged::mirror

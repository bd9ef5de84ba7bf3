// SPDX-License-Identifier: Apache-2.0
// Follows the changes of PostgreSQL from where the node's copy ends: takes the messages apart,
// hands rows to the applier, and acknowledges what is on disk. The executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "proto/net/condition.h"
#include "worker/db/pg_replication.h"
#include "worker/mirror/applier.h"
#include "worker/mirror/heartbeat.h"
#include "worker/mirror/translator.h"

namespace edged::mirror {

struct StreamStart {
  std::string slot;
  std::string publication;
  Mark mark;       // of the copy
  Lsn synced = 0;  // what of it is surely on the node's disk
  std::optional<Part> part;
  std::int64_t beat = 0;  // the last one of the own slot that came through
};

// What a stream has done so far. Counters only grow.
struct StreamCounts {
  std::uint64_t transactions = 0;
  std::uint64_t changes = 0;  // of rows
  std::uint64_t batches = 0;
};

class Stream {
 public:
  // All outlive this object.
  struct Parts {
    db::PgReplicationConnection& connection;
    Applier& applier;
    Translator& translator;
    Heartbeats& heartbeats;
    const Clock& clock;
  };
  // `on_progress` is called after each batch.
  Stream(boost::asio::any_io_executor executor,
         Parts parts,
         StreamStart start,
         std::function<void()> on_progress);

  // Until the first failure, which it returns. Errors: kUnavailable (PostgreSQL ended the stream,
  // or was silent), kConflict (another worker took over, or a table has changed), kVersionMismatch
  // (load anew), those of the applier, kBadFrame.
  boost::asio::awaitable<Status> run();
  // run() returns soon, with `why`.
  void end(Status why);

  const Mark& mark() const { return mark_; }
  const StreamCounts& counts() const { return counts_; }

 private:
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  struct Transaction {
    Lsn final_lsn = 0;
    std::uint32_t xid = 0;
    bool known = false;         // it is in the node already
    std::uint64_t changes = 0;  // seen
    std::uint64_t skip = 0;     // of these, in the node already
    std::optional<Heartbeat> heartbeat;
  };

  Awaitable<Status> follow();
  Awaitable<Status> take(std::string frame);
  Awaitable<Status> take_message(std::string_view bytes);
  Awaitable<Status> take_change(Result<std::optional<RowChange>> change);
  Awaitable<Status> take_truncate(Truncate truncate);
  Awaitable<Status> take_commit(Commit commit);
  Status take_logical(const LogicalMessage& message);
  bool counts_as_new();
  Awaitable<Status> flush_if_due();
  Awaitable<Status> settle_up_to(Lsn end);
  // kNo: returns while the node still writes, unless the batch must be on disk.
  enum class Wait { kYes, kNo };
  Awaitable<Status> flush(Wait wait);
  Awaitable<void> acknowledge();

  Parts parts_;
  const StreamStart start_;
  const std::function<void()> on_progress_;
  boost::asio::steady_timer status_timer_;
  bool ended_ = false;
  bool acknowledging_ = false;
  net::AsyncCondition acknowledged_;  // notified when acknowledge() ends
  Status why_;

  Mark mark_;                 // of what was taken
  bool sync_now_ = false;     // whatever the interval
  bool mark_moved_ = false;   // and not told the node
  std::optional<Part> part_;  // of a transaction whose commit has not come
  Lsn synced_ = 0;            // on the node's disk
  std::int64_t beat_ = 0;
  bool beat_moved_ = false;                                 // and not told the node
  std::chrono::milliseconds last_sync_{0}, last_frame_{0};  // boot time
  Lsn received_ = 0;
  std::optional<Transaction> transaction_;
  std::uint64_t changes_unflushed_ = 0;
  std::optional<std::chrono::milliseconds> waiting_since_;  // boot time; of the oldest commit
  StreamCounts counts_;
};

}  // namespace edged::mirror

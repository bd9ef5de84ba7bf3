// SPDX-License-Identifier: Apache-2.0
// See stream.h.
#include "worker/mirror/stream.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>
#include <variant>

#include "proto/net/spawn.h"
#include "worker/db/pg_quote.h"
#include "worker/mirror/publication.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
using std::chrono::milliseconds;

constexpr milliseconds kStatusInterval{1'000};
// A sync holds up all writes of the node, so it is rare. PostgreSQL keeps its log until then.
constexpr milliseconds kSyncInterval{5'000};
constexpr milliseconds kWakeInterval{1'000};
// Heartbeats arrive every second, so a connection that is silent for this long is lost.
constexpr milliseconds kSilenceMax{30'000};
// A finished transaction waits this long for others that share its batch, up to so many changes.
constexpr milliseconds kFlushDelay{2};
constexpr std::uint64_t kFlushChanges = 1'000;

}  // namespace

Stream::Stream(asio::any_io_executor executor,
               Parts parts,
               StreamStart start,
               std::function<void()> on_progress)
    : parts_(parts),
      start_(std::move(start)),
      on_progress_(std::move(on_progress)),
      status_timer_(executor),
      acknowledged_(executor),
      mark_(start_.mark),
      part_(start_.part),
      synced_(start_.synced),
      beat_(start_.beat),
      received_(start_.mark.position) {}

void Stream::end(Status why) {
  if (ended_) return;
  ended_ = true;
  why_ = std::move(why);
  status_timer_.cancel();
  parts_.connection.abandon();
}

asio::awaitable<Status> Stream::run() {
  const std::string command =
      "START_REPLICATION SLOT " + db::quoted_identifier(start_.slot) + " LOGICAL " +
      to_text(mark_.position) + " (proto_version '1', publication_names " +
      db::quoted_literal(db::quoted_identifier(start_.publication)) + ", messages 'true')";
  const Status started = co_await parts_.connection.start_streaming(command);
  if (!started.ok()) co_return started.with_context("could not start the replication stream");
  acknowledging_ = true;
  const auto executor = co_await asio::this_coro::executor;
  net::spawn(executor, acknowledge());
  const Status failed = co_await follow();
  end(failed);
  co_await acknowledged_.wait([this] { return !acknowledging_; });
  co_return why_;
}

// Tells PostgreSQL each second, and when it asks, which position is on the node's disk.
asio::awaitable<void> Stream::acknowledge() {
  while (!ended_) {
    std::string status = encode_status_update(received_, synced_, parts_.clock.wall_now(), false);
    const Status sent = co_await parts_.connection.send_frame(std::move(status));
    if (!sent.ok()) break;  // follow() meets the same
    if (ended_) break;
    status_timer_.expires_after(kStatusInterval);
    co_await status_timer_.async_wait(kAwait);
  }
  acknowledging_ = false;
  acknowledged_.notify_all();
}

asio::awaitable<Status> Stream::follow() {
  last_frame_ = last_sync_ = parts_.clock.boot_now();
  while (!ended_) {
    Result<std::optional<std::string>> frame = parts_.connection.frame_at_hand();
    if (!frame) co_return frame.error();
    if (!*frame) {
      // Not within a transaction: readers must not see half of it.
      Status flushed;
      if (!transaction_) flushed = co_await flush(Wait::kYes);
      if (!flushed.ok()) co_return flushed;
      const auto deadline = std::chrono::steady_clock::now() + kWakeInterval;
      frame = co_await parts_.connection.next_frame(deadline);
      if (!frame) co_return frame.error();
    }
    if (!*frame) {
      if (parts_.clock.boot_now() - last_frame_ < kSilenceMax) continue;
      co_return Status(Code::kUnavailable,
                       "PostgreSQL has sent nothing for 30 s: the connection is taken for lost");
    }
    const Status taken = co_await take(**std::move(frame));
    if (!taken.ok()) co_return taken;
  }
  co_return why_;
}

asio::awaitable<Status> Stream::take(std::string frame) {
  last_frame_ = parts_.clock.boot_now();
  const Result<StreamFrame> decoded = decode_stream_frame(frame);
  if (!decoded) co_return decoded.error();
  if (const auto* keepalive = std::get_if<Keepalive>(&*decoded)) {
    received_ = std::max(received_, keepalive->end);
    if (!keepalive->wants_reply) co_return Status();
    status_timer_.cancel();
    const Status settled = co_await settle_up_to(keepalive->end);
    co_return settled;
  }
  const WalData& data = std::get<WalData>(*decoded);
  received_ = std::max(received_, data.end);
  const Status taken = co_await take_message(data.message);
  co_return taken;
}

// Brings everything before `end` to the node's disk. PostgreSQL waits for that when it shuts down,
// also for log that belongs to no commit (a rollback, a checkpoint). Everything before `end` has
// been received, so the position may move there.
asio::awaitable<Status> Stream::settle_up_to(Lsn end) {
  if (transaction_ || end <= synced_) co_return Status();
  if (end > mark_.position) {
    mark_.position = end;
    mark_moved_ = true;
  }
  sync_now_ = true;
  const Status flushed = co_await flush(Wait::kYes);
  sync_now_ = false;
  status_timer_.cancel();
  co_return flushed;
}

asio::awaitable<Status> Stream::take_message(std::string_view bytes) {
  Result<Message> message = decode_message(bytes);
  if (!message) co_return message.error();
  if (const auto* begin = std::get_if<Begin>(&*message)) {
    transaction_ = Transaction{};
    transaction_->final_lsn = begin->final_lsn;
    transaction_->xid = begin->xid;
    transaction_->known = begin->final_lsn < start_.mark.position;
    if (start_.part && start_.part->final_lsn == begin->final_lsn) {
      transaction_->skip = start_.part->changes;
    }
    co_return Status();
  }
  if (const auto* relation = std::get_if<Relation>(&*message)) {
    co_return parts_.translator.relation(*relation);
  }
  if (const auto* logical = std::get_if<LogicalMessage>(&*message))
    co_return take_logical(*logical);
  if (const auto* commit = std::get_if<Commit>(&*message)) {
    const Status taken = co_await take_commit(*commit);
    co_return taken;
  }
  if (auto* truncate = std::get_if<Truncate>(&*message)) {
    const Status taken = co_await take_truncate(std::move(*truncate));
    co_return taken;
  }
  const bool is_row = std::holds_alternative<Insert>(*message) ||
                      std::holds_alternative<Update>(*message) ||
                      std::holds_alternative<Delete>(*message);
  if (!is_row) co_return Status();  // the origin of a transaction, or a type
  if (!counts_as_new()) co_return Status();
  const Translator& translator = parts_.translator;
  Result<std::optional<RowChange>> change = std::optional<RowChange>();
  if (const auto* insert = std::get_if<Insert>(&*message)) change = translator.insert(*insert);
  if (const auto* update = std::get_if<Update>(&*message)) change = translator.update(*update);
  if (const auto* removal = std::get_if<Delete>(&*message)) change = translator.remove(*removal);
  const Status taken = co_await take_change(std::move(change));
  co_return taken;
}

// Counts the change that was just received; false if it is in the node already.
bool Stream::counts_as_new() {
  if (!transaction_ || transaction_->known) return false;
  return ++transaction_->changes > transaction_->skip;
}

asio::awaitable<Status> Stream::take_change(Result<std::optional<RowChange>> change) {
  if (!change) co_return change.error();
  if (!*change) co_return Status();
  (*change)->xid = transaction_->xid;
  (*change)->commit_lsn = transaction_->final_lsn;
  if (!parts_.applier.has_room_for(**change)) {
    --transaction_->changes;  // this one is not in the batch
    const Status flushed = co_await flush(Wait::kNo);
    if (!flushed.ok()) co_return flushed;
    ++transaction_->changes;
  }
  ++counts_.changes;
  ++changes_unflushed_;
  co_return parts_.applier.add(**std::move(change));
}

// Empties the tables in several batches, because the number of their rows is not known.
asio::awaitable<Status> Stream::take_truncate(Truncate truncate) {
  if (!counts_as_new()) co_return Status();
  const Result<std::vector<std::size_t>> rules = parts_.translator.truncate(truncate);
  if (!rules) co_return rules.error();
  if (rules->empty()) co_return Status();
  --transaction_->changes;
  const Status flushed = co_await flush(Wait::kYes);
  ++transaction_->changes;
  if (!flushed.ok()) co_return flushed;
  for (const std::size_t rule : *rules) {
    for (const std::string& prefix : {parts_.translator.prefix(rule), index_prefix(rule)}) {
      const Status removed = co_await parts_.applier.remove_all(prefix, Applier::kAnyVersion);
      if (!removed.ok()) co_return removed;
    }
  }
  ++counts_.changes;
  ++changes_unflushed_;
  co_return Status();
}

Status Stream::take_logical(const LogicalMessage& message) {
  if (message.prefix != kHeartbeatPrefix || !message.transactional || !transaction_) return {};
  Result<Heartbeat> heartbeat = decode_heartbeat(message.content);
  if (heartbeat) transaction_->heartbeat = *std::move(heartbeat);  // others may use the prefix too
  return {};
}

asio::awaitable<Status> Stream::take_commit(Commit commit) {
  if (!transaction_)
    co_return Status(Code::kBadFrame,
                     "could not read the replication stream: a commit has no begin");
  const Transaction done = *std::move(transaction_);
  transaction_.reset();
  if (done.known) co_return Status();
  part_.reset();
  ++counts_.transactions;
  mark_.position = commit.end_lsn;
  mark_moved_ = true;
  if (done.heartbeat) {
    const auto proven = parts_.heartbeats.proves(*done.heartbeat);
    if (proven) mark_.fresh_as_of = std::max(mark_.fresh_as_of, *proven);
    if (done.heartbeat->slot == start_.slot && done.heartbeat->beat > beat_) {
      beat_ = done.heartbeat->beat;
      beat_moved_ = true;
    }
  }
  const Status flushed = co_await flush_if_due();
  co_return flushed;
}

asio::awaitable<Status> Stream::flush_if_due() {
  const auto now = parts_.clock.boot_now();
  if (!waiting_since_) waiting_since_ = now;
  const bool due = changes_unflushed_ >= kFlushChanges || now - *waiting_since_ >= kFlushDelay;
  if (!due) co_return Status();
  const Status flushed = co_await flush(Wait::kNo);
  co_return flushed;
}

// Writes everything received so far. Within a transaction the position stays at the last commit,
// and the node notes how many of the transaction's changes it has.
asio::awaitable<Status> Stream::flush(Wait wait) {
  const auto now = parts_.clock.boot_now();
  const bool sync = mark_.position != synced_ && (sync_now_ || now - last_sync_ >= kSyncInterval);
  if (changes_unflushed_ == 0 && !mark_moved_ && !sync) {
    const Status settled = co_await parts_.applier.settle();
    co_return settled;
  }
  if (transaction_ && !transaction_->known && transaction_->changes > transaction_->skip) {
    part_ = Part{transaction_->final_lsn, transaction_->changes};
  }
  Applier::Seal seal;
  seal.mark = mark_;
  seal.part = part_;
  seal.sync = sync;
  if (sync || beat_moved_) seal.beat = beat_;
  const Mark mark = mark_;
  Status flushed = co_await parts_.applier.begin_flush(std::move(seal));
  if (flushed.ok() && (sync || wait == Wait::kYes)) flushed = co_await parts_.applier.settle();
  if (!flushed.ok()) co_return flushed;
  changes_unflushed_ = 0;
  mark_moved_ = beat_moved_ = false;
  waiting_since_.reset();
  ++counts_.batches;
  if (sync) {
    synced_ = mark.position;
    last_sync_ = now;
  }
  on_progress_();
  co_return Status();
}

}  // namespace edged::mirror

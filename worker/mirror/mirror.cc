// SPDX-License-Identifier: Apache-2.0
// See mirror.h.
#include "worker/mirror/mirror.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <utility>

#include "proto/base/hex.h"
#include "proto/base/log.h"
#include "proto/net/condition.h"
#include "proto/net/spawn.h"
#include "worker/mirror/batch_plan.h"
#include "worker/mirror/loader.h"
#include "worker/mirror/publication.h"
#include "worker/mirror/shape.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
using std::chrono::milliseconds;

constexpr milliseconds kSlotInterval{10'000};
// Of commands that do not wait for other transactions.
constexpr milliseconds kCommandTimeout{60'000};
constexpr milliseconds kQuietSession{30'000};

// True for errors that would occur again if the stream continued at the same position.
bool wants_reload(Code code) {
  return code == Code::kVersionMismatch || code == Code::kInvalidArgument ||
         code == Code::kTooLarge || code == Code::kBadFrame || code == Code::kCorruption;
}

std::string join(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += (all.empty() ? "" : "; ") + line;
  return all;
}

}  // namespace

struct Mirror::Metrics {
  explicit Metrics(MetricsRegistry& registry)
      : streaming(registry.gauge("edged_mirror_streaming",
                                 "1 while the worker follows PostgreSQL's changes")),
        retained(registry.gauge("edged_mirror_slot_retained_bytes",
                                "Log that PostgreSQL keeps for the mirror's replication slot")),
        safe(registry.gauge("edged_mirror_slot_safe_bytes",
                            "Log that may still be written before the slot is lost; -1: no bound")),
        loads(registry.counter("edged_mirror_loads_total", "Completed loads of all rows")),
        rows(registry.counter("edged_mirror_loaded_rows_total", "Rows that loads have read")),
        transactions(registry.counter("edged_mirror_transactions_total",
                                      "Transactions received in the stream")),
        changes(
            registry.counter("edged_mirror_changes_total", "Row changes received in the stream")),
        batches(registry.counter("edged_mirror_batches_total",
                                 "Batches that were written to the node")),
        failures(registry.counter("edged_mirror_failures_total",
                                  "Sessions of the mirror that ended with an error")) {}

  Gauge &streaming, &retained, &safe;
  Counter &loads, &rows, &transactions, &changes, &batches, &failures;
  std::atomic<std::int64_t> fresh_ms{0};  // 0: nothing is proven
};

// The state of one session. The optional parts are created in this order.
struct Mirror::Session {
  Session(asio::any_io_executor executor, net::Client& client, const MirrorOptions& options)
      : applier(executor, client, options.ns, options.batch_changes_max) {}

  std::string slot;
  std::vector<Table> tables;
  std::unique_ptr<RowFetcher> fetcher;
  Applier applier;
  std::uint64_t version = 0;
  WallTime seen_at{};  // the tables, as they are loaded or were
  std::unique_ptr<db::PgReplicationConnection> connection;
  Situation situation;
  StreamStart start;
  std::optional<Heartbeats> heartbeats;
  bool beating = false;
  std::optional<Translator> translator;
  std::optional<Stream> stream;
  StreamCounts counted;
};

std::string default_slot(const std::string& ns) {
  return "edged_" + ns;
}

Mirror::Mirror(asio::any_io_executor executor,
               db::PgPool& pool,
               net::Client& client,
               const Clock& clock,
               MetricsRegistry& metrics,
               MirrorOptions options)
    : executor_(executor),
      pool_(pool),
      client_(client),
      clock_(clock),
      options_(std::move(options)),
      metrics_(std::make_shared<Metrics>(metrics)),
      pause_(executor),
      slot_timer_(executor),
      backoff_({milliseconds(200), milliseconds(10'000)}, random_number()) {
  metrics.callback_gauge(
      "edged_mirror_lag_seconds",
      "Age of the copy as far as it is proven; -1: nothing is proven",
      [metrics_ = metrics_, &clock = clock_] {
        const std::int64_t fresh = metrics_->fresh_ms.load();
        return fresh == 0 ? -1.0
                          : static_cast<double>(to_unix_ms(clock.wall_now()) - fresh) / 1000.0;
      });
}

void Mirror::stop() {
  stopping_ = true;
  pause_.cancel();
  slot_timer_.cancel();
  if (session_ == nullptr) return;
  if (session_->stream) session_->stream->end(Status(Code::kUnavailable, "stopping"));
  if (session_->connection) session_->connection->abandon();
}

asio::awaitable<void> Mirror::run() {
  net::spawn(executor_, watch_slot());
  while (!stopping_) {
    const auto begun = clock_.boot_now();
    const Status ended = co_await run_session();
    metrics_->streaming.set(0);
    if (stopping_) break;
    note_end(ended);
    if (clock_.boot_now() - begun > kQuietSession) backoff_.reset();
    pause_.expires_after(backoff_.next());
    co_await pause_.async_wait(kAwait);
  }
}

// Logs a reason once, until another one occurs or the stream runs again.
void Mirror::note_end(const Status& status) {
  metrics_->failures.add();
  if (status.message() == told_) return;
  told_ = status.message();
  log::warn("[mirror] not following PostgreSQL: " + told_);
}

asio::awaitable<Status> Mirror::run_session() {
  Session session(executor_, client_, options_);
  session.slot = options_.slot;
  if (options_.temporary_slot) session.slot += "_" + to_hex(random_bytes(4));
  session_ = &session;
  Status status = co_await prepare();
  if (status.ok()) status = co_await connect(&session);
  if (status.ok()) status = co_await inspect(&session);
  if (status.ok()) {
    std::string why = why_reload(session.situation);
    if (why.empty()) why = reload_;
    if (why.empty()) {
      status = co_await resume(&session);
    } else {
      status = co_await load(&session, why);
    }
  }
  if (status.ok() && stopping_) status = Status(Code::kUnavailable, "stopping");
  if (status.ok()) {
    reload_.clear();
    status = co_await follow(&session);
    if (wants_reload(status.code())) reload_ = status.message();
  }
  (void)co_await session.applier.settle();  // its error, if any, is the session's
  session_ = nullptr;
  co_return status;
}

// Continues at the stored position. Stores the rules' bounds on staleness if they have changed,
// which needs no load.
asio::awaitable<Status> Mirror::resume(Session* session) {
  const std::vector<OwnedPrefix> rules = owned_prefixes(options_.rules);
  if (session->situation.stored.rules == rules) co_return Status();
  Applier::Seal seal;
  seal.part = session->start.part;
  seal.more.emplace_back(put_item(rules_key(), encode_rules(rules)));
  const Status written = co_await session->applier.flush(std::move(seal));
  co_return written;
}

// Checks that tables, server and role allow replication, and makes the publication.
asio::awaitable<Status> Mirror::prepare() {
  Result<Catalogue> catalogue = co_await read_catalogue(pool_, options_.rules);
  if (!catalogue) co_return catalogue.error();
  if (!catalogue->complaints.empty()) {
    co_return Status(Code::kInvalidArgument, join(catalogue->complaints));
  }
  Result<ServerFacts> facts = co_await read_server_facts(pool_);
  if (!facts) co_return facts.error();
  facts->slots = 0;  // one of those in use may be the mirror's own
  std::vector<std::string> in_the_way = obstacles(*facts, Catalogue{});
  const std::string beats = options_.temporary_slot ? "" : heartbeat_obstacle(*facts);
  if (!beats.empty()) in_the_way.push_back(beats);
  if (!in_the_way.empty()) co_return Status(Code::kUnsupported, join(in_the_way));
  const auto published =
      co_await ensure_publication(pool_, options_.publication, catalogue->tables);
  co_return published ? Status() : published.error();
}

asio::awaitable<Status> Mirror::connect(Session* session) {
  db::PgConnectOptions options = options_.postgres;
  options.statement_timeout = kCommandTimeout;
  options.application_name = "edged mirror";
  auto connection = co_await db::PgReplicationConnection::connect(executor_, std::move(options));
  if (!connection) co_return connection.error();
  session->connection = *std::move(connection);
  // An output function may look names up: not in schemas that somebody may have put first.
  Result<db::PgResult> path =
      co_await session->connection->command("select set_config('search_path', '', false)");
  if (!path) co_return path.error();
  co_return stopping_ ? Status(Code::kUnavailable, "stopping") : Status();
}

// Compares the state of PostgreSQL with that of the node. Takes the mirror over only if nobody else
// uses the slot, or two workers would take it from each other for ever.
asio::awaitable<Status> Mirror::inspect(Session* session) {
  Situation& situation = session->situation;
  situation.temporary_slot = options_.temporary_slot;
  Result<System> system = co_await identify_system(*session->connection);
  if (!system) co_return system.error();
  const Status same = co_await check_same_database(pool_, *system);
  if (!same.ok()) co_return same;
  Result<std::optional<SlotFacts>> slot = co_await find_slot(pool_, session->slot);
  if (!slot) co_return slot.error();
  situation.slot = *std::move(slot);
  if (situation.slot && !situation.slot->usable) {
    co_return Status(
        Code::kConflict,
        "replication slot \"" + session->slot +
            "\" exists, but is not a logical slot of pgoutput in this database: drop it, or set "
            "another name in mirror.slot");
  }
  if (situation.slot && situation.slot->active) {
    co_return Status(Code::kBusy,
                     "replication slot \"" + session->slot + "\" is in use by process " +
                         std::to_string(situation.slot->active_pid) +
                         " of PostgreSQL: another worker of this mirror is probably running");
  }
  session->seen_at = clock_.wall_now();
  Result<Shape> shape = co_await read_shape(pool_, options_.rules, options_.publication);
  if (!shape) co_return shape.error();
  // After the shape, so that the first heartbeat notices a change between the two.
  Result<Catalogue> catalogue = co_await read_catalogue(pool_, options_.rules);
  if (!catalogue) co_return catalogue.error();
  if (!catalogue->complaints.empty()) {
    co_return Status(Code::kInvalidArgument, join(catalogue->complaints));
  }
  session->tables = std::move(catalogue->tables);
  situation.wanted.system = system->identifier;
  situation.wanted.timeline = system->timeline;
  situation.wanted.slot = session->slot;
  situation.wanted.shape = shape->text;
  for (const Rule& rule : options_.rules) situation.wanted.rules.push_back(text_of(rule));
  situation.server_end = system->end;
  Result<std::int64_t> beat = 0;
  if (!options_.temporary_slot) beat = co_await last_heartbeat(pool_, session->slot);
  if (!beat) co_return beat.error();
  situation.last_beat = *beat;
  Result<std::uint64_t> version = co_await session->applier.take_over(options_.who);
  if (!version) co_return version.error();
  session->version = *version;
  Result<StoredState> stored = co_await session->applier.read_state();
  if (!stored) co_return stored.error();
  situation.stored = *std::move(stored);
  StreamStart& start = session->start;
  start.slot = session->slot;
  start.publication = options_.publication;
  start.mark.position = situation.stored.position.value_or(0);
  start.mark.fresh_as_of = situation.stored.fresh_as_of.value_or(WallTime{});
  if (situation.slot) start.synced = situation.slot->confirmed;
  start.part = situation.stored.part;
  start.beat = situation.stored.beat;
  co_return Status();
}

asio::awaitable<Status> Mirror::load(Session* session, std::string why) {
  log::info("[mirror] loading " + std::to_string(options_.rules.size()) + " tables: " + why);
  LoadRequest request;
  request.rules = options_.rules;
  request.tables = session->tables;
  request.source = session->situation.wanted;
  request.before = session->situation.stored;
  request.temporary_slot = options_.temporary_slot;
  request.version = session->version;
  request.seen_at = session->seen_at;
  const auto begun = clock_.boot_now();
  Result<Loaded> loaded =
      co_await load_tables(pool_, *session->connection, session->applier, std::move(request));
  if (!loaded) co_return loaded.error();
  session->start.mark = loaded->mark;
  session->start.synced = loaded->mark.position;
  session->start.part.reset();
  session->start.beat = session->situation.last_beat;
  metrics_->loads.add();
  metrics_->rows.add(loaded->rows);
  log::info("[mirror] loaded " + std::to_string(loaded->rows) + " rows in " +
            std::to_string((clock_.boot_now() - begun).count()) + " ms");
  co_return Status();
}

asio::awaitable<Status> Mirror::follow(Session* session) {
  Result<std::unique_ptr<RowFetcher>> fetcher =
      RowFetcher::make(pool_, options_.rules, session->tables);
  if (!fetcher) co_return fetcher.error();
  session->fetcher = *std::move(fetcher);
  session->applier.fetch_rows_with(*session->fetcher, clock_);
  HeartbeatOptions beats;
  if (!options_.temporary_slot) beats.slot = session->slot;
  beats.publication = options_.publication;
  beats.rules = options_.rules;
  beats.shape = session->situation.wanted.shape;
  beats.interval = options_.heartbeat;
  session->heartbeats.emplace(
      executor_, pool_, clock_, std::move(beats), [session](std::string change) {
        session->stream->end(Status(Code::kConflict, std::move(change)));
      });
  session->translator.emplace(options_.rules, session->tables);
  session->stream.emplace(executor_,
                          Stream::Parts{*session->connection,
                                        session->applier,
                                        *session->translator,
                                        *session->heartbeats,
                                        clock_},
                          session->start,
                          [this] { note_progress(); });
  log::info("[mirror] following PostgreSQL from " + to_text(session->start.mark.position));
  told_.clear();
  metrics_->streaming.set(1);
  note_progress();
  session->beating = true;
  net::AsyncCondition beat_ended(executor_);
  auto ended = [session, &beat_ended] {
    session->beating = false;
    beat_ended.notify_all();
  };
  const std::int64_t first = std::max(session->situation.last_beat, session->start.beat) + 1;
  net::spawn(executor_, session->heartbeats->run(first), ended);
  const Status status = co_await session->stream->run();
  session->heartbeats->stop();
  // A statement of the heartbeat may be under way.
  co_await beat_ended.wait([session] { return !session->beating; });
  co_return status;
}

void Mirror::note_progress() {
  Stream& stream = *session_->stream;
  const StreamCounts& counts = stream.counts();
  StreamCounts& counted = session_->counted;
  metrics_->transactions.add(counts.transactions - counted.transactions);
  metrics_->changes.add(counts.changes - counted.changes);
  metrics_->batches.add(counts.batches - counted.batches);
  counted = counts;
  metrics_->fresh_ms.store(to_unix_ms(stream.mark().fresh_as_of));
}

// Publishes how much log PostgreSQL keeps for the slot and how much more it may keep, and warns.
asio::awaitable<void> Mirror::watch_slot() {
  const auto metrics = metrics_;
  bool warned = false;
  while (!stopping_ && !options_.temporary_slot) {
    const Result<std::optional<SlotFacts>> slot = co_await find_slot(pool_, options_.slot);
    if (stopping_) break;
    if (slot) {
      metrics->retained.set(*slot ? (*slot)->retained_bytes : 0);
      metrics->safe.set(*slot ? (*slot)->safe_bytes : -1);
      const bool close =
          *slot && (*slot)->safe_bytes >= 0 && (*slot)->safe_bytes < (*slot)->retained_bytes / 3;
      if (close && !warned) {
        log::warn("[mirror] PostgreSQL keeps " + std::to_string((*slot)->retained_bytes) +
                  " bytes of its log for the mirror, and drops the slot after " +
                  std::to_string((*slot)->safe_bytes) + " more (max_slot_wal_keep_size)");
      }
      warned = close;
    }
    slot_timer_.expires_after(kSlotInterval);
    co_await slot_timer_.async_wait(kAwait);
  }
}

}  // namespace edged::mirror

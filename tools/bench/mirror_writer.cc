// SPDX-License-Identifier: Apache-2.0
// See mirror_writer.h.
#include "tools/bench/mirror_writer.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "proto/net/blocking_client.h"
#include "tools/bench/mirror_poller.h"
#include "tools/bench/mirror_postgres.h"

namespace edged::bench {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLease{10'000};

// Above every version that was written before: microseconds since 1970.
std::int64_t first_version() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

struct Change {
  std::int64_t first_id = 0, last_id = 0, version = 0;
  SteadyTime sent;
  bool measured = true;
};

// One connection to PostgreSQL, and the statements of the plan.
class Writer {
 public:
  static Result<std::unique_ptr<Writer>> make(const WritePlan& plan) {
    auto postgres = Postgres::connect();
    if (!postgres) return postgres.error();
    const std::string change = "update " + plan.table + " set version = $1 where id ";
    const Status prepared =
        (*postgres)->prepare("change", change + (plan.rows == 1 ? "= $2" : "between $2 and $3"));
    if (!prepared.ok()) return prepared;
    const Status other =
        (*postgres)->prepare("select", "select version, pad from " + plan.table + " where id = $1");
    if (!other.ok()) return other;
    return std::unique_ptr<Writer>(new Writer(*std::move(postgres)));
  }

  Status write(const Change& change) {
    std::vector<std::string> parameters{std::to_string(change.version),
                                        std::to_string(change.first_id)};
    if (change.last_id != change.first_id) parameters.push_back(std::to_string(change.last_id));
    const auto done = postgres_->execute("change", parameters);
    if (!done) return done.error();
    if (done->rows == change.last_id - change.first_id + 1) return {};
    return {Code::kInternal, "an update met " + std::to_string(done->rows) + " rows"};
  }

  // The row as the mirror would write it.
  Result<std::string> read(std::int64_t id) {
    const auto found = postgres_->execute("select", {std::to_string(id)});
    if (!found) return found.error();
    if (found->first.size() != 2) return Status(Code::kNotFound, "a row is gone");
    return value_of(id, found->first[0], found->first[1]);
  }
  static std::string value_of(std::int64_t id, const std::string& version, const std::string& pad) {
    return "{\"id\":" + std::to_string(id) + ",\"version\":" + version + ",\"pad\":\"" + pad +
           "\"}";
  }

 private:
  explicit Writer(std::unique_ptr<Postgres> postgres) : postgres_(std::move(postgres)) {}

  std::unique_ptr<Postgres> postgres_;
};

using Step = std::function<Status(const Change& change)>;

// Calls `step` when it is due, with one change after the other of the lane's part of the ids.
class Pace {
 public:
  Pace(const WritePlan& plan, unsigned lane, unsigned lanes)
      : plan_(plan), lanes_(lanes), random_(plan.seed * 1000 + lane) {
    blocks_ = std::max<std::int64_t>(plan.ids / plan.rows / lanes, 1);
    first_block_ = blocks_ * lane;
  }

  Status run(const Step& step, Written* written) {
    sleep_precisely();
    const SteadyTime begin = steady_clock::now();
    const SteadyTime measured_from = begin + plan_.warm_up;
    const SteadyTime end = measured_from + plan_.duration;
    change_.version = first_version();
    for (std::uint64_t i = 0;; ++i) {
      wait_for(begin, i, written);
      change_.sent = steady_clock::now();
      if (change_.sent >= end) break;
      choose(change_.sent >= measured_from);
      const Status done = step(change_);
      if (!done.ok()) return done;
      ++written->transactions;
    }
    written->seconds = std::chrono::duration<double>(steady_clock::now() - begin).count();
    return {};
  }

  // The one that was written last.
  const Change& last() const { return change_; }

 private:
  void wait_for(SteadyTime begin, std::uint64_t number, Written* written) {
    if (plan_.rate <= 0) return;
    const std::chrono::duration<double> interval(lanes_ / plan_.rate);
    const auto due =
        begin + std::chrono::duration_cast<std::chrono::nanoseconds>(interval * number);
    if (steady_clock::now() > due + interval) ++written->late;
    std::this_thread::sleep_until(due);
  }

  void choose(bool measured) {
    const auto block = static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(blocks_));
    change_.first_id = (first_block_ + block) * plan_.rows + 1;
    change_.last_id = change_.first_id + plan_.rows - 1;
    ++change_.version;
    change_.measured = measured;
  }

  const WritePlan& plan_;
  const unsigned lanes_;
  std::mt19937_64 random_;
  std::int64_t blocks_ = 1, first_block_ = 0;
  Change change_;
};

// A writer, and for each node somebody who waits for what it writes.
class Lane {
 public:
  Lane(const WritePlan& plan, unsigned lane, unsigned lanes)
      : plan_(plan), pace_(plan, lane, lanes) {}

  Status prepare(const std::vector<Node>& nodes, std::chrono::microseconds pause) {
    auto writer = Writer::make(plan_);
    if (!writer) return writer.error();
    writer_ = *std::move(writer);
    for (const Node& node : nodes) {
      pollers_.push_back(
          std::make_unique<ReadablePoller>(ReadablePoller::Options{node.address, node.ns, pause}));
    }
    return {};
  }

  void run() {
    status_ = pace_.run(
        [this](const Change& change) {
          if (plan_.rate > 0) await(change);
          return writer_->write(change);
        },
        &written_);
    if (status_.ok() && plan_.rate <= 0) await(pace_.last());
    for (const auto& poller : pollers_) {
      const Status finished = poller->finish();
      if (status_.ok()) status_ = finished;
      last_ = std::max(last_, poller->last());
    }
  }

  const Status& status() const { return status_; }
  SteadyTime last() const { return last_; }
  void add_to(Written* all) const {
    all->transactions += written_.transactions;
    all->late += written_.late;
    all->seconds = std::max(all->seconds, written_.seconds);
    for (std::size_t i = 0; i < pollers_.size(); ++i) {
      const auto& own = pollers_[i]->latencies();
      all->questions += pollers_[i]->questions();
      all->latencies[i].insert(all->latencies[i].end(), own.begin(), own.end());
    }
  }

 private:
  void await(const Change& change) {
    for (const auto& poller : pollers_) {
      poller->add({plan_.prefix + std::to_string(change.last_id),
                   change.version,
                   change.sent,
                   change.measured});
    }
  }

  const WritePlan& plan_;
  Pace pace_;
  std::unique_ptr<Writer> writer_;
  std::vector<std::unique_ptr<ReadablePoller>> pollers_;
  Written written_;
  Status status_;
  SteadyTime last_;
};

}  // namespace

Result<Written> write_mirrored(const WritePlan& plan,
                               const std::vector<Node>& nodes,
                               unsigned lanes,
                               std::chrono::microseconds pause) {
  std::vector<std::unique_ptr<Lane>> all;
  for (unsigned i = 0; i < lanes; ++i) {
    all.push_back(std::make_unique<Lane>(plan, i, lanes));
    const Status prepared = all.back()->prepare(nodes, pause);
    if (!prepared.ok()) return prepared;
  }
  const SteadyTime begin = steady_clock::now();
  std::vector<std::thread> threads;
  for (const auto& lane : all) threads.emplace_back([&lane] { lane->run(); });
  for (std::thread& thread : threads) thread.join();
  Written written;
  written.latencies.resize(nodes.size());
  SteadyTime last = begin;
  for (const auto& lane : all) {
    if (!lane->status().ok()) return lane->status();
    lane->add_to(&written);
    last = std::max(last, lane->last());
  }
  written.caught_up_seconds = std::chrono::duration<double>(last - begin).count();
  return written;
}

Result<Written> write_aside(const WritePlan& plan, const Node& node, Aside how) {
  auto writer = Writer::make(plan);
  if (!writer) return writer.error();
  net::ClientOptions where;
  where.address = node.address;
  net::BlockingClient client(std::move(where));
  const std::string pad(100, 'x');
  Written written;
  written.latencies.resize(1);
  const Step step = [&](const Change& change) -> Status {
    const Status changed = (*writer)->write(change);
    if (!changed.ok()) return changed;
    net::PutItem item;
    item.key = plan.prefix + std::to_string(change.first_id);
    if (how == Aside::kBoth) {
      item.value = Writer::value_of(change.first_id, std::to_string(change.version), pad);
    } else {
      const Status removed = client.invalidate(node.ns, item.key);
      if (!removed.ok()) return removed;
      const auto leased = client.get_or_lease(node.ns, item.key, kLease);
      if (!leased) return leased.error();
      if (leased->lease == 0) return {Code::kConflict, "somebody else fills " + item.key};
      auto row = (*writer)->read(change.first_id);
      if (!row) return row.error();
      item.lease = leased->lease;
      item.value = *std::move(row);
    }
    const auto put = client.put(node.ns, std::move(item));
    if (!put) return put.error();
    if (change.measured) written.latencies[0].push_back(steady_clock::now() - change.sent);
    return {};
  };
  Pace pace(plan, 0, 1);
  const Status done = pace.run(step, &written);
  if (!done.ok()) return done;
  return written;
}

}  // namespace edged::bench

// SPDX-License-Identifier: Apache-2.0
// See load_loop.h.
#include "tools/bench/load_loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "proto/base/check.h"
#include "tools/bench/load_connection.h"
#include "tools/bench/process_cpu.h"

namespace edged::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Instant = Clock::time_point;

constexpr long kSleepNanosMax = 10'000'000;
constexpr std::size_t kWrongBytesShown = 120;

class Loop {
 public:
  Loop(const LoadOptions& options, const Dialect& dialect, Keys& keys)
      : options_(options),
        dialect_(dialect),
        keys_(keys),
        unasked_(options.operations > 0 ? options.operations
                                        : std::numeric_limits<std::uint64_t>::max()),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
  ~Loop() { ::close(epoll_); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  Status connect();
  Result<LoadResult> run();

 private:
  bool exhausted() const { return unasked_ == 0 || keys_.exhausted(); }
  void start_measuring();
  void ask(LoadConnection& connection, Instant start);
  void ask_closed(LoadConnection& connection, Instant now);
  Status start_due(Instant now);
  Status flush(LoadConnection& connection);
  Status take_answers(LoadConnection& connection, Instant now);
  void take(LoadConnection& connection, std::uint32_t place, std::string_view answer, Instant now);
  void wait_for(LoadConnection& connection, bool to_send);
  Status turn(Instant now);
  Status handle(LoadConnection& connection, std::uint32_t events);

  const LoadOptions& options_;
  const Dialect& dialect_;
  Keys& keys_;
  std::uint64_t unasked_;
  const int epoll_;
  std::vector<std::unique_ptr<LoadConnection>> connections_;
  std::array<epoll_event, 256> events_{};
  LoadResult result_;
  std::size_t under_way_ = 0;
  Instant measured_from_, next_start_;
  double server_cpu_before_ = 0, own_cpu_before_ = 0;
  std::size_t next_connection_ = 0;
  std::mt19937_64 random_{7};
};

Status Loop::connect() {
  for (std::size_t i = 0; i < options_.connections; ++i) {
    auto socket = connect_to(options_.address);
    if (!socket) return socket.error();
    auto connection = std::make_unique<LoadConnection>(*socket, options_.pipeline);
    Status greeted = greet(*socket, dialect_);
    if (!greeted.ok()) return greeted;
    ::fcntl(*socket, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection.get();
    KV_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, *socket, &event) == 0);
    connections_.push_back(std::move(connection));
  }
  return {};
}

void Loop::start_measuring() {
  result_ = LoadResult{};
  measured_from_ = Clock::now();
  server_cpu_before_ = cpu_seconds_of(options_.server_pid);
  own_cpu_before_ = cpu_seconds_of(::getpid());
}

void Loop::ask(LoadConnection& connection, Instant start) {
  const std::uint32_t number = connection.take_place();
  Place& place = connection.at(number);
  place.start = start;
  place.exchange.operation = keys_.take(dialect_.keys_each());
  place.exchange.more.clear();
  if (!dialect_.has_ids()) connection.order.push_back(number);
  dialect_.ask(place.exchange, number, connection.out());
  ++under_way_;
  --unasked_;
}

void Loop::ask_closed(LoadConnection& connection, Instant now) {
  if (options_.in_steps && !connection.all_free()) return;
  while (connection.has_free_place() && !exhausted()) ask(connection, now);
}

void Loop::wait_for(LoadConnection& connection, bool to_send) {
  epoll_event event{};
  event.events = EPOLLIN | (to_send ? static_cast<std::uint32_t>(EPOLLOUT) : 0);
  event.data.ptr = &connection;
  KV_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket(), &event) == 0);
  connection.blocked = to_send;
}

Status Loop::flush(LoadConnection& connection) {
  if (connection.blocked) return {};
  const auto sent = connection.send();
  if (sent == LoadConnection::Sent::kGone) {
    return {Code::kUnavailable, "the server ended a connection under load"};
  }
  if (sent == LoadConnection::Sent::kBlocked) wait_for(connection, /*to_send=*/true);
  return {};
}

void Loop::take(LoadConnection& connection,
                std::uint32_t number,
                std::string_view answer,
                Instant now) {
  Place& place = connection.at(number);
  const Verdict verdict = dialect_.judge(answer, place.exchange);
  if (verdict == Verdict::kMore) {
    connection.order.push_back(number);
    connection.out() += place.exchange.more;
    return;
  }
  const auto latency = static_cast<std::uint64_t>((now - place.start).count());
  (place.exchange.operation.put ? result_.writes : result_.reads).add(latency);
  ++result_.operations;
  result_.items += place.exchange.items;
  if (verdict == Verdict::kWrong && ++result_.wrong == 1) {
    result_.first_wrong = answer.substr(0, kWrongBytesShown);
  }
  connection.free_place(number);
  --under_way_;
}

Status Loop::take_answers(LoadConnection& connection, Instant now) {
  while (!connection.arrived().empty()) {
    const std::string_view arrived = connection.arrived();
    const Answer answer = dialect_.cut(arrived, connection.scan);
    const bool unasked = answer.id
                             ? *answer.id >= connection.place_count()
                             : answer.bytes > 0 && !dialect_.has_ids() && connection.order.empty();
    if (answer.broken || unasked) {
      return {Code::kUnavailable, "the server sent what is no answer to a request"};
    }
    if (answer.bytes == 0) break;
    connection.scan = {};
    std::uint32_t place = 0;
    if (answer.id) {
      place = *answer.id;
    } else {
      place = connection.order.front();
      connection.order.pop_front();
    }
    take(connection, place, arrived.substr(0, answer.bytes), now);
    connection.drop(answer.bytes);
    if (options_.rate == 0 && !options_.in_steps) ask_closed(connection, now);
  }
  if (options_.rate == 0) ask_closed(connection, now);
  return {};
}

// Open: what should have started by now. A connection without a free place passes it on; when all
// are full it stays due, and its latency grows.
Status Loop::start_due(Instant now) {
  std::exponential_distribution<double> gap(options_.rate);
  while (next_start_ <= now && !exhausted()) {
    std::size_t tried = 0;
    while (tried < connections_.size() &&
           !connections_[next_connection_ % connections_.size()]->has_free_place()) {
      ++next_connection_;
      ++tried;
    }
    if (tried == connections_.size()) return {};
    LoadConnection& connection = *connections_[next_connection_++ % connections_.size()];
    ask(connection, next_start_);
    Status flushed = flush(connection);
    if (!flushed.ok()) return flushed;
    next_start_ +=
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(gap(random_)));
  }
  return {};
}

Status Loop::handle(LoadConnection& connection, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) wait_for(connection, /*to_send=*/false);
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
    if (!connection.receive()) {
      return {Code::kUnavailable, "the server ended a connection under load"};
    }
    Status taken = take_answers(connection, Clock::now());
    if (!taken.ok()) return taken;
  }
  return flush(connection);
}

Status Loop::turn(Instant now) {
  if (options_.rate > 0) {
    Status started = start_due(now);
    if (!started.ok()) return started;
  }
  // It looks again and again: asleep it would be late for the next start, and each answer would
  // cost the server a wake-up of this thread, the more the slower it is. It sleeps if others need
  // its core, and should have a real-time priority then.
  timespec pause{};
  if (options_.sleeps) {
    const long until = options_.rate > 0 ? (next_start_ - Clock::now()).count() : kSleepNanosMax;
    pause.tv_nsec = std::clamp(until, 0L, kSleepNanosMax);
  }
  const int count = ::epoll_pwait2(
      epoll_, events_.data(), static_cast<int>(events_.size()), &pause, /*sigmask=*/nullptr);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    Status handled = handle(*static_cast<LoadConnection*>(event.data.ptr), event.events);
    if (!handled.ok()) return handled;
  }
  return {};
}

Result<LoadResult> Loop::run() {
  Instant now = Clock::now();
  next_start_ = now;
  if (options_.rate == 0) {
    for (auto& connection : connections_) {
      ask_closed(*connection, now);
      Status flushed = flush(*connection);
      if (!flushed.ok()) return flushed;
    }
  }
  const Instant measure_at = now + options_.warm_up;
  bool measuring = false;
  while (!exhausted() || under_way_ > 0) {
    if (!measuring && now >= measure_at) {
      measuring = true;
      start_measuring();
    }
    if (measuring && now - measured_from_ >= options_.duration) break;
    Status done = turn(now);
    if (!done.ok()) return done;
    now = Clock::now();
  }
  result_.seconds = std::chrono::duration<double>(Clock::now() - measured_from_).count();
  result_.server_cpu_seconds = cpu_seconds_of(options_.server_pid) - server_cpu_before_;
  result_.own_cpu_seconds = cpu_seconds_of(::getpid()) - own_cpu_before_;
  return result_;
}

}  // namespace

Result<LoadResult> run_load(const LoadOptions& options, const Dialect& dialect, Keys& keys) {
  auto loop = std::make_unique<Loop>(options, dialect, keys);
  Status connected = loop->connect();
  if (!connected.ok()) return connected;
  return loop->run();
}

}  // namespace edged::bench

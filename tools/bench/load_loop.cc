// SPDX-License-Identifier: Apache-2.0
// See load_loop.h.
#include "tools/bench/load_loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "proto/base/check.h"
#include "tools/bench/process_cpu.h"

namespace edged::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Instant = Clock::time_point;

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr long kSleepNanosMax = 10'000'000;

struct Asked {
  Instant start;
  bool put = false;
};

struct Connection {
  int socket = -1;
  std::string out;       // not yet sent
  std::string in;        // arrived, not yet a whole answer
  bool blocked = false;  // the kernel took less than it was given
  std::vector<Asked> asked;
  std::vector<std::uint32_t> free;  // places in `asked`
  std::deque<std::uint32_t> order;  // places in the order sent, for protocols without ids

  ~Connection() {
    if (socket >= 0) ::close(socket);
  }
};

class Loop {
 public:
  Loop(const LoadOptions& options, const Dialect& dialect, Keys& keys)
      : options_(options), dialect_(dialect), keys_(keys), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
  ~Loop() { ::close(epoll_); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  Status connect();
  Result<LoadResult> run();

 private:
  void start_measuring();
  void ask(Connection& connection, Instant start);
  void start_due(Instant now);
  bool send(Connection& connection);
  bool receive(Connection& connection);
  void take_answers(Connection& connection);
  void wait_for(Connection& connection, std::uint32_t events);
  Status turn(Instant now);

  const LoadOptions& options_;
  const Dialect& dialect_;
  Keys& keys_;
  const int epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::array<char, kReadBytes> chunk_{};
  std::array<epoll_event, 256> events_{};
  LoadResult result_;
  bool exhausted_ = false;
  std::size_t under_way_ = 0;
  Instant now_, measured_from_, next_start_;
  double server_cpu_before_ = 0, own_cpu_before_ = 0;
  std::size_t next_connection_ = 0;
  std::mt19937_64 random_{7};
};

Status Loop::connect() {
  for (std::size_t i = 0; i < options_.connections; ++i) {
    auto connection = std::make_unique<Connection>();
    auto socket = connect_to(options_.address);
    if (!socket) return socket.error();
    connection->socket = *socket;
    Status greeted = greet(*socket, dialect_);
    if (!greeted.ok()) return greeted;
    ::fcntl(*socket, F_SETFL, O_NONBLOCK);
    connection->asked.resize(options_.pipeline);
    for (std::size_t p = options_.pipeline; p > 0; --p) {
      connection->free.push_back(static_cast<std::uint32_t>(p - 1));
    }
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

void Loop::ask(Connection& connection, Instant start) {
  const std::optional<Operation> operation = keys_.next();
  if (!operation) {
    exhausted_ = true;
    return;
  }
  const std::uint32_t place = connection.free.back();
  connection.free.pop_back();
  connection.asked[place] = {start, operation->put};
  if (!dialect_.get.id_at) connection.order.push_back(place);
  (operation->put ? dialect_.put : dialect_.get).append(operation->key, place, connection.out);
  ++under_way_;
}

// False: the connection is gone.
bool Loop::send(Connection& connection) {
  if (connection.out.empty() || connection.blocked) return true;
  const ssize_t sent =
      ::send(connection.socket, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return false;
  connection.out.erase(0, sent < 0 ? 0 : static_cast<std::size_t>(sent));
  if (!connection.out.empty()) {
    connection.blocked = true;
    wait_for(connection, EPOLLIN | EPOLLOUT);
  }
  return true;
}

void Loop::wait_for(Connection& connection, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &connection;
  KV_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket, &event) == 0);
}

// False: the connection is gone.
bool Loop::receive(Connection& connection) {
  const ssize_t got = ::recv(connection.socket, chunk_.data(), chunk_.size(), 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  connection.in.append(chunk_.data(), static_cast<std::size_t>(got));
  take_answers(connection);
  return true;
}

void Loop::take_answers(Connection& connection) {
  std::size_t at = 0;
  while (at < connection.in.size()) {
    const Answer answer = dialect_.read(dialect_, std::string_view(connection.in).substr(at));
    if (answer.bytes == 0) break;
    at += answer.bytes;
    std::uint32_t place = 0;
    if (answer.id) {
      place = *answer.id;
      KV_CHECK(place < connection.asked.size());
    } else {
      place = connection.order.front();
      connection.order.pop_front();
    }
    const Asked& asked = connection.asked[place];
    const auto latency = std::chrono::nanoseconds(now_ - asked.start).count();
    (asked.put ? result_.puts : result_.gets).add(static_cast<std::uint64_t>(latency));
    ++result_.requests;
    result_.failed += answer.ok ? 0 : 1;
    connection.free.push_back(place);
    --under_way_;
    if (options_.rate == 0 && !exhausted_) ask(connection, now_);
  }
  connection.in.erase(0, at);
}

// Open: what should have started by now. A connection without a free place passes it on; when all
// are full it stays due, and its latency grows.
void Loop::start_due(Instant now) {
  std::exponential_distribution<double> gap(options_.rate);
  while (next_start_ <= now) {
    std::size_t tried = 0;
    while (tried < connections_.size() &&
           connections_[next_connection_ % connections_.size()]->free.empty()) {
      ++next_connection_;
      ++tried;
    }
    if (tried == connections_.size()) return;
    Connection& connection = *connections_[next_connection_++ % connections_.size()];
    ask(connection, next_start_);
    send(connection);
    next_start_ +=
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(gap(random_)));
  }
}

Status Loop::turn(Instant now) {
  now_ = now;
  if (options_.rate > 0) start_due(now);
  // It looks again and again: asleep it would be late for the next start, and each answer would
  // cost the server a wake-up of this thread, the more the slower it is. It sleeps if others need
  // its core, and should have a real-time priority then.
  timespec pause{};
  if (options_.sleeps && next_start_ > now_) {
    pause.tv_nsec = std::min<long>((next_start_ - now_).count(), kSleepNanosMax);
  }
  const int count = ::epoll_pwait2(
      epoll_, events_.data(), static_cast<int>(events_.size()), &pause, /*sigmask=*/nullptr);
  now_ = Clock::now();
  for (int i = 0; i < count; ++i) {
    auto& connection = *static_cast<Connection*>(events_[static_cast<std::size_t>(i)].data.ptr);
    const std::uint32_t events = events_[static_cast<std::size_t>(i)].events;
    bool alive = true;
    if ((events & EPOLLOUT) != 0) {
      connection.blocked = false;
      wait_for(connection, EPOLLIN);
    }
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) alive = receive(connection);
    if (!alive || !send(connection)) {
      return {Code::kUnavailable, "the server ended a connection under load"};
    }
  }
  return {};
}

Result<LoadResult> Loop::run() {
  Instant now = Clock::now();
  now_ = next_start_ = now;
  if (options_.rate == 0) {
    for (auto& connection : connections_) {
      while (!connection->free.empty() && !exhausted_) ask(*connection, now);
      if (!send(*connection)) return Status(Code::kUnavailable, "the server ended a connection");
    }
  }
  const Instant measure_at = now + options_.warm_up;
  bool measuring = false;
  while (!exhausted_ || under_way_ > 0) {
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

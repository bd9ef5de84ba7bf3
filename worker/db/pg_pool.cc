// SPDX-License-Identifier: Apache-2.0
// The pool. A connection is lent to one statement at a time; an idle one that the server has closed
// is found before a statement is sent on it. While PostgreSQL is away, statements fail at once
// between attempts to connect.
#include "worker/db/pg_pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <deque>
#include <set>
#include <utility>

#include "proto/base/backoff.h"
#include "proto/base/log.h"
#include "worker/db/pg_connection.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;
using ConnectionPtr = std::unique_ptr<PgConnection>;

constexpr Backoff::Options kReconnect{std::chrono::milliseconds(50),
                                      std::chrono::milliseconds(2000)};

// The classes of errors that have a counter; anything else counts as "internal".
constexpr std::array kErrorClasses{Code::kUnavailable,
                                   Code::kDeadlineExceeded,
                                   Code::kUnknownOutcome,
                                   Code::kConflict,
                                   Code::kDenied,
                                   Code::kInvalidArgument,
                                   Code::kDiskFull,
                                   Code::kIoError,
                                   Code::kCorruption,
                                   Code::kUnsupported,
                                   Code::kInternal};

// A statement that waits for a connection.
struct Waiter {
  explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
  bool called = false;
};

class PoolMetrics {
 public:
  explicit PoolMetrics(MetricsRegistry& registry)
      : connections(registry.gauge("edged_pg_connections", "Open connections to PostgreSQL.")),
        statements(registry.counter("edged_pg_statements_total", "Statements sent to PostgreSQL.")),
        latency(registry.histogram("edged_pg_statement_seconds",
                                   "Time from sending a statement to the end of its answer.")) {
    for (std::size_t i = 0; i < kErrorClasses.size(); ++i) {
      errors_[i] = &registry.counter("edged_pg_errors_total",
                                     "Statements that failed, by class.",
                                     {{"class", std::string(code_name(kErrorClasses[i]))}});
    }
  }

  void count_error(Code code) {
    const auto found = std::find(kErrorClasses.begin(), kErrorClasses.end(), code);
    const auto index = static_cast<std::size_t>(found - kErrorClasses.begin());
    errors_[std::min(index, kErrorClasses.size() - 1)]->add();
  }

  Gauge& connections;
  Counter& statements;
  Histogram& latency;

 private:
  std::array<Counter*, kErrorClasses.size()> errors_{};
};

}  // namespace

class PgPool::Impl {
 public:
  Impl(asio::any_io_executor executor, PgPoolOptions options, MetricsRegistry& metrics)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        metrics_(metrics),
        backoff_(kReconnect,
                 static_cast<std::uint64_t>(SteadyClock::now().time_since_epoch().count())) {
    options_.size = std::max<std::size_t>(options_.size, 1);
  }

  std::uint64_t messages_per_statement() const { return options_.session_state ? 1 : 2; }
  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }

  void close() {
    closed_ = true;
    // Frames of statements may outlive the metrics: nothing is counted after this.
    metrics_.connections.add(-static_cast<std::int64_t>(idle_.size() + lent_.size()));
    idle_.clear();
    for (PgConnection* connection : lent_) connection->abandon();
    while (!waiters_.empty()) call_next_waiter();
  }

  // Lends a connection to `call`, which sends one message to PostgreSQL and waits for its answer.
  template <typename T, typename Call>
  static asio::awaitable<Result<T>> run(std::shared_ptr<Impl> self, Call call) {
    Result<ConnectionPtr> acquired = co_await acquire(self);
    if (!acquired) {
      self->metrics_.count_error(acquired.code());
      co_return acquired.error();
    }
    Loan loan(self, std::move(*acquired));
    const SteadyClock::time_point begin = SteadyClock::now();
    self->metrics_.statements.add();
    asio::awaitable<Result<T>> answer = call(*loan);
    Result<T> result = co_await std::move(answer);
    if (self->closed_) co_return result;
    self->metrics_.latency.observe(SteadyClock::now() - begin);
    if (!result) self->metrics_.count_error(result.code());
    if (loan->read_only()) self->retire_all();
    const bool lost =
        !result && (result.code() == Code::kUnknownOutcome || result.code() == Code::kUnavailable);
    self->healthy_.store(!lost, std::memory_order_relaxed);
    co_return result;
  }

  static asio::awaitable<Status> run_script(std::shared_ptr<Impl> self, std::string sql) {
    auto call = [sql = std::move(sql)](PgConnection& connection) mutable {
      return connection.execute_script(std::move(sql));
    };
    Result<PgResult> result = co_await run<PgResult>(self, std::move(call));
    co_return result ? Status() : result.error();
  }

 private:
  // A connection in use; goes back to the pool, or is closed, when the statement's frame ends.
  class Loan {
   public:
    Loan(std::shared_ptr<Impl> pool, ConnectionPtr connection)
        : pool_(std::move(pool)), connection_(std::move(connection)) {
      pool_->lent_.insert(connection_.get());
    }
    ~Loan() {
      pool_->lent_.erase(connection_.get());
      pool_->give_back(std::move(connection_));
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    PgConnection& operator*() { return *connection_; }
    PgConnection* operator->() { return connection_.get(); }

   private:
    std::shared_ptr<Impl> pool_;
    ConnectionPtr connection_;
  };

  // Holds a place in the pool while a connection is being made.
  class Place {
   public:
    explicit Place(Impl* pool) : pool_(pool) { ++pool_->open_; }
    ~Place() {
      if (!kept_) pool_->free_place();
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    void keep() { kept_ = true; }

   private:
    Impl* pool_;
    bool kept_ = false;
  };

  static Status closed_error() {
    return Status(Code::kUnavailable, "no connection to PostgreSQL: the pool is closed");
  }

  static asio::awaitable<Result<ConnectionPtr>> acquire(std::shared_ptr<Impl> self) {
    const bool bounded = self->options_.statement_timeout.count() > 0;
    const SteadyClock::time_point deadline =
        bounded ? SteadyClock::now() + self->options_.statement_timeout
                : SteadyClock::time_point::max();
    bool was_called = false;
    for (;;) {
      if (self->closed_) co_return closed_error();
      if (ConnectionPtr idle = self->take_idle()) co_return idle;
      if (self->open_ < self->options_.size) {
        Result<ConnectionPtr> opened = co_await open(self);
        co_return opened;
      }
      const auto waiter = std::make_shared<Waiter>(self->executor_);
      waiter->timer.expires_at(deadline);
      // Who was called and found the connection taken keeps its turn.
      self->waiters_.insert(was_called ? self->waiters_.begin() : self->waiters_.end(), waiter);
      co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
      if (!waiter->called) {
        std::erase(self->waiters_, waiter);
        co_return Status(Code::kUnavailable,
                         "all connections to PostgreSQL were in use for " +
                             std::to_string(self->options_.statement_timeout.count()) + " ms");
      }
      was_called = true;
    }
  }

  ConnectionPtr take_idle() {
    while (!idle_.empty()) {
      ConnectionPtr connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection->alive()) return connection;
      log::debug("[DB] an idle connection was closed by PostgreSQL; opening another one");
      metrics_.connections.add(-1);
      free_place();
    }
    return nullptr;
  }

  static asio::awaitable<Result<ConnectionPtr>> open(std::shared_ptr<Impl> self) {
    if (SteadyClock::now() < self->next_attempt_) {
      self->call_next_waiter();
      co_return self->connect_error_;
    }
    Place place(self.get());
    PgConnectOptions target{self->options_.url,
                            self->options_.connect_timeout,
                            self->options_.statement_timeout,
                            self->options_.application_name,
                            false,
                            self->options_.session_state,
                            self->options_.prepared_statements};
    Result<ConnectionPtr> connected =
        co_await PgConnection::connect(self->executor_, std::move(target));
    if (self->closed_) co_return closed_error();
    if (!connected) {
      self->note_connect_failure(connected.error());
      co_return connected;
    }
    place.keep();
    self->metrics_.connections.add(1);
    self->backoff_.reset();
    self->next_attempt_ = {};
    self->healthy_.store(true, std::memory_order_relaxed);
    co_return connected;
  }

  void note_connect_failure(const Status& error) {
    if (healthy_.exchange(false) || connect_error_.message() != error.message()) {
      log::warn("[DB] " + error.message());
    }
    connect_error_ = error;
    const SteadyClock::time_point now = SteadyClock::now();
    if (now >= next_attempt_) next_attempt_ = now + backoff_.next();
  }

  void give_back(ConnectionPtr connection) {
    if (!closed_ && connection->reusable()) {
      idle_.push_back(std::move(connection));
      call_next_waiter();
      return;
    }
    if (!closed_) metrics_.connections.add(-1);
    connection.reset();
    free_place();
  }

  // The server has become a standby: what is connected to it is of no use, reads would be of old
  // states. The next statement looks for the primary, the DNS included.
  void retire_all() {
    log::debug(
        "[DB] the server has become a standby; closing all connections to look for the primary");
    for (PgConnection* connection : lent_) connection->retire();
    metrics_.connections.add(-static_cast<std::int64_t>(idle_.size()));
    for (std::size_t closed = std::exchange(idle_, {}).size(); closed > 0; --closed) free_place();
  }

  void free_place() {
    --open_;
    call_next_waiter();
  }

  void call_next_waiter() {
    if (waiters_.empty()) return;
    const std::shared_ptr<Waiter> waiter = waiters_.front();
    waiters_.pop_front();
    waiter->called = true;
    waiter->timer.cancel();
  }

  asio::any_io_executor executor_;
  PgPoolOptions options_;
  PoolMetrics metrics_;
  std::vector<ConnectionPtr> idle_;
  std::set<PgConnection*> lent_;
  std::deque<std::shared_ptr<Waiter>> waiters_;
  std::size_t open_ = 0;  // idle, lent, or being opened
  Backoff backoff_;
  SteadyClock::time_point next_attempt_{};
  Status connect_error_;
  std::atomic<bool> healthy_{false};
  bool closed_ = false;
};

PgPool::PgPool(asio::any_io_executor executor, PgPoolOptions options, MetricsRegistry& metrics)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options), metrics)) {}

PgPool::~PgPool() {
  impl_->close();
}

asio::awaitable<Result<PgResult>> PgPool::execute(std::string sql,
                                                  PgParameters parameters,
                                                  StatementCounter* counter) {
  // Not a coroutine itself: the statement must not depend on this object once it has begun.
  auto call = [sql = std::move(sql), parameters = std::move(parameters), counter](
                  PgConnection& connection) mutable {
    return connection.execute(std::move(sql), std::move(parameters), counter);
  };
  return Impl::run<PgResult>(impl_, std::move(call));
}

asio::awaitable<Result<std::vector<PgResult>>> PgPool::execute_pipeline(
    std::vector<PgStatement> statements, StatementCounter* counter) {
  auto call = [statements = std::move(statements), counter](PgConnection& connection) mutable {
    return connection.execute_pipeline(std::move(statements), counter);
  };
  return Impl::run<std::vector<PgResult>>(impl_, std::move(call));
}

asio::awaitable<Status> PgPool::execute_script(std::string sql) {
  return Impl::run_script(impl_, std::move(sql));
}

std::uint64_t PgPool::messages_per_statement() const {
  return impl_->messages_per_statement();
}

bool PgPool::healthy() const {
  return impl_->healthy();
}

}  // namespace edged::db

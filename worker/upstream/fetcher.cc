// SPDX-License-Identifier: Apache-2.0
// The fetcher: fetch() is the loop over tries, Impl the admission that all calls share. Rules are
// in RateWindow and CircuitBreaker; here they are only asked and told.
#include "worker/upstream/fetcher.h"

#include <algorithm>
#include <array>
#include <boost/asio.hpp>
#include <list>
#include <optional>
#include <random>
#include <utility>

#include "proto/base/check.h"
#include "proto/base/log.h"
#include "proto/base/units.h"
#include "worker/upstream/rate_limit.h"

namespace edged::upstream {
namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

bool worth_retrying(Outcome outcome) {
  switch (outcome) {
    case Outcome::kTransport:
    case Outcome::kTimeout:
    case Outcome::kThrottled:
    case Outcome::kOverloaded:
    case Outcome::kServerError:
      return true;
    case Outcome::kAnswered:
    case Outcome::kNoSection:
    case Outcome::kRejected:
    case Outcome::kUnparsable:
      break;
  }
  return false;
}

CircuitBreaker::Verdict verdict_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAnswered:
    case Outcome::kNoSection:
      return CircuitBreaker::Verdict::kSuccess;
    case Outcome::kThrottled:
    case Outcome::kRejected:
      return CircuitBreaker::Verdict::kNeutral;
    default:
      return CircuitBreaker::Verdict::kFailure;
  }
}

bool pushes_back(Outcome outcome) {
  return outcome == Outcome::kThrottled || outcome == Outcome::kOverloaded ||
         outcome == Outcome::kTimeout;
}

}  // namespace

class Fetcher::Impl : public std::enable_shared_from_this<Impl> {
 public:
  // The right to have one request under way. Dropped without a report (a cancelled call) it is
  // neutral.
  class Permit {
   public:
    explicit Permit(std::shared_ptr<Impl> impl)
        : impl_(std::move(impl)),
          circuit_(impl_->breaker_.admit()),
          rate_(impl_->window_.admit()),
          started_(impl_->clock_.boot_now()) {}
    ~Permit() { finish(std::nullopt); }
    Permit(Permit&& other) noexcept = default;
    Permit& operator=(Permit&&) = delete;
    void report(const Attempt& attempt) {
      if (impl_ != nullptr) impl_->note_failure(attempt);
      finish(attempt.outcome, attempt.retry_after);
    }

   private:
    void finish(std::optional<Outcome> outcome, std::optional<milliseconds> retry_after = {}) {
      if (impl_ == nullptr) return;
      const std::shared_ptr<Impl> impl = std::move(impl_);
      impl->settle(circuit_, rate_, started_, outcome, retry_after);
    }
    std::shared_ptr<Impl> impl_;  // null once settled or moved from
    CircuitBreaker::Ticket circuit_;
    RateWindow::Ticket rate_;
    milliseconds started_;
  };

  // A call above the window. admit_waiting() fills in one of the two and cancels the timer.
  struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {
      timer.expires_at(asio::steady_timer::time_point::max());
    }
    asio::steady_timer timer;
    std::list<std::shared_ptr<Waiter>>::iterator place;  // while queued
    bool queued = true;
    std::optional<Permit> permit;
    Status refusal;
  };

  Impl(asio::any_io_executor executor,
       AttemptSource& source,
       FetcherOptions options,
       const Clock& clock,
       MetricsRegistry& metrics)
      : executor_(std::move(executor)),
        source_(source),
        options_(options),
        clock_(clock),
        breaker_(options.circuit, clock),
        window_(options.concurrency, clock),
        random_(options.seed),
        pause_timer_(executor_),
        in_flight_gauge_(metrics.gauge("edged_upstream_in_flight", "Requests under way")),
        waiting_gauge_(metrics.gauge("edged_upstream_waiting", "Fetches that wait for their turn")),
        window_gauge_(
            metrics.gauge("edged_upstream_window", "Requests that may be under way at once")),
        circuit_gauge_(metrics.gauge("edged_upstream_circuit_state",
                                     "Circuit breaker: 0 closed, 1 half-open, 2 open")),
        retries_(metrics.counter("edged_upstream_retries_total", "Requests that were tried again")),
        refused_(metrics.counter("edged_upstream_refused_total",
                                 "Fetches answered without asking: circuit open or told to wait")),
        latency_(metrics.histogram("edged_upstream_request_seconds", "Time of one request")) {
    for (std::size_t i = 0; i < kOutcomeCount; ++i) {
      const auto name = std::string(outcome_name(static_cast<Outcome>(i)));
      requests_[i] = &metrics.counter(
          "edged_upstream_requests_total", "Requests by outcome", {{"outcome", name}});
    }
    show_state();
  }

  asio::awaitable<Result<SectionObservation>> fetch(SectionKey section, std::string run_id) {
    Backoff backoff(options_.backoff, random_());
    for (int tries_left = options_.retries_max;; --tries_left) {
      Result<Permit> permit = co_await acquire();
      if (!permit) co_return permit.error();
      Attempt attempt = co_await source_.attempt(section, run_id);
      permit->report(attempt);
      if (tries_left == 0 || !worth_retrying(attempt.outcome)) co_return std::move(attempt.result);
      const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
      const milliseconds wait =
          std::max(backoff.next(), attempt.retry_after.value_or(milliseconds(0)));
      const bool hopeless = stopped_ || breaker_.state() == CircuitBreaker::State::kOpen ||
                            wait > options_.wait_max ||
                            cancellation.cancelled() != asio::cancellation_type::none;
      if (hopeless) co_return std::move(attempt.result);
      retries_.add();
      ++done_.retries;
      asio::steady_timer timer(executor_, wait);
      co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
  }

  FetcherFigures figures() {
    FetcherFigures now = done_;
    now.window = window_.limit();
    now.circuit = breaker_.state();
    if (now.circuit == CircuitBreaker::State::kOpen) {
      now.circuit_open_until = clock_.wall_now() + breaker_.open_for();
    }
    now.circuit_reason = circuit_reason_;
    return now;
  }

  void stop() {
    stopped_ = true;
    pause_timer_.cancel();
    admit_waiting();
  }

 private:
  // Why nothing may be asked at all now; ok if only the window may be full.
  Status refusal() {
    if (stopped_)
      return Status(Code::kUnavailable, "could not ask the upstream: the program is stopping");
    if (breaker_.state() == CircuitBreaker::State::kOpen) {
      return circuit_open();
    }
    if (const milliseconds pause = window_.pause(); pause > options_.wait_max) {
      return Status(Code::kUnavailable,
                    "the upstream asked by Retry-After to send nothing for another " +
                        format_duration(pause));
    }
    return {};
  }

  // Says until when, why, and what does not have to wait.
  Status circuit_open() {
    const milliseconds left = breaker_.open_for();
    return Status(Code::kUnavailable,
                  "upstream circuit open until " + format_rfc3339(clock_.wall_now() + left) +
                      " (another " + format_duration(left) + "): " + circuit_reason_ +
                      ". `edged cron run` asks at once, because each process has its own circuit");
  }

  // Remembers the last failure for the circuit's reason.
  void note_failure(const Attempt& attempt) {
    if (stopped_ || verdict_of(attempt.outcome) != CircuitBreaker::Verdict::kFailure) return;
    last_failure_ = attempt.result ? std::string(outcome_name(attempt.outcome))
                                   : attempt.result.error().message();
  }

  bool has_room() {
    return in_flight_ < window_.limit() && window_.pause() == milliseconds(0) &&
           breaker_.may_admit();
  }

  Permit admit() {
    ++in_flight_;
    return Permit(shared_from_this());
  }

  asio::awaitable<Result<Permit>> acquire() {
    if (const Status refused = refusal(); !refused.ok()) {
      refused_.add();
      ++done_.refused;
      co_return refused;
    }
    if (waiters_.empty() && has_room()) {
      Permit permit = admit();
      show_state();
      co_return std::move(permit);
    }
    if (waiters_.size() >= options_.waiting_max) {
      co_return Status(Code::kBusy,
                       "could not ask the upstream: " + std::to_string(options_.waiting_max) +
                           " other requests wait already");
    }
    const auto waiter = std::make_shared<Waiter>(executor_);
    waiter->place = waiters_.insert(waiters_.end(), waiter);
    const Leaver leaver{this, waiter.get()};
    admit_waiting();
    if (!waiter->permit && waiter->refusal.ok()) {
      co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (waiter->permit) co_return *std::move(waiter->permit);
    if (!waiter->refusal.ok()) co_return waiter->refusal;
    co_return Status(Code::kUnavailable, "could not ask the upstream: the request was cancelled");
  }

  // Takes a waiter that was cancelled or destroyed out of the queue. The frame keeps Impl alive.
  struct Leaver {
    Impl* impl;
    Waiter* waiter;
    ~Leaver() {
      if (waiter->queued) impl->waiters_.erase(waiter->place);
    }
  };

  // Gives waiting calls their turn, or their refusal, in order.
  void admit_waiting() {
    while (!waiters_.empty()) {
      const Status refused = refusal();
      if (refused.ok() && !has_room()) break;
      const std::shared_ptr<Waiter> first = waiters_.front();
      waiters_.pop_front();
      first->queued = false;
      if (refused.ok()) {
        first->permit.emplace(admit());
      } else {
        refused_.add();
        ++done_.refused;
        first->refusal = refused;
      }
      first->timer.cancel();
    }
    await_pause();
    show_state();
  }

  // Comes back when the upstream's Retry-After is over.
  void await_pause() {
    const milliseconds pause = window_.pause();
    if (waiters_.empty() || pause == milliseconds(0)) return;
    pause_timer_.expires_after(pause);
    pause_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
      const auto self = weak.lock();
      if (!error && self != nullptr) self->admit_waiting();
    });
  }

  // Ends one request: tells the rules, counts, and lets the next ones in. Without an outcome the
  // request was dropped.
  void settle(CircuitBreaker::Ticket circuit,
              RateWindow::Ticket rate,
              milliseconds started,
              std::optional<Outcome> outcome,
              std::optional<milliseconds> retry_after) {
    --in_flight_;
    KV_CHECK(in_flight_ >= 0);
    // A frame may be destroyed with its io_context, after clock and metrics.
    if (stopped_) return;
    const CircuitBreaker::State before = breaker_.state();
    breaker_.report(circuit, outcome ? verdict_of(*outcome) : CircuitBreaker::Verdict::kNeutral);
    if (outcome) {
      requests_[static_cast<std::size_t>(*outcome)]->add();
      ++done_.requests[static_cast<std::size_t>(*outcome)];
      latency_.observe(clock_.boot_now() - started);
      if (pushes_back(*outcome)) window_.pushed_back(rate, retry_after);
      if (verdict_of(*outcome) == CircuitBreaker::Verdict::kSuccess) window_.succeeded(rate);
    }
    log_change(before);
    admit_waiting();
  }

  void log_change(CircuitBreaker::State before) {
    const CircuitBreaker::State now = breaker_.state();
    if (now == before) return;
    if (now == CircuitBreaker::State::kOpen) {
      circuit_reason_ = before == CircuitBreaker::State::kHalfOpen
                            ? "a trial request failed: "
                            : std::to_string(options_.circuit.failures_to_open) +
                                  " requests in a row failed; the last failure: ";
      circuit_reason_ += last_failure_;
      log::warn("upstream: circuit opened, nothing is asked until " +
                format_rfc3339(clock_.wall_now() + breaker_.open_for()) + " (" +
                format_duration(options_.circuit.open_for) + "): " + circuit_reason_);
    } else if (now == CircuitBreaker::State::kClosed) {
      log::info("upstream: circuit closed, the upstream answers again");
    }
  }

  void show_state() {
    in_flight_gauge_.set(in_flight_);
    waiting_gauge_.set(static_cast<std::int64_t>(waiters_.size()));
    window_gauge_.set(window_.limit());
    circuit_gauge_.set(static_cast<std::int64_t>(breaker_.state()));
  }

  const asio::any_io_executor executor_;
  AttemptSource& source_;
  const FetcherOptions options_;
  const Clock& clock_;
  CircuitBreaker breaker_;
  RateWindow window_;
  std::mt19937_64 random_;
  asio::steady_timer pause_timer_;
  std::list<std::shared_ptr<Waiter>> waiters_;
  int in_flight_ = 0;
  bool stopped_ = false;
  FetcherFigures done_;
  std::string last_failure_;    // of a request that counts against the circuit
  std::string circuit_reason_;  // why the circuit was opened last
  Gauge& in_flight_gauge_;
  Gauge& waiting_gauge_;
  Gauge& window_gauge_;
  Gauge& circuit_gauge_;
  Counter& retries_;
  Counter& refused_;
  Histogram& latency_;
  std::array<Counter*, kOutcomeCount> requests_{};
};

Fetcher::Fetcher(asio::any_io_executor executor,
                 AttemptSource& source,
                 FetcherOptions options,
                 const Clock& clock,
                 MetricsRegistry& metrics)
    : impl_(std::make_shared<Impl>(std::move(executor), source, options, clock, metrics)) {}

FetcherFigures Fetcher::figures() const {
  return impl_->figures();
}

Fetcher::~Fetcher() {
  impl_->stop();
}

asio::awaitable<Result<SectionObservation>> Fetcher::fetch(SectionKey section, std::string run_id) {
  // The frame keeps Impl alive, also when the fetcher is destroyed first.
  const std::shared_ptr<Impl> impl = impl_;
  Result<SectionObservation> result = co_await impl->fetch(std::move(section), std::move(run_id));
  co_return result;
}

}  // namespace edged::upstream

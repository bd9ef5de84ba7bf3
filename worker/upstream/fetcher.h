// SPDX-License-Identifier: Apache-2.0
// A polite way to ask a source thousands of times: a window of requests under way (RateWindow), a
// circuit breaker, retries with jitter, Retry-After, metrics. Callers start as many fetch() as they
// like; those above the window wait in order.
//
// Transport errors, time-outs, 429 and 5xx are tried again, at most `retries_max` times. An open
// circuit answers at once, waiting callers included: kUnavailable, "upstream circuit open until …",
// with the reason. While it is half-open callers wait for the verdict of the trials. A Retry-After
// holds back every request; one longer than `wait_max` answers kUnavailable instead. One executor
// thread, the destructor too; calls under way at destruction end with kUnavailable.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "proto/base/backoff.h"
#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "worker/upstream/attempt.h"
#include "worker/upstream/circuit_breaker.h"
#include "worker/upstream/fetcher_figures.h"

namespace edged::upstream {

struct FetcherOptions {
  int concurrency = 10;  // hard ceiling and start
  int retries_max = 2;   // further tries after the first
  Backoff::Options backoff{std::chrono::milliseconds(500), std::chrono::milliseconds(5000)};
  std::chrono::milliseconds wait_max{60'000};  // the longest Retry-After that is waited for
  std::size_t waiting_max = 100'000;           // callers above the window; more get kBusy
  CircuitBreaker::Options circuit;
  std::uint64_t seed = 0;  // of the jitter
};

class Fetcher final : public SectionSource {
 public:
  // `source`, `clock` and `metrics` must outlive the fetcher and every fetch.
  Fetcher(boost::asio::any_io_executor executor,
          AttemptSource& source,
          FetcherOptions options,
          const Clock& clock,
          MetricsRegistry& metrics);
  ~Fetcher() override;
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  boost::asio::awaitable<Result<SectionObservation>> fetch(SectionKey section,
                                                           std::string run_id) override;

  FetcherFigures figures() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace edged::upstream

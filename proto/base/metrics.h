// SPDX-License-Identifier: Apache-2.0
// Counters, gauges and histograms, and the registry that prints them in Prometheus' text format.
// Metrics are created at start-up, live as long as their registry, and are updated without a lock.
// Any thread. Names end in their unit: edged_kv_request_seconds, edged_http_sent_bytes_total.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace edged {

class Counter {
 public:
  void add(std::uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// A latency histogram with fixed bounds from 50 microseconds to 60 seconds.
class Histogram {
 public:
  static constexpr std::array<double, 14> kBoundsSeconds{
      0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60};

  // `count` observations of the same duration.
  void observe(std::chrono::nanoseconds duration, std::uint64_t count = 1);

 private:
  friend class MetricsRegistry;
  std::array<std::atomic<std::uint64_t>, kBoundsSeconds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class MetricsRegistry {
 public:
  // Each returns a metric that lives as long as the registry. The same name may be used again with
  // other labels; its help and type must be the same.
  Counter& counter(std::string name, std::string help, MetricLabels labels = {});
  Gauge& gauge(std::string name, std::string help, MetricLabels labels = {});
  Histogram& histogram(std::string name, std::string help, MetricLabels labels = {});

  // A gauge whose value is asked for at each rendering. `read` must be callable from any thread.
  void callback_gauge(std::string name,
                      std::string help,
                      std::function<double()> read,
                      MetricLabels labels = {});

  // A counter that is kept elsewhere; likewise.
  void callback_counter(std::string name, std::string help, std::function<std::uint64_t()> read);

  // Gauges of one name whose labels and values are asked for at each rendering; likewise.
  using LabelledValues = std::vector<std::pair<MetricLabels, double>>;
  void callback_gauges(std::string name, std::string help, std::function<LabelledValues()> read);

  // The whole page, content type "text/plain; version=0.0.4".
  std::string render() const;

 private:
  struct Sample {
    std::string labels;  // rendered: {a="b"} or empty
    std::function<void(const std::string& name, const std::string& labels, std::string& out)> print;
  };
  struct Family {
    std::string name, help, type;
    std::vector<Sample> samples;
  };
  Family& family(const std::string& name, const std::string& help, const std::string& type);

  mutable std::mutex mutex_;  // guards families_ and the three deques' growth
  std::vector<Family> families_;
  std::deque<Counter> counters_;
  std::deque<Gauge> gauges_;
  std::deque<Histogram> histograms_;
};

}  // namespace edged

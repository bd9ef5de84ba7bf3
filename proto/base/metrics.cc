// SPDX-License-Identifier: Apache-2.0
#include "proto/base/metrics.h"

#include <algorithm>
#include <cstdio>

#include "proto/base/check.h"

namespace edged {
namespace {

// Prometheus' escapes for label values: backslash, quote, newline.
std::string escape_label(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string render_labels(const MetricLabels& labels) {
  if (labels.empty()) return "";
  std::string text = "{";
  for (const auto& [name, value] : labels) {
    if (text.size() > 1) text += ',';
    text += name + "=\"" + escape_label(value) + "\"";
  }
  return text + "}";
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  // Prefer the short form when it says the same: 0.1, not 0.10000000000000001.
  char brief[40];
  std::snprintf(brief, sizeof brief, "%.9g", value);
  double parsed = 0;
  std::sscanf(brief, "%lf", &parsed);
  return parsed == value ? brief : text;
}

// `labels` with le="bound" added.
std::string with_bound(const std::string& labels, const std::string& bound) {
  const std::string le = "le=\"" + bound + "\"";
  if (labels.empty()) return "{" + le + "}";
  return labels.substr(0, labels.size() - 1) + "," + le + "}";
}

}  // namespace

void Histogram::observe(std::chrono::nanoseconds duration, std::uint64_t count) {
  const double seconds = std::chrono::duration<double>(duration).count();
  const auto bound = std::lower_bound(kBoundsSeconds.begin(), kBoundsSeconds.end(), seconds);
  const auto index = static_cast<std::size_t>(bound - kBoundsSeconds.begin());
  buckets_[index].fetch_add(count, std::memory_order_relaxed);
  sum_ns_.fetch_add(count * static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count())),
                    std::memory_order_relaxed);
}

MetricsRegistry::Family& MetricsRegistry::family(const std::string& name,
                                                 const std::string& help,
                                                 const std::string& type) {
  for (Family& family : families_) {
    if (family.name != name) continue;
    KV_CHECK(family.type == type);
    return family;
  }
  families_.push_back({name, help, type, {}});
  return families_.back();
}

Counter& MetricsRegistry::counter(std::string name, std::string help, MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  Counter& counter = counters_.emplace_back();
  family(name, help, "counter")
      .samples.push_back(
          {render_labels(labels), [&counter](const auto& n, const auto& l, auto& out) {
             out += n + l + " " + std::to_string(counter.value()) + "\n";
           }});
  return counter;
}

Gauge& MetricsRegistry::gauge(std::string name, std::string help, MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  Gauge& gauge = gauges_.emplace_back();
  family(name, help, "gauge")
      .samples.push_back({render_labels(labels), [&gauge](const auto& n, const auto& l, auto& out) {
                            out += n + l + " " + std::to_string(gauge.value()) + "\n";
                          }});
  return gauge;
}

Histogram& MetricsRegistry::histogram(std::string name, std::string help, MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  Histogram& histogram = histograms_.emplace_back();
  family(name, help, "histogram")
      .samples.push_back(
          {render_labels(labels), [&histogram](const auto& n, const auto& l, auto& out) {
             std::uint64_t total = 0;
             for (std::size_t i = 0; i < histogram.buckets_.size(); ++i) {
               total += histogram.buckets_[i].load(std::memory_order_relaxed);
               const std::string bound = i < Histogram::kBoundsSeconds.size()
                                             ? number(Histogram::kBoundsSeconds[i])
                                             : "+Inf";
               out += n + "_bucket" + with_bound(l, bound) + " " + std::to_string(total) + "\n";
             }
             const auto sum_ns = histogram.sum_ns_.load(std::memory_order_relaxed);
             out += n + "_sum" + l + " " + number(static_cast<double>(sum_ns) / 1e9) + "\n";
             out += n + "_count" + l + " " + std::to_string(total) + "\n";
           }});
  return histogram;
}

void MetricsRegistry::callback_gauge(std::string name,
                                     std::string help,
                                     std::function<double()> read,
                                     MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  family(name, help, "gauge")
      .samples.push_back({render_labels(labels),
                          [read = std::move(read)](const auto& n, const auto& l, auto& out) {
                            out += n + l + " " + number(read()) + "\n";
                          }});
}

void MetricsRegistry::callback_counter(std::string name,
                                       std::string help,
                                       std::function<std::uint64_t()> read) {
  const std::lock_guard lock(mutex_);
  family(name, help, "counter")
      .samples.push_back({"", [read = std::move(read)](const auto& n, const auto& l, auto& out) {
                            out += n + l + " " + std::to_string(read()) + "\n";
                          }});
}

void MetricsRegistry::callback_gauges(std::string name,
                                      std::string help,
                                      std::function<LabelledValues()> read) {
  const std::lock_guard lock(mutex_);
  family(name, help, "gauge")
      .samples.push_back({"", [read = std::move(read)](const auto& n, const auto&, auto& out) {
                            for (const auto& [labels, value] : read()) {
                              out += n + render_labels(labels) + " " + number(value) + "\n";
                            }
                          }});
}

std::string MetricsRegistry::render() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const Family& family : families_) {
    out += "# HELP " + family.name + " " + family.help + "\n";
    out += "# TYPE " + family.name + " " + family.type + "\n";
    for (const Sample& sample : family.samples) sample.print(family.name, sample.labels, out);
  }
  return out;
}

}  // namespace edged

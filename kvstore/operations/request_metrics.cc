// SPDX-License-Identifier: Apache-2.0
#include "kvstore/operations/request_metrics.h"

#include <algorithm>

namespace edged::operations {
namespace {

constexpr std::array<const char*, 5> kClassNames{
    "answered", "invalid", "try_again", "not_allowed", "failed"};

MetricLabels labels_of(Face face, MetricLabels more) {
  MetricLabels labels;
  if (face != Face::kBinary) labels.emplace_back("face", std::string(face_name(face)));
  labels.insert(labels.end(), more.begin(), more.end());
  return labels;
}

std::vector<std::string_view> kind_names() {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kKinds; ++i) names.push_back(kind_name(static_cast<Kind>(i)));
  return names;
}

Counter& keys_counter(MetricsRegistry& registry, Face face, const char* result) {
  return registry.counter(
      "edged_kv_keys_total", "Keys read.", labels_of(face, {{"result", result}}));
}

}  // namespace

RequestMetrics::RequestMetrics(MetricsRegistry& registry,
                               Face face,
                               const std::vector<std::string_view>& names)
    : seconds_(registry.histogram("edged_kv_request_seconds",
                                  "From a request's arrival to its response.",
                                  labels_of(face, {}))),
      hits_(keys_counter(registry, face, "hit")),
      misses_(keys_counter(registry, face, "miss")) {
  requests_.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t c = 0; c < kClasses; ++c) {
      requests_[i][c] = &registry.counter(
          "edged_kv_requests_total",
          "Requests answered.",
          labels_of(face, {{"opcode", std::string(names[i])}, {"class", kClassNames[c]}}));
    }
  }
}

RequestMetrics::RequestMetrics(MetricsRegistry& registry, Face face)
    : RequestMetrics(registry, face, kind_names()) {}

void RequestMetrics::count(std::size_t operation, Code status, Instant start) {
  const std::size_t status_class =
      std::min<std::size_t>(static_cast<std::uint16_t>(status) >> 8, kClasses - 1);
  requests_[operation][status_class]->add();
  seconds_.observe(std::chrono::steady_clock::now() - start);
}

void RequestMetrics::count(const KeyCounts& keys) {
  if (keys.hits > 0) hits_.add(keys.hits);
  if (keys.misses > 0) misses_.add(keys.misses);
}

void RequestMetrics::count_answered(std::size_t operation, std::uint64_t requests, Instant start) {
  requests_[operation][0]->add(requests);
  seconds_.observe(std::chrono::steady_clock::now() - start, requests);
}

}  // namespace edged::operations

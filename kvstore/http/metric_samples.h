// SPDX-License-Identifier: Apache-2.0
// Reads the samples of a page in Prometheus' text format, as MetricsRegistry::render() writes it:
// how the dashboard gets its figures, so that it shows exactly those of /metrics. Lines that are no
// samples are skipped. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace edged::kv_http {

struct MetricSample {
  std::string name;
  std::map<std::string, std::string> labels;  // without escapes
  double value = 0;

  // Empty: there is no such label.
  std::string_view label(const std::string& name_of_label) const;
};

std::vector<MetricSample> parse_samples(std::string_view page);

}  // namespace edged::kv_http

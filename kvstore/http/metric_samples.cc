// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/metric_samples.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

namespace edged::kv_http {
namespace {

// Takes `name="value"` off the front of `text`, and the comma behind it. Nothing if there is none.
std::optional<std::pair<std::string, std::string>> take_label(std::string_view& text) {
  const std::size_t equals = text.find("=\"");
  if (equals == std::string_view::npos) return std::nullopt;
  std::pair<std::string, std::string> label{std::string(text.substr(0, equals)), {}};
  std::size_t at = equals + 2;
  for (; at < text.size() && text[at] != '"'; ++at) {
    const bool escaped = text[at] == '\\' && at + 1 < text.size();
    if (escaped) ++at;
    label.second += escaped && text[at] == 'n' ? '\n' : text[at];
  }
  if (at == text.size()) return std::nullopt;
  text.remove_prefix(at + 1);
  if (text.starts_with(',')) text.remove_prefix(1);
  return label;
}

std::optional<MetricSample> parse_line(std::string_view line) {
  const std::size_t space = line.rfind(' ');
  if (line.empty() || line.front() == '#' || space == std::string_view::npos) return std::nullopt;
  MetricSample sample;
  const std::string number(line.substr(space + 1));
  char* end = nullptr;
  sample.value = std::strtod(number.c_str(), &end);
  if (number.empty() || *end != '\0') return std::nullopt;
  line = line.substr(0, space);
  const std::size_t brace = std::min(line.find('{'), line.size());
  sample.name = line.substr(0, brace);
  std::string_view labels = line.substr(brace);
  if (labels.empty()) return sample;
  labels.remove_prefix(1);
  while (!labels.starts_with('}')) {
    auto label = take_label(labels);
    if (!label) return std::nullopt;
    sample.labels.insert(*std::move(label));
  }
  return sample;
}

}  // namespace

std::string_view MetricSample::label(const std::string& name_of_label) const {
  const auto found = labels.find(name_of_label);
  return found == labels.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<MetricSample> parse_samples(std::string_view page) {
  std::vector<MetricSample> samples;
  while (!page.empty()) {
    const std::size_t line_end = std::min(page.find('\n'), page.size());
    auto sample = parse_line(page.substr(0, line_end));
    if (sample) samples.push_back(*std::move(sample));
    page.remove_prefix(std::min(line_end + 1, page.size()));
  }
  return samples;
}

}  // namespace edged::kv_http

// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/node_snapshot.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "kvstore/http/metric_samples.h"
#include "proto/json/write_json.h"

namespace edged::kv_http {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::array<std::chrono::milliseconds, 5> kTtlBands{1min, 1h, 24h, 7 * 24h, 30 * 24h};
constexpr std::size_t kLonger = kTtlBands.size();
constexpr std::size_t kNever = kLonger + 1;
constexpr std::size_t kBands = kNever + 1;

// Counts are integers; they stay such in JSON.
json::value number(double value) {
  if (value == std::floor(value) && std::abs(value) < 9e15) return static_cast<std::int64_t>(value);
  return value;
}

json::object to_object(const std::map<std::string, double>& sums) {
  json::object object;
  for (const auto& [name, sum] : sums) object[name] = number(sum);
  return object;
}

// The binary face's series have no label `face`.
std::string face_of(const MetricSample& sample) {
  const std::string_view face = sample.label("face");
  return std::string(face.empty() ? "binary" : face);
}

// Sorts samples into the parts of the snapshot.
class Figures {
 public:
  void add(const MetricSample& sample) {
    if (sample.name == "edged_kv_requests_total") {
      requests_[std::string(sample.label("opcode"))] += sample.value;
      faces_[face_of(sample)] += sample.value;
      classes_[std::string(sample.label("class"))] += sample.value;
    } else if (sample.name == "edged_kv_keys_total") {
      keys_[std::string(sample.label("result"))] += sample.value;
    } else if (sample.name == "edged_kv_request_seconds_bucket") {
      latency_[face_of(sample)].push_back(sample.value);
    } else if (sample.name == "edged_mirror_staleness_seconds") {
      mirrors_[std::string(sample.label("namespace"))] = sample.value;
    } else if (sample.name == "edged_storage_engine_info") {
      engine_ = sample.label("engine");
    } else if (sample.labels.empty()) {
      figures_[sample.name] = sample.value;
    }
  }

  void write(json::object& out) const {
    out["engine"] = engine_;
    out["figures"] = to_object(figures_);
    out["requests"] = to_object(requests_);
    out["faces"] = to_object(faces_);
    out["classes"] = to_object(classes_);
    out["keys"] = to_object(keys_);
    out["latency"] = latency();
    out["mirrors"] = to_object(mirrors_);
  }

 private:
  json::object latency() const {
    json::array bounds(Histogram::kBoundsSeconds.begin(), Histogram::kBoundsSeconds.end());
    json::object counts;
    for (const auto& [face, cumulated] : latency_) {
      json::array& row = counts[face].emplace_array();
      double before = 0;
      for (const double upto : cumulated) {
        row.push_back(number(upto - before));
        before = upto;
      }
    }
    return {{"bounds", std::move(bounds)}, {"counts", std::move(counts)}};
  }

  std::string engine_;
  std::map<std::string, double> figures_, requests_, faces_, classes_, keys_, mirrors_;
  std::map<std::string, std::vector<double>> latency_;  // cumulated, in the order of the bounds
};

std::size_t band_of(const storage::ExpiryBucket& bucket, WallTime now) {
  if (!bucket.until) return kNever;
  const auto left = *bucket.until - now;
  for (std::size_t i = 0; i < kTtlBands.size(); ++i) {
    if (left <= kTtlBands[i]) return i;
  }
  return kLonger;
}

struct NamespaceRow {
  storage::Namespace ns;
  std::uint64_t keys = 0, bytes = 0;
  std::array<std::uint64_t, kBands> ttl{};
};

std::vector<NamespaceRow> read_namespaces(const storage::Store& store, WallTime now) {
  std::vector<NamespaceRow> rows;
  for (storage::Namespace& ns : store.list_namespaces()) {
    const auto usage = store.usage(ns.number);
    if (!usage) continue;  // deleted meanwhile
    NamespaceRow row{std::move(ns), usage->keys, usage->bytes, {}};
    for (const storage::ExpiryBucket& bucket : usage->by_expiry) {
      row.ttl[band_of(bucket, now)] += bucket.keys;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void write_namespaces(std::vector<NamespaceRow> rows, json::object& out) {
  out["namespaces_total"] = rows.size();
  const std::size_t shown = std::min(rows.size(), kSnapshotNamespaces);
  std::partial_sort(rows.begin(),
                    rows.begin() + static_cast<std::ptrdiff_t>(shown),
                    rows.end(),
                    [](const NamespaceRow& a, const NamespaceRow& b) {
                      return a.bytes != b.bytes ? a.bytes > b.bytes : a.ns.title < b.ns.title;
                    });
  rows.resize(shown);
  json::array& array = out["namespaces"].emplace_array();
  for (const NamespaceRow& row : rows) {
    array.push_back(json::object{{"id", row.ns.id},
                                 {"title", row.ns.title},
                                 {"keys", row.keys},
                                 {"bytes", row.bytes},
                                 {"ttl", json::array(row.ttl.begin(), row.ttl.end())}});
  }
}

}  // namespace

std::string render_snapshot(const MetricsRegistry& metrics,
                            const storage::Store& store,
                            const Clock& clock) {
  const WallTime now = clock.wall_now();
  Figures figures;
  for (const MetricSample& sample : parse_samples(metrics.render())) figures.add(sample);
  json::object snapshot;
  snapshot["now"] = to_unix_ms(now);
  figures.write(snapshot);
  write_namespaces(read_namespaces(store, now), snapshot);
  return write_json(snapshot);
}

}  // namespace edged::kv_http

// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/node_http.h"

#include <map>
#include <utility>

#include "kvstore/http/dashboard_page.h"
#include "kvstore/http/node_snapshot.h"
#include "proto/http/health.h"
#include "proto/http/process_metrics.h"

namespace edged::kv_http {
namespace {

using storage::MirrorStatus;

// One rendering asks for each figure by itself; the store is asked once per rendering, not per
// figure.
constexpr std::chrono::milliseconds kStatsAge{100};

Status may_read_metrics(const access::AccessTable* table, std::string_view credential) {
  if (table == nullptr) return {};
  const std::shared_ptr<const access::AccessSnapshot> snapshot = table->snapshot();
  if (!snapshot->required()) return {};
  const auto token = snapshot->authenticate(credential, table->clock().wall_now());
  if (!token) return token.error();
  if (!(*token)->grant.scopes.has(access::Scope::kMetrics)) {
    return {Code::kDenied, "the token lacks the scope metrics"};
  }
  // The figures are those of all namespaces.
  return (*token)->grant.covers_node()
             ? Status()
             : Status(Code::kDenied, "the token is limited to namespaces or a key prefix");
}

}  // namespace

NodeHttp::NodeHttp(boost::asio::any_io_executor executor,
                   http::ServerOptions options,
                   const storage::Store& store,
                   MetricsRegistry& metrics,
                   const Clock& clock,
                   std::function<Status()> ready,
                   const access::AccessTable* access)
    : server_(executor, std::move(options)),
      store_(store),
      clock_(clock),
      events_(
          executor,
          [&metrics, &store, &clock] { return render_snapshot(metrics, store, clock); },
          [access](std::string_view credential) { return may_read_metrics(access, credential); }) {
  http::add_health_routes(
      server_, metrics, std::move(ready), [access](std::string_view credential) {
        return may_read_metrics(access, credential);
      });
  add_dashboard_page(server_);
  events_.add_routes(server_);
  http::add_process_metrics(metrics, clock);
  add_store_metrics(metrics);
}

storage::StoreStats NodeHttp::stats() {
  const std::lock_guard lock(mutex_);
  const std::chrono::milliseconds now = clock_.boot_now();
  if (now - read_at_ >= kStatsAge) {
    stats_ = store_.stats();
    read_at_ = now;
  }
  return stats_;
}

void NodeHttp::add_store_metrics(MetricsRegistry& metrics) {
  const auto add =
      [&](const char* name, const char* help, std::uint64_t storage::StoreStats::*figure) {
        metrics.callback_gauge(
            name, help, [this, figure] { return static_cast<double>(stats().*figure); });
      };
  using storage::StoreStats;
  add("edged_storage_disk_bytes", "Bytes of the store's files.", &StoreStats::disk_bytes);
  add("edged_storage_memory_bytes",
      "Bytes of hot cache, block cache, memtables and table readers.",
      &StoreStats::memory_bytes);
  add("edged_storage_disk_free_bytes",
      "Bytes free on the store's file system.",
      &StoreStats::disk_free_bytes);
  add("edged_storage_keys", "Live entries of all namespaces.", &StoreStats::keys);
  add("edged_storage_keys_estimate",
      "Entries of all namespaces, with those that expired and are not reclaimed yet.",
      &StoreStats::keys_estimate);
  add("edged_storage_expired_reclaimed",
      "Expired entries that compaction dropped since start.",
      &StoreStats::expired_reclaimed);
  add("edged_storage_recovered_lost_writes",
      "Acknowledged operations that the last opening found gone.",
      &StoreStats::recovered_lost_writes);
  add("edged_storage_writes", "Write operations since start.", &StoreStats::writes);
  add("edged_storage_syncs", "Syncs of the log since start.", &StoreStats::syncs);
  add("edged_storage_write_groups",
      "Batches that the write operations were grouped in since start.",
      &StoreStats::write_groups);
  add("edged_storage_hot_cache_hits",
      "Single reads that the hot cache answered since start.",
      &StoreStats::hot_hits);
  add("edged_storage_hot_cache_misses",
      "Single reads that the hot cache left to the engine since start.",
      &StoreStats::hot_misses);
  add("edged_storage_hot_cache_entries",
      "Entries and absent keys in the hot cache.",
      &StoreStats::hot_entries);
  add("edged_storage_hot_cache_bytes", "Bytes of the hot cache.", &StoreStats::hot_bytes);
  add("edged_storage_leases", "Leases to fill a key that are held.", &StoreStats::leases);
  add("edged_storage_watches", "Watches on changes.", &StoreStats::watches);
  add("edged_storage_uploads", "Large values on their way in.", &StoreStats::uploads);
  metrics.callback_gauge("edged_storage_refuses_writes",
                         "1 while the disk is full or the quota reached.",
                         [this] { return stats().refuses_writes ? 1.0 : 0.0; });
  metrics.callback_gauge(
      "edged_storage_clock_step_seconds",
      "Wall clock minus node time, while a step waits to be confirmed.",
      [this] { return std::chrono::duration<double>(stats().clock_step).count(); });
  add_mirror_metrics(metrics);
  metrics.callback_gauge("edged_storage_engine_info",
                         "The store's engine.",
                         [] { return 1.0; },
                         {{"engine", store_.stats().engine}});
}

void NodeHttp::add_mirror_metrics(MetricsRegistry& metrics) {
  const auto add = [&](const char* name, const char* help, double (*figure)(const MirrorStatus&)) {
    metrics.callback_gauges(name, help, [this, figure] {
      std::map<storage::NamespaceNumber, std::string> ids;
      MetricsRegistry::LabelledValues values;
      for (const MirrorStatus& mirror : store_.mirrors()) {
        if (!mirror.fresh_as_of) continue;
        if (ids.empty()) {
          for (const auto& ns : store_.list_namespaces()) ids[ns.number] = ns.id;
        }
        const auto id = ids.find(mirror.ns);
        if (id != ids.end()) values.push_back({{{"namespace", id->second}}, figure(mirror)});
      }
      return values;
    });
  };
  add("edged_mirror_fresh_as_of_seconds",
      "The Unix time of which a namespace's mirrored entries are.",
      [](const MirrorStatus& mirror) {
        return static_cast<double>(to_unix_ms(*mirror.fresh_as_of)) / 1000;
      });
  add("edged_mirror_staleness_seconds",
      "Node time minus that time.",
      [](const MirrorStatus& mirror) { return std::chrono::duration<double>(mirror.age).count(); });
}

}  // namespace edged::kv_http

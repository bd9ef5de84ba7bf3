// SPDX-License-Identifier: Apache-2.0
// The operations for faces on reactors of their own, which answer most reads at once.
#include <utility>

#include "kvstore/operations/disk_reads.h"
#include "kvstore/operations/operations.h"
#include "kvstore/operations/shared.h"

namespace edged::operations {
namespace {

Demand demand_on_node(Kind kind) {
  Demand demand;
  demand.name = kind_name(kind);
  demand.rule = rule_of(kind);
  return demand;
}

}  // namespace

Status Operations::admit() const {
  if (shared_->stopping.load()) return {Code::kUnavailable, "the node is stopping"};
  if (!work_.overloaded()) return {};
  return {Code::kBusy, "could not take request: the node is overloaded"};
}

std::optional<Code> Operations::get_now(Caller& caller,
                                        storage::NamespaceNumber ns,
                                        std::string_view key,
                                        storage::Entry& entry) const {
  if (key.empty() || key.size() > storage::kKeyBytesMax || !caller.may_get(ns, key)) {
    return std::nullopt;
  }
  const Status read = store_.get_into(ns, key, storage::ReadTier::kMemory, entry);
  if (read.ok() || read.code() == Code::kNotFound) return read.code();
  return std::nullopt;
}

void Operations::count_gets(Face face,
                            KeyCounts counts,
                            std::chrono::steady_clock::time_point start) {
  RequestMetrics& metrics = *shared_->metrics[static_cast<std::size_t>(face)];
  metrics.count(counts);
  metrics.count_answered(static_cast<std::size_t>(Kind::kGet), counts.hits + counts.misses, start);
}

Result<std::unique_ptr<storage::Watch>> Operations::watch(Caller& caller,
                                                          storage::WatchRequest request,
                                                          std::function<void()> wake) {
  Status allowed = admit();
  if (allowed.ok()) {
    allowed = caller.authorize(demand_of(Kind::kWatch, request.ns, request.prefix));
  }
  if (!allowed.ok()) return allowed;
  return store_.watch(std::move(request), std::move(wake));
}

Status Operations::judge(Caller& caller,
                         Kind kind,
                         storage::NamespaceNumber ns,
                         std::string_view key_or_prefix) const {
  return caller.authorize(demand_of(kind, ns, key_or_prefix));
}

Result<storage::NamespaceUsage> Operations::usage(Caller& caller,
                                                  storage::NamespaceNumber ns) const {
  const Status allowed = caller.authorize(demand_of(Kind::kNamespaceUsage, ns));
  if (!allowed.ok()) return allowed;
  return store_.usage(ns);
}

Result<storage::StoreStats> Operations::stats(Caller& caller) const {
  const Status allowed = caller.authorize(demand_on_node(Kind::kStats));
  if (!allowed.ok()) return allowed;
  return store_.stats();
}

}  // namespace edged::operations

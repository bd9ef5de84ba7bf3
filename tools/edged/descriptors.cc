// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/descriptors.h"

#include <algorithm>

#include "proto/wire/limits.h"

namespace edged {
namespace {

// Standard streams, three a reactor, listeners, the store's lock, mark, manifest and logs, and what
// is open for a moment: a connection that is refused, a table being written.
constexpr std::size_t kOwn = 64;
constexpr std::size_t kHttpFaces = 2;              // node.http and node.binding
constexpr std::size_t kHttpConnectionsMax = 1000;  // the default of http::ServerOptions
// 128 GiB of tables, at 16 MiB a table: with room for so many, all are kept open.
constexpr std::size_t kEngineFiles = 8192;
constexpr std::size_t kLimitWanted =
    kOwn + wire::kConnectionsMax + kHttpFaces * kHttpConnectionsMax + kEngineFiles;
constexpr std::size_t kHttpConnectionsMin = 8, kEngineFilesMin = 32, kBinaryConnectionsMin = 8;

}  // namespace

DescriptorPlan plan_descriptors(std::size_t limit) {
  if (limit >= kLimitWanted) {
    return {wire::kConnectionsMax, kHttpConnectionsMax, 0, false};
  }
  const std::size_t usable = limit - std::min(limit, kOwn);
  DescriptorPlan plan;
  plan.lowered = true;
  plan.http_connections_max = std::clamp(usable / 16, kHttpConnectionsMin, kHttpConnectionsMax);
  plan.engine_files_max = std::clamp(usable / 4, kEngineFilesMin, kEngineFiles);
  const std::size_t others = kHttpFaces * plan.http_connections_max + plan.engine_files_max;
  plan.binary_connections_max =
      std::clamp(usable - std::min(usable, others), kBinaryConnectionsMin, wire::kConnectionsMax);
  return plan;
}

std::string DescriptorPlan::to_string(std::size_t limit) const {
  return "the limit of " + std::to_string(limit) + " descriptors leaves " +
         std::to_string(binary_connections_max) + " binary and " +
         std::to_string(http_connections_max) + " connections to each HTTP address and " +
         std::to_string(engine_files_max) + " open tables; raise it (ulimit -n, LimitNOFILE=) to " +
         std::to_string(kLimitWanted) + " for " + std::to_string(wire::kConnectionsMax) + " and " +
         std::to_string(kHttpConnectionsMax);
}

}  // namespace edged

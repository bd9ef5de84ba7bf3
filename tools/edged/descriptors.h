// SPDX-License-Identifier: Apache-2.0
// How a node shares the file descriptors it may have: so many connections that tables, logs and
// flushes of the engine always get theirs. Where the limit is high nothing is lowered. Pure.
// Source: docs/operations.md, "Descriptors".
#pragma once

#include <cstddef>
#include <string>

namespace edged {

struct DescriptorPlan {
  std::size_t binary_connections_max = 0;
  std::size_t http_connections_max = 0;  // of each HTTP address
  std::size_t engine_files_max = 0;      // 0: no bound
  bool lowered = false;                  // something is below its default

  // For people: what was lowered and what would help.
  std::string to_string(std::size_t limit) const;
};

// `limit` is the process's: RLIMIT_NOFILE.
DescriptorPlan plan_descriptors(std::size_t limit);

}  // namespace edged

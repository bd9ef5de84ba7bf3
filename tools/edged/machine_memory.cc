// SPDX-License-Identifier: Apache-2.0
// See machine_memory.h. Control groups are described in cgroups(7) and, version 2, in the kernel's
// admin-guide/cgroup-v2.rst: each group on the way up to the root may have a limit.
#include "tools/edged/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>

#include "proto/base/numbers.h"

namespace edged {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

std::uint64_t machine_bytes(const fs::path& root) {
  std::ifstream file(root / "proc/meminfo");
  std::string name;
  std::uint64_t kib = 0;
  while (file >> name >> kib) {
    if (name == "MemTotal:") return kib * 1024;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

// "max", and a file that is not there, are no limit.
std::uint64_t limit_in(const fs::path& file) {
  std::ifstream stream(file);
  std::string text;
  stream >> text;
  const auto bytes = parse_uint64(text);
  return bytes ? *bytes : kNoLimit;
}

// `group` as /proc/self/cgroup has it: "/a/b". Within a container it may name what only the host
// sees; then the mounted root is the container's own group.
std::uint64_t limit_on_the_way_up(const fs::path& mounted, fs::path group, const char* file) {
  std::uint64_t least = kNoLimit;
  for (group = group.relative_path();; group = group.parent_path()) {
    least = std::min(least, limit_in(mounted / group / file));
    if (group.empty()) return least;
  }
}

bool has_memory(std::string_view controllers) {
  return ("," + std::string(controllers) + ",").find(",memory,") != std::string::npos;
}

std::uint64_t group_bytes(const fs::path& root) {
  std::ifstream file(root / "proc/self/cgroup");
  const fs::path mounted = root / "sys/fs/cgroup";
  std::uint64_t least = kNoLimit;
  // "0::/group" of version 2, "5:memory:/group" of version 1.
  for (std::string line; std::getline(file, line);) {
    std::istringstream parts(line);
    std::string number, controllers, group;
    std::getline(parts, number, ':');
    std::getline(parts, controllers, ':');
    std::getline(parts, group);
    if (controllers.empty()) {
      least = std::min(least, limit_on_the_way_up(mounted, group, "memory.max"));
    } else if (has_memory(controllers)) {
      least =
          std::min(least, limit_on_the_way_up(mounted / "memory", group, "memory.limit_in_bytes"));
    }
  }
  return least;
}

}  // namespace

std::uint64_t available_memory_bytes(const fs::path& root) {
  return std::min(machine_bytes(root), group_bytes(root));
}

std::uint64_t default_memory_budget_bytes() {
  static const std::uint64_t bytes =
      std::clamp(available_memory_bytes() / 4, 32 * kMiB, 4096 * kMiB);
  return bytes;
}

}  // namespace edged

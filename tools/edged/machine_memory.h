// SPDX-License-Identifier: Apache-2.0
// How much memory this process may have: the machine's, or what its container leaves it.
#pragma once

#include <cstdint>
#include <filesystem>

namespace edged {

// The least of the machine's memory and the limits of all control groups, version 1 or 2, that the
// process is in. 0: /proc does not tell. `root` is where /proc and /sys/fs/cgroup are looked for.
std::uint64_t available_memory_bytes(const std::filesystem::path& root = "/");

// What node.memory_budget is where nobody sets it: a quarter of available_memory_bytes(), at least
// 32 MiB and at most 4 GiB. Looked up once.
std::uint64_t default_memory_budget_bytes();

}  // namespace edged

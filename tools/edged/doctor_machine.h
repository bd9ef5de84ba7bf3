// SPDX-License-Identifier: Apache-2.0
// What the machine gives a node or a worker: directories with room, descriptors. Changes nothing.
// Blocks on disk; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "tools/edged/config.h"
#include "tools/edged/doctor_report.h"

namespace edged::doctor {

struct Directory {
  std::string check;  // of the findings
  std::string path;
  std::string key;  // of the configuration: "node.data_dir"
  // Free bytes below which nothing can be written, and below which it becomes narrow.
  std::uint64_t free_min = 0;
  std::uint64_t free_wanted = 0;
};

// Whether the directory is there or can be made, may be written by this process, is closed to other
// users, and has room.
void check_directory(const Directory& directory, Report& report);

// The directories that `config` names for a node; its data directory's room as the node judges it.
void check_node_disk(const config::Config& config, Report& report);

// The hard limit of this process, which a node started the same way would have.
void check_descriptors(Report& report);

}  // namespace edged::doctor

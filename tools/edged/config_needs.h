// SPDX-License-Identifier: Apache-2.0
// Which sections of the configuration a command uses, and which keys it cannot do without. A
// worker's roles (worker.roles) count: one that only mirrors needs no upstream. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/edged/config.h"
#include "tools/edged/config_parse.h"

namespace edged::config {

// Values in a section that is not used are not checked, and may name environment variables that are
// not set.
struct UsedSections {
  bool node = false, postgres = false, jobs = false, worker = false, upstream = false, mail = false,
       mirror = false, queue = false;
  bool cron_http = false;  // worker.cron_secret
};
UsedSections used_sections(Scope scope, const Worker& worker);
// The same before the roles are known.
bool uses_worker_section(Scope scope);

// A key that a command needs and the file does not have.
struct MissingKey {
  std::string path;
  std::string message;
};
std::vector<MissingKey> missing_for(Scope scope, const Config& config);

// The commands that `edged check-config` tells about, with their names on the command line.
struct Program {
  std::string_view name;
  Scope scope;
};
const std::vector<Program>& checked_programs();

// Complains about roles that do not exist or leave a worker without work.
void check_roles(const Config& config, ReadContext& context);

}  // namespace edged::config

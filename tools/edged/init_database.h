// SPDX-License-Identifier: Apache-2.0
// What `edged init` asks of PostgreSQL and of the node before and after the file is written.
// Blocks; one thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "proto/base/status.h"
#include "tools/edged/config.h"
#include "tools/edged/doctor_report.h"

namespace edged {

struct DatabaseOutlook {
  bool reached = false;
  bool needs_app_schema = false;  // the application has no tables there
  bool allows_mirror = false;     // wal_level and the role's rights
};
// Connects, and says whether a migration could run and whether tables can be mirrored.
DatabaseOutlook look_at_database(boost::asio::io_context& io,
                                 const config::Config& config,
                                 doctor::Report& report);

// "schema edged is at version 9", with what was applied. Errors: those of db::migrate().
Result<std::vector<std::string>> migrate_for_init(boost::asio::io_context& io,
                                                  const config::Config& config,
                                                  bool app_schema);

// Creates the namespaces of the configuration that do not exist: through the node if it runs, else
// in its data directory, as `owner` (a user's name; empty: this user). What was created. Errors:
// those of the node or the store; kDenied: the node wants a token.
Result<std::vector<std::string>> create_namespaces(const config::Config& config,
                                                   const std::string& owner);

}  // namespace edged

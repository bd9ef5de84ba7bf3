// SPDX-License-Identifier: Apache-2.0
// The command-line flags that edged's commands share, each with its environment variable, and what
// they do to the configuration. One thread.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/edged/config.h"
#include "tools/edged/config_parse.h"
#include "tools/edged/start_summary.h"

namespace edged {

struct Flags {
  std::string file, data_dir, unix_path, http, worker_http, state_dir, log_level, binding, recovery;
  std::string redis;
  std::string tls_certificate, tls_key, io_threads, memory_budget, durability, disk_quota;
  std::string dev_database, wrangler_environment;
  std::vector<std::string> listen;
  bool dev = false;
  bool insecure = false;
  bool under_serve = false;  // serve has told what runs

  config::Overrides overrides() const;
  // The same flags for a child process.
  std::vector<std::string> as_arguments() const;
};

// Each adds to `command`; `flags` outlives the parsing.
void add_file_flags(CLI::App& command, Flags& flags);
void add_node_flags(CLI::App& command, Flags& flags);
void add_worker_flags(CLI::App& command, Flags& flags);

// With the environment and the file: what load_config() wants.
config::LoadRequest load_request(const Flags& flags, config::Scope scope);

// Loads the configuration, or prints what is wrong on stderr and returns nothing (exit code 2).
// Sets the log's component to `command`. The node and the worker log warnings, the worker also the
// keys of a wrangler file that are not used; other commands leave both to check-config.
std::optional<config::Config> load_or_report(const Flags& flags,
                                             const std::string& command,
                                             config::Scope scope);

// Logs what runs where and what is not configured (start_summary.h), unless serve has done so.
void log_start(const Flags& flags, const config::Config& config, config::Runs runs);

// For SIGHUP: reads the file again and takes the log level over.
std::function<void()> reloader(const Flags& flags, config::Scope scope);

}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
// Loads the configuration: file, then environment and flags above it, then the checks. Every
// complaint names file, line, column and the key's path. Blocks on disk; any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/edged/config.h"
#include "tools/edged/config_reader.h"

namespace edged::config {

// The command that will use the file. Only what it uses must be complete: a node starts without
// DATABASE_URL. kAll: `edged serve`. kCheck: everything that is written is checked, and nothing has
// to be there; missing_for() tells what a command misses.
enum class Scope {
  kNode,
  kWorker,
  kAll,
  kMigrate,
  kCronRun,
  kCronHistory,
  kMirror,
  kQueue,
  kMail,
  kCheck
};

// Flags, or the environment's EDGED_…; each beats the file. Texts as they were given: load_config()
// reads them as strictly as the file.
struct Overrides {
  std::optional<std::string> data_dir;
  std::optional<std::string> io_threads, memory_budget, durability, disk_quota;
  std::vector<std::string> listen;
  std::optional<std::string> unix_path;
  std::optional<std::string> tls_certificate, tls_key;
  std::optional<std::string> recovery;
  std::optional<std::string> http;
  std::optional<std::string> binding;
  std::optional<std::string> redis;
  std::optional<std::string> worker_http;
  std::optional<std::string> worker_state_dir;
  std::optional<std::string> log_level;
  std::optional<std::string> dev_database;
  std::optional<std::string> wrangler_environment;
  bool dev = false;
  bool insecure = false;
};

struct LoadRequest {
  // Empty: ./edged.jsonc, with --dev the node's ./wrangler.json and ./wrangler.jsonc, then
  // /etc/edged/edged.jsonc. A file named wrangler.….json(c) is read as wrangler's.
  std::string file;
  // Defaults will do if no file is found.
  bool file_optional = false;
  Scope scope = Scope::kAll;
  Overrides overrides;
  // Null: the process's environment.
  std::function<std::optional<std::string>(const std::string&)> environment;
  // What is wrong with a connection URL of PostgreSQL, without a word of what may be a password;
  // empty: nothing. Null: URLs are not looked at.
  std::function<std::string(const std::string&)> check_postgres_url{};
};

struct Loaded {
  Config config;
  std::vector<std::string> warnings;
  std::string ignored_keys;       // one line: keys of the wrangler file that are of no use here
  std::vector<Complaint> errors;  // not empty: config must not be used
  // One of the errors is that ./edged.jsonc was found by itself and others decide what is in it:
  // why. Empty: it is not.
  std::string distrusted;
};

Loaded load_config(const LoadRequest& request);

}  // namespace edged::config

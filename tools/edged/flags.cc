// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "kvstore/access/token_file.h"
#include "proto/base/log.h"
#include "proto/base/printable.h"
#include "tools/edged/config_changes.h"
#include "tools/edged/strict_options.h"
#ifdef EDGED_WITH_WORKER
#include "worker/db/connection_url.h"
#endif

namespace edged {
namespace {

constexpr std::size_t kNamedMax = 20;

// "node.durability, node.http and 3 more".
std::string named(const std::vector<std::string>& paths) {
  std::string text;
  for (std::size_t i = 0; i < std::min(paths.size(), kNamedMax); ++i) {
    text += (i == 0 ? "" : ", ") + printable(paths[i]);
  }
  if (paths.size() > kNamedMax)
    text += " and " + std::to_string(paths.size() - kNamedMax) + " more";
  return text;
}

std::optional<std::string> given(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

}  // namespace

config::LoadRequest load_request(const Flags& flags, config::Scope scope) {
  config::LoadRequest request;
  request.file = flags.file;
  request.file_optional = scope == config::Scope::kNode;
  request.scope = scope;
  request.overrides = flags.overrides();
#ifdef EDGED_WITH_WORKER
  request.check_postgres_url = [](const std::string& url) {
    return db::check_connection_url(url).message();
  };
#endif
  return request;
}

config::Overrides Flags::overrides() const {
  config::Overrides overrides;
  overrides.data_dir = given(data_dir);
  overrides.io_threads = given(io_threads);
  overrides.memory_budget = given(memory_budget);
  overrides.durability = given(durability);
  overrides.disk_quota = given(disk_quota);
  overrides.listen = listen;
  overrides.unix_path = given(unix_path);
  overrides.http = given(http);
  overrides.binding = given(binding);
  overrides.redis = given(redis);
  overrides.tls_certificate = given(tls_certificate);
  overrides.tls_key = given(tls_key);
  overrides.recovery = given(recovery);
  overrides.worker_http = given(worker_http);
  overrides.worker_state_dir = given(state_dir);
  overrides.log_level = given(log_level);
  overrides.dev = dev;
  overrides.dev_database = given(dev_database);
  overrides.wrangler_environment = given(wrangler_environment);
  overrides.insecure = insecure;
  return overrides;
}

std::vector<std::string> Flags::as_arguments() const {
  std::vector<std::string> arguments;
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) arguments.insert(arguments.end(), {flag, value});
  };
  add("--config", file);
  add("--env", wrangler_environment);
  add("--data", data_dir);
  for (const std::string& address : listen) add("--listen", address);
  add("--unix", unix_path);
  add("--http", http);
  add("--binding", binding);
  add("--redis", redis);
  add("--io-threads", io_threads);
  add("--memory-budget", memory_budget);
  add("--durability", durability);
  add("--disk-quota", disk_quota);
  add("--tls-certificate", tls_certificate);
  add("--tls-key", tls_key);
  add("--recovery", recovery);
  add("--worker-http", worker_http);
  add("--state-dir", state_dir);
  add("--log-level", log_level);
  if (dev) arguments.emplace_back("--dev");
  add("--dev-database", dev_database);
  if (insecure) arguments.emplace_back("--insecure");
  if (under_serve) arguments.emplace_back("--under-serve");
  return arguments;
}

void add_file_flags(CLI::App& command, Flags& flags) {
  add_text(command,
           "-c,--config",
           flags.file,
           "Configuration file (default ./edged.jsonc, then /etc/edged/edged.jsonc), or a file of "
           "wrangler: wrangler.jsonc")
      ->type_name("FILE")
      ->envname("EDGED_CONFIG");
  add_text(command,
           "--env",
           flags.wrangler_environment,
           "Environment of the wrangler file to use (default: its top level)")
      ->type_name("NAME");
  add_text(command,
           "--log-level",
           flags.log_level,
           "Least important messages to log: debug, info, warn, error or off (default info)")
      ->type_name("LEVEL")
      ->envname("EDGED_LOG_LEVEL");
}

namespace {

// What a node without a file is sized by.
void add_resource_flags(CLI::App& command, Flags& flags) {
  add_text(command,
           "--io-threads",
           flags.io_threads,
           "Threads of the node that serve connections, 1 to 64; 0 (the default) means one per "
           "core, at most 4")
      ->type_name("N")
      ->envname("EDGED_IO_THREADS");
  add_text(command,
           "--memory-budget",
           flags.memory_budget,
           "Memory for the caches and buffers of the node together, at least 8MiB (default 256MiB)")
      ->type_name("SIZE")
      ->envname("EDGED_MEMORY_BUDGET");
  add_text(command,
           "--durability",
           flags.durability,
           "When a write is answered: wal (the kernel has it, so it survives a crash of the "
           "node; the default) or sync (it is on disk, so it survives a loss of power)")
      ->type_name("wal|sync")
      ->envname("EDGED_DURABILITY");
  add_text(command,
           "--disk-quota",
           flags.disk_quota,
           "Disk space for the data of the node, at least 64MiB; above it writes are refused "
           "(default: no limit)")
      ->type_name("SIZE")
      ->envname("EDGED_DISK_QUOTA");
}

}  // namespace

void add_node_flags(CLI::App& command, Flags& flags) {
  add_text(command, "--data", flags.data_dir, "Data directory of the node (default /var/lib/edged)")
      ->type_name("DIR")
      ->envname("EDGED_DATA");
  add_texts(command,
            "--listen",
            flags.listen,
            "Address of the binary protocol, HOST:PORT or tls:HOST:PORT; may be repeated (default "
            "127.0.0.1:4780)")
      ->type_name("ADDRESS")
      ->envname("EDGED_LISTEN");
  add_text(command,
           "--unix",
           flags.unix_path,
           "Path of the unix socket of the node (default kv.sock in the data directory)")
      ->type_name("PATH")
      ->envname("EDGED_UNIX");
  add_text(command,
           "--http",
           flags.http,
           "Address of the node's REST API (/client/v4/), health checks and metrics, HOST:PORT or "
           "tls:HOST:PORT (default 127.0.0.1:4781)")
      ->type_name("ADDRESS")
      ->envname("EDGED_HTTP");
  add_text(command,
           "--binding",
           flags.binding,
           "Address of the Workers binding, the KV namespaces of a workerd: HOST:PORT, "
           "tls:HOST:PORT, unix:PATH or off (default 127.0.0.1:4782, unless it is in use)")
      ->type_name("ADDRESS")
      ->envname("EDGED_BINDING");
  add_text(command,
           "--redis",
           flags.redis,
           "Address for Redis clients: HOST:PORT, tls:HOST:PORT or unix:PATH (default: none)")
      ->type_name("ADDRESS")
      ->envname("EDGED_REDIS");
  add_text(command,
           "--tls-certificate",
           flags.tls_certificate,
           "PEM file with the certificate for tls: addresses, followed by those that lead to its "
           "authority")
      ->type_name("FILE")
      ->envname("EDGED_TLS_CERTIFICATE");
  add_text(command, "--tls-key", flags.tls_key, "PEM file with the private key of the certificate")
      ->type_name("FILE")
      ->envname("EDGED_TLS_KEY");
  add_resource_flags(command, flags);
  add_text(command,
           "--recovery",
           flags.recovery,
           "What the node does if writes that it had acknowledged are missing at the start: strict "
           "(refuse to start; the default) or cache (start without them)")
      ->type_name("strict|cache")
      ->envname("EDGED_RECOVERY");
  command.add_flag(
      "--dev",
      flags.dev,
      "Development: keep data in a temporary directory unless --data is given, use the "
      "preview_ids, and create the namespaces of the configuration, which for a node may be the "
      "wrangler.jsonc in this directory. The worker leaves the database alone unless "
      "--dev-database names it");
  command.add_flag("--under-serve", flags.under_serve)->group("");  // of serve's children
  command.add_flag("--insecure",
                   flags.insecure,
                   "Allow addresses that other machines can reach without TLS and tokens: everyone "
                   "who reaches them may read and change everything");
}

void add_worker_flags(CLI::App& command, Flags& flags) {
  add_text(command,
           "--worker-http",
           flags.worker_http,
           "Address of the worker's health checks, metrics and cron trigger, HOST:PORT (default "
           "127.0.0.1:4783)")
      ->type_name("ADDRESS")
      ->envname("EDGED_WORKER_HTTP");
  add_text(command,
           "--state-dir",
           flags.state_dir,
           "Directory for the state of the worker (default /var/lib/edged/worker)")
      ->type_name("DIR")
      ->envname("EDGED_STATE_DIR");
  add_text(command,
           "--dev-database",
           flags.dev_database,
           "With --dev: the name of the database that postgres.url leads to. Jobs run in it, mails "
           "are delivered and tables are mirrored as without --dev")
      ->type_name("NAME");
}

std::optional<config::Config> load_or_report(const Flags& flags,
                                             const std::string& command,
                                             config::Scope scope) {
  const config::Loaded loaded = config::load_config(load_request(flags, scope));
  if (!loaded.errors.empty()) {
    const std::size_t more = loaded.errors.size() - 1;
    log::print("edged " + command + ": " + loaded.errors.front().to_string() +
               (more == 0
                    ? ""
                    : "\n  " + std::to_string(more) + " more: \"edged check-config\" lists all"));
    return std::nullopt;
  }
  log::init(command, loaded.config.log_level);
  const bool is_worker = command == "worker";
  if (is_worker || command == "node") {
    for (const std::string& warning : loaded.warnings) log::warn(warning);
  }
  if (is_worker && !loaded.ignored_keys.empty()) log::warn(loaded.ignored_keys);
  return loaded.config;
}

void log_start(const Flags& flags, const config::Config& config, config::Runs runs) {
  if (flags.under_serve) return;
  const auto tokens = access::read_token_file(access::token_file_in(config.node.data_dir));
  const config::StartFacts facts{runs, tokens && !tokens->empty()};
  for (const std::string& line : config::start_summary(config, facts)) log::info(line);
}

// Also logs which other keys changed since the start and need a restart.
std::function<void()> reloader(const Flags& flags, config::Scope scope) {
  config::WrittenValues before;
  (void)config::load_config(load_request(flags, scope), before);
  return [flags, scope, before = std::move(before)] {
    config::WrittenValues now;
    const config::Loaded loaded = config::load_config(load_request(flags, scope), now);
    if (!loaded.errors.empty()) {
      log::error("configuration not reloaded, the node or worker goes on with the one before: " +
                 loaded.errors.front().to_string());
      return;
    }
    log::set_level(loaded.config.log_level);
    for (const std::string& warning : loaded.warnings) log::warn(warning);
    const auto changed = config::changed_keys(before, now, scope);
    std::string line = "configuration reloaded: log_level is taken over; ";
    line += changed.empty() ? "no other key has changed since the start"
                            : "these keys have changed since the start and need a restart: ";
    log::info(line + named(changed));
  };
}

}  // namespace edged

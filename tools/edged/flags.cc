// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/flags.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "proto/base/log.h"

namespace edged {
namespace {

std::optional<std::string> given(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

config::LoadRequest request_of(const Flags& flags, config::Scope scope) {
  config::LoadRequest request;
  request.file = flags.file;
  request.file_optional = scope == config::Scope::kNode;
  request.scope = scope;
  request.overrides = flags.overrides();
  return request;
}

}  // namespace

config::Overrides Flags::overrides() const {
  config::Overrides overrides;
  overrides.data_dir = given(data_dir);
  overrides.listen = listen;
  overrides.unix_path = given(unix_path);
  overrides.http = given(http);
  overrides.tls_certificate = given(tls_certificate);
  overrides.tls_key = given(tls_key);
  overrides.recovery = given(recovery);
  overrides.worker_http = given(worker_http);
  overrides.worker_state_dir = given(state_dir);
  overrides.log_level = given(log_level);
  overrides.dev = dev;
  overrides.insecure = insecure;
  return overrides;
}

std::vector<std::string> Flags::as_arguments() const {
  std::vector<std::string> arguments;
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) arguments.insert(arguments.end(), {flag, value});
  };
  add("--config", file);
  add("--data", data_dir);
  for (const std::string& address : listen) add("--listen", address);
  add("--unix", unix_path);
  add("--http", http);
  add("--tls-certificate", tls_certificate);
  add("--tls-key", tls_key);
  add("--recovery", recovery);
  add("--worker-http", worker_http);
  add("--state-dir", state_dir);
  add("--log-level", log_level);
  if (dev) arguments.emplace_back("--dev");
  if (insecure) arguments.emplace_back("--insecure");
  return arguments;
}

void add_file_flags(CLI::App& command, Flags& flags) {
  command
      .add_option("-c,--config",
                  flags.file,
                  "Configuration (default ./edged.jsonc, then /etc/edged/edged.jsonc)")
      ->envname("EDGED_CONFIG");
  command.add_option("--log-level", flags.log_level, "debug, info, warn, error or off")
      ->envname("EDGED_LOG_LEVEL");
}

void add_node_flags(CLI::App& command, Flags& flags) {
  command.add_option("--data", flags.data_dir, "The node's data directory")->envname("EDGED_DATA");
  command
      .add_option(
          "--listen", flags.listen, "[tls:]HOST:PORT of the binary protocol; may be repeated")
      ->envname("EDGED_LISTEN");
  command.add_option("--unix", flags.unix_path, "Path of the node's unix socket")
      ->envname("EDGED_UNIX");
  command.add_option("--http", flags.http, "[tls:]HOST:PORT of the node's HTTP")
      ->envname("EDGED_HTTP");
  command
      .add_option("--tls-certificate",
                  flags.tls_certificate,
                  "PEM file for tls: addresses: the certificate and what leads to its authority")
      ->envname("EDGED_TLS_CERTIFICATE");
  command.add_option("--tls-key", flags.tls_key, "PEM file with its key")->envname("EDGED_TLS_KEY");
  command
      .add_option(
          "--recovery",
          flags.recovery,
          "If acknowledged writes are missing: strict (refuse) or cache (start without them)")
      ->check(CLI::IsMember({"strict", "cache"}))
      ->envname("EDGED_RECOVERY");
  command.add_option("--binding", flags.binding, "Not in this version: the Workers binding face")
      ->check([](const std::string&) {
        return std::string("the Workers binding face is not in this version");
      });
  command.add_flag("--dev",
                   flags.dev,
                   "Data in a temporary directory, preview_ids, configured namespaces created");
  command.add_flag("--insecure",
                   flags.insecure,
                   "Allow addresses other than loopback, although anyone who reaches them gets in");
}

void add_worker_flags(CLI::App& command, Flags& flags) {
  command.add_option("--worker-http", flags.worker_http, "HOST:PORT of the worker's HTTP")
      ->envname("EDGED_WORKER_HTTP");
  command.add_option("--state-dir", flags.state_dir, "The worker's state directory")
      ->envname("EDGED_STATE_DIR");
}

std::optional<config::Config> load_or_report(const Flags& flags,
                                             const std::string& command,
                                             config::Scope scope) {
  const config::Loaded loaded = config::load_config(request_of(flags, scope));
  if (!loaded.errors.empty()) {
    const std::size_t more = loaded.errors.size() - 1;
    std::fprintf(
        stderr,
        "edged %s: %s%s\n",
        command.c_str(),
        loaded.errors.front().to_string().c_str(),
        more == 0
            ? ""
            : (" (and " + std::to_string(more) + " more: edged check-config lists them)").c_str());
    return std::nullopt;
  }
  log::init(command, loaded.config.log_level);
  for (const std::string& warning : loaded.warnings) log::warn(warning);
  return loaded.config;
}

std::function<void()> reloader(const Flags& flags, config::Scope scope) {
  return [flags, scope] {
    const config::Loaded loaded = config::load_config(request_of(flags, scope));
    if (!loaded.errors.empty()) {
      log::error("configuration not reloaded: " + loaded.errors.front().to_string());
      return;
    }
    log::set_level(loaded.config.log_level);
    log::info("configuration reloaded: the log level; anything else needs a restart");
  };
}

}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/config_parse.h"

#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "proto/base/numbers.h"
#include "proto/base/printable.h"
#include "proto/base/read_file.h"
#include "proto/base/units.h"
#include "tools/edged/config_changes.h"
#include "tools/edged/config_check.h"
#include "tools/edged/config_secrets.h"
#include "tools/edged/config_sections.h"
#include "tools/edged/config_wrangler.h"

namespace edged::config {
namespace {

constexpr std::size_t kConfigBytesMax = 1 << 20;  // as json_document.h has it
constexpr const char* kOwnFile = "edged.jsonc";
constexpr const char* kWranglerFiles[] = {"wrangler.json", "wrangler.jsonc"};  // wrangler's order
constexpr const char* kSystemFile = "/etc/edged/edged.jsonc";

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// False after a complaint about the whole file. `found_by_itself`: nobody named it.
bool read_tree(const std::string& file,
               bool found_by_itself,
               ReadContext& context,
               Json& document) {
  const auto complain = [&](const std::string& why) {
    context.errors.push_back({file, {}, {}, "could not read configuration: " + why});
    return false;
  };
  const Result<FileContent> content = read_small_file(file, kConfigBytesMax);
  if (!content) return complain(content.error().message());
  if (found_by_itself) {
    const std::string why = why_not_own_file(file, *content);
    if (!why.empty()) {
      context.distrusted = why;
      return complain("it was found in the working directory, and " + why +
                      ". If it is meant, name it with -c " + file);
    }
  }
  JsonError error;
  if (!parse_jsonc(content->bytes, document, error)) {
    context.errors.push_back({file, error.position, {}, error.message});
    return false;
  }
  const bool wrangler = is_wrangler_file(file);
  if (!wrangler) rename_keys(document, renamed_keys(), context);
  note_values(document, wrangler, context.written);
  if ((content->mode & S_IROTH) != 0) warn_of_secrets(document, context);
  return true;
}

std::string find_file(const LoadRequest& request) {
  if (!request.file.empty()) return request.file;
  std::vector<const char*> files{kOwnFile};
  // `edged node --dev` in the directory of a Worker.
  if (request.overrides.dev && request.scope == Scope::kNode) {
    files.insert(files.end(), std::begin(kWranglerFiles), std::end(kWranglerFiles));
  }
  files.push_back(kSystemFile);
  std::error_code ignored;
  for (const char* file : files) {
    if (std::filesystem::exists(file, ignored)) return file;
  }
  return {};
}

// One line about the keys that edged does not use; empty: there are none.
std::string describe_ignored(const std::string& file, const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) {
    text +=
        (text.empty() ? file + ": edged does not use these keys and ignores them: " : ", ") + key;
  }
  return text;
}

WranglerUse wrangler_use(const LoadRequest& request) {
  return {
      request.overrides.wrangler_environment.value_or(""), request.overrides.dev, request.scope};
}

// Reads context.file. What describe_ignored() says of it.
std::string read_wrangler_file(const LoadRequest& request,
                               bool found_by_itself,
                               ReadContext& context,
                               Config& config) {
  Json document;
  if (read_tree(context.file, found_by_itself, context, document)) {
    read_wrangler(document, wrangler_use(request), context, config);
  }
  return describe_ignored(context.file, context.ignored);
}

// Returns what describe_ignored() says of the wrangler file.
std::string read_files(const LoadRequest& request,
                       const std::string& file,
                       bool found_by_itself,
                       ReadContext& context,
                       Config& config) {
  context.file = file;
  if (is_wrangler_file(file)) return read_wrangler_file(request, found_by_itself, context, config);
  Json document;
  if (!read_tree(file, found_by_itself, context, document)) return {};
  const std::string wrangler = read_document(document, request.scope, context, config);
  if (wrangler.empty()) {
    if (!request.overrides.wrangler_environment) return {};
    context.errors.push_back(
        {file,
         {},
         {},
         "--env names an environment of wrangler, and this file names no wrangler file"});
    return {};
  }
  if (wrangler.ends_with(".toml")) {
    context.complain(
        "wrangler",
        "\"" + wrangler +
            "\" is TOML, and edged reads JSON: name a wrangler.jsonc or wrangler.json, or "
            "write kv_namespaces, triggers and queues here");
    return {};
  }
  // Relative to the file that names it.
  context.file = (std::filesystem::path(file).parent_path() / wrangler).string();
  std::string ignored = read_wrangler_file(request, false, context, config);
  context.file = file;
  return ignored;
}

// Complaints about `path` must not point at what stands in the file.
void place_at_flag(const std::string& path, const std::string& origin, ReadContext& context) {
  context.places[path] = {};
  context.places[path].origin = origin;
}

void replace(const std::string& path,
             const std::optional<std::string>& by,
             const std::string& origin,
             ReadContext& context,
             std::string& value) {
  if (!by) return;
  value = *by;
  place_at_flag(path, origin, context);
}

void replace_choice(const std::string& path,
                    const std::optional<std::string>& by,
                    const std::string& origin,
                    const std::array<std::string, 2>& allowed,
                    ReadContext& context,
                    std::string& value) {
  replace(path, by, origin, context, value);
  if (!by || *by == allowed[0] || *by == allowed[1]) return;
  context.complain(path, "\"" + *by + "\" is not one of " + allowed[0] + ", " + allowed[1]);
}

void replace_size(const std::string& path,
                  const std::optional<std::string>& by,
                  const std::string& origin,
                  ReadContext& context,
                  std::uint64_t& value) {
  if (!by) return;
  place_at_flag(path, origin, context);
  const auto size = parse_size(*by);
  if (size) value = *size;
  if (!size) context.complain(path, size.error().message());
}

void apply_node(const Overrides& overrides, ReadContext& context, Node& node) {
  replace("node.data_dir", overrides.data_dir, "--data or EDGED_DATA", context, node.data_dir);
  replace("node.unix", overrides.unix_path, "--unix or EDGED_UNIX", context, node.unix_path);
  replace("node.http", overrides.http, "--http or EDGED_HTTP", context, node.http);
  replace("node.binding", overrides.binding, "--binding or EDGED_BINDING", context, node.binding);
  replace("node.redis", overrides.redis, "--redis or EDGED_REDIS", context, node.redis);
  replace("node.tls.certificate",
          overrides.tls_certificate,
          "--tls-certificate or EDGED_TLS_CERTIFICATE",
          context,
          node.tls_certificate);
  replace("node.tls.key", overrides.tls_key, "--tls-key or EDGED_TLS_KEY", context, node.tls_key);
  replace_choice("node.recovery",
                 overrides.recovery,
                 "--recovery or EDGED_RECOVERY",
                 {"strict", "cache"},
                 context,
                 node.recovery);
  replace_choice("node.durability",
                 overrides.durability,
                 "--durability or EDGED_DURABILITY",
                 {"wal", "sync"},
                 context,
                 node.durability);
  replace_size("node.memory_budget",
               overrides.memory_budget,
               "--memory-budget or EDGED_MEMORY_BUDGET",
               context,
               node.memory_budget_bytes);
  replace_size("node.disk_quota",
               overrides.disk_quota,
               "--disk-quota or EDGED_DISK_QUOTA",
               context,
               node.disk_quota_bytes);
  if (overrides.io_threads) {
    place_at_flag("node.io_threads", "--io-threads or EDGED_IO_THREADS", context);
    const auto threads = parse_uint64(*overrides.io_threads, 0, kIoThreadsMax);
    if (threads) node.io_threads = static_cast<int>(*threads);
    if (!threads) context.complain("node.io_threads", threads.error().message());
  }
  if (!overrides.listen.empty()) node.listen.resize(overrides.listen.size());
  for (std::size_t i = 0; i < overrides.listen.size(); ++i) {
    const std::string path = "node.listen[" + std::to_string(i) + "]";
    replace(path, overrides.listen[i], "--listen or EDGED_LISTEN", context, node.listen[i]);
  }
}

void apply(const Overrides& overrides, ReadContext& context, Config& config) {
  apply_node(overrides, context, config.node);
  replace("worker.http",
          overrides.worker_http,
          "--worker-http or EDGED_WORKER_HTTP",
          context,
          config.worker.http);
  replace("worker.state_dir",
          overrides.worker_state_dir,
          "--state-dir or EDGED_STATE_DIR",
          context,
          config.worker.state_dir);
  if (overrides.log_level && !log::parse_level(*overrides.log_level, config.log_level)) {
    context.errors.push_back(
        {{},
         {},
         "log_level",
         "\"" + *overrides.log_level +
             "\" is not one of debug, info, warn, error, off (set by --log-level or "
             "EDGED_LOG_LEVEL)"});
  }
  // ports.json and messages may be read by a program with another working directory.
  std::error_code ignored;
  if (!config.node.data_dir.empty()) {
    config.node.data_dir = std::filesystem::absolute(config.node.data_dir, ignored).string();
  }
  config.dev = overrides.dev;
  config.dev_database = overrides.dev_database.value_or("");
  if (overrides.dev_database && !overrides.dev) {
    context.errors.push_back(
        {{}, {}, "--dev-database", "needs --dev: without it the worker uses the database anyway"});
  }
  config.insecure = overrides.insecure;
}

}  // namespace

Loaded load_config(const LoadRequest& request) {
  WrittenValues unused;
  return load_config(request, unused);
}

Loaded load_config(const LoadRequest& request, WrittenValues& written) {
  ReadContext context;
  context.environment = request.environment ? request.environment : process_environment;
  context.check_postgres_url = request.check_postgres_url;
  Loaded loaded;
  loaded.config.file = find_file(request);
  std::string ignored_keys;
  if (!loaded.config.file.empty()) {
    // Only root decides what is in /etc.
    const bool found_by_itself = request.file.empty() && loaded.config.file != kSystemFile;
    ignored_keys = read_files(request, loaded.config.file, found_by_itself, context, loaded.config);
  } else if (!request.file_optional) {
    context.errors.push_back(
        {{},
         {},
         {},
         "no configuration file: neither ./edged.jsonc nor /etc/edged/edged.jsonc exists. Name one "
         "with -c FILE or EDGED_CONFIG"});
  }
  apply(request.overrides, context, loaded.config);
  if (context.errors.empty()) check_config(loaded.config, request.scope, context);
  written = std::move(context.written);
  loaded.errors = std::move(context.errors);
  loaded.distrusted = std::move(context.distrusted);
  for (const std::string& warning : context.warnings) {
    loaded.warnings.push_back(printable(warning));
  }
  loaded.ignored_keys = printable(ignored_keys);
  return loaded;
}

}  // namespace edged::config

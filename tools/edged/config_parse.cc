// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/config_parse.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "tools/edged/config_check.h"
#include "tools/edged/config_sections.h"

namespace edged::config {
namespace {

constexpr const char* kDefaultFiles[] = {"edged.jsonc", "/etc/edged/edged.jsonc"};

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// False after a complaint about the whole file.
bool read_tree(const std::string& file, ReadContext& context, Json& document) {
  std::error_code ignored;
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (std::filesystem::is_directory(file, ignored)) {
    context.errors.push_back({file, {}, {}, "could not read configuration: it is a directory"});
    return false;
  }
  std::ostringstream text;
  if (stream) text << stream.rdbuf();
  if (!stream) {
    context.errors.push_back(
        {file, {}, {}, std::string("could not read configuration: ") + std::strerror(errno)});
    return false;
  }
  JsonError error;
  if (parse_jsonc(text.str(), document, error)) return true;
  context.errors.push_back({file, error.position, {}, error.message});
  return false;
}

std::string find_file(const LoadRequest& request) {
  if (!request.file.empty()) return request.file;
  std::error_code ignored;
  for (const char* file : kDefaultFiles) {
    if (std::filesystem::exists(file, ignored)) return file;
  }
  return {};
}

void read_files(const std::string& file, Scope scope, ReadContext& context, Config& config) {
  Json document;
  context.file = file;
  if (!read_tree(file, context, document)) return;
  const std::string wrangler = read_document(document, scope, context, config);
  if (wrangler.empty()) return;
  // Relative to the file that names it.
  context.file = (std::filesystem::path(file).parent_path() / wrangler).string();
  Json wrangler_document;
  if (read_tree(context.file, context, wrangler_document)) {
    read_wrangler(wrangler_document, context, config);
  }
  context.file = file;
}

// Complaints about `path` must not point at what stands in the file.
void replace(const std::string& path,
             const std::optional<std::string>& by,
             ReadContext& context,
             std::string& value) {
  if (!by) return;
  value = *by;
  context.places[path] = {};
}

void apply(const Overrides& overrides, ReadContext& context, Config& config) {
  replace("node.data_dir", overrides.data_dir, context, config.node.data_dir);
  replace("node.unix", overrides.unix_path, context, config.node.unix_path);
  replace("node.http", overrides.http, context, config.node.http);
  replace("node.tls.certificate", overrides.tls_certificate, context, config.node.tls_certificate);
  replace("node.tls.key", overrides.tls_key, context, config.node.tls_key);
  replace("node.recovery", overrides.recovery, context, config.node.recovery);
  replace("worker.http", overrides.worker_http, context, config.worker.http);
  replace("worker.state_dir", overrides.worker_state_dir, context, config.worker.state_dir);
  if (!overrides.listen.empty()) config.node.listen.resize(overrides.listen.size());
  for (std::size_t i = 0; i < overrides.listen.size(); ++i) {
    const std::string path = "node.listen[" + std::to_string(i) + "]";
    replace(path, overrides.listen[i], context, config.node.listen[i]);
  }
  if (overrides.log_level && !log::parse_level(*overrides.log_level, config.log_level)) {
    context.errors.push_back(
        {{},
         {},
         "log level",
         "\"" + *overrides.log_level + "\" is not one of debug, info, warn, error, off"});
  }
  // Whoever reads ports.json or an error may stand elsewhere.
  std::error_code ignored;
  if (!config.node.data_dir.empty()) {
    config.node.data_dir = std::filesystem::absolute(config.node.data_dir, ignored).string();
  }
  config.dev = overrides.dev;
  config.insecure = overrides.insecure;
}

}  // namespace

Loaded load_config(const LoadRequest& request) {
  ReadContext context;
  context.environment = request.environment ? request.environment : process_environment;
  Loaded loaded;
  loaded.config.file = find_file(request);
  if (!loaded.config.file.empty()) {
    read_files(loaded.config.file, request.scope, context, loaded.config);
  } else if (!request.file_optional) {
    context.errors.push_back(
        {{},
         {},
         {},
         "no configuration: neither ./edged.jsonc nor /etc/edged/edged.jsonc exists. Name one "
         "with -c FILE"});
  }
  apply(request.overrides, context, loaded.config);
  if (context.errors.empty()) check_config(loaded.config, request.scope, context);
  loaded.errors = std::move(context.errors);
  loaded.warnings = std::move(context.warnings);
  return loaded;
}

}  // namespace edged::config

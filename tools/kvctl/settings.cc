// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/settings.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "tools/edged/config_parse.h"

namespace edged::kvctl {

const config::KvNamespace* Settings::find_binding(const std::string& binding) const {
  for (const config::KvNamespace& kv : namespaces) {
    if (kv.binding == binding) return &kv;
  }
  return nullptr;
}

const config::KvNamespace* Settings::default_namespace() const {
  if (namespaces.size() == 1) return &namespaces.front();
  return find_binding(mirror_namespace.empty() ? "KV" : mirror_namespace);
}

namespace {

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

// What a node that is started in this environment would use.
config::Overrides overrides_of_environment() {
  config::Overrides overrides;
  overrides.data_dir = variable("EDGED_DATA");
  overrides.unix_path = variable("EDGED_UNIX");
  if (auto listen = variable("EDGED_LISTEN")) overrides.listen.push_back(*std::move(listen));
  return overrides;
}

}  // namespace

Result<Settings> read_settings(const std::string& file) {
  config::LoadRequest request;
  request.file = file;
  request.file_optional = true;
  request.scope = config::Scope::kNode;
  request.overrides = overrides_of_environment();
  const bool has_overrides = request.overrides.data_dir || request.overrides.unix_path ||
                             !request.overrides.listen.empty();
  config::Loaded loaded = config::load_config(request);
  if (!loaded.distrusted.empty()) {
    // Its owner would name the address that gets the token.
    std::fprintf(stderr,
                 "kvctl: ./%s is ignored: %s. If it is meant, name it with -c %s\n",
                 loaded.config.file.c_str(),
                 loaded.distrusted.c_str(),
                 loaded.config.file.c_str());
    loaded.config.file.clear();  // nothing of it was read
    loaded.errors.clear();
  }
  Settings settings;
  for (const config::Complaint& error : loaded.errors) {
    const Status problem(Code::kInvalidArgument, error.to_string());
    // A complaint without a path is about the whole file: nothing was read.
    if (error.path.empty()) return problem;
    const bool replaced = request.overrides.data_dir || request.overrides.unix_path;
    if (!replaced && (error.path == "node.data_dir" || error.path == "node.unix")) {
      settings.address_problem = problem;
    }
    if (error.path.starts_with("kv_namespaces") || error.path == "mirror.namespace") {
      settings.namespace_problem = problem;
    }
  }
  settings.file = loaded.config.file;
  settings.named = !file.empty();
  if (settings.file.empty() && !has_overrides) return settings;
  settings.addresses.push_back("unix:" + loaded.config.unix_path());
  for (const std::string& listen : loaded.config.node.listen) settings.addresses.push_back(listen);
  settings.namespaces = std::move(loaded.config.kv_namespaces);
  settings.mirror_namespace = std::move(loaded.config.mirror.kv_namespace);
  return settings;
}

}  // namespace edged::kvctl

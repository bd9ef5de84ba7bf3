// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/config_wrangler.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <utility>

#include "proto/base/hash.h"
#include "proto/base/hex.h"
#include "tools/edged/config_check.h"
#include "tools/edged/config_sections.h"

namespace edged::config {
namespace {

// Of the schema that wrangler 4.164.0 ships (config-schema.json), RawConfig.
constexpr std::array kWranglerKeys = std::to_array<std::string_view>({
    "$schema",
    "access",
    "account_id",
    "addresses",
    "agent_memory",
    "ai",
    "ai_search",
    "ai_search_namespaces",
    "alias",
    "analytics",
    "analytics_engine_datasets",
    "artifacts",
    "assets",
    "base_dir",
    "browser",
    "build",
    "cache",
    "cloudchamber",
    "compatibility_date",
    "compatibility_flags",
    "compliance_region",
    "connect",
    "containers",
    "d1_databases",
    "data_blobs",
    "define",
    "dependencies_instrumentation",
    "dev",
    "dispatch_namespaces",
    "durable_objects",
    "env",
    "exports",
    "find_additional_modules",
    "first_party_worker",
    "flagship",
    "hyperdrive",
    "images",
    "jsx_factory",
    "jsx_fragment",
    "k2",
    "keep_names",
    "keep_vars",
    "kv_namespaces",
    "limits",
    "logfwdr",
    "logpush",
    "main",
    "media",
    "migrations",
    "minify",
    "mtls_certificates",
    "name",
    "no_bundle",
    "observability",
    "pages_build_output_dir",
    "pipelines",
    "placement",
    "preserve_file_names",
    "preview_urls",
    "previews",
    "python_modules",
    "queues",
    "r2_buckets",
    "ratelimits",
    "route",
    "routes",
    "rules",
    "secrets",
    "secrets_store_secrets",
    "send_email",
    "send_metrics",
    "services",
    "site",
    "stream",
    "streaming_tail_consumers",
    "tail_consumers",
    "text_blobs",
    "triggers",
    "tsconfig",
    "unsafe",
    "unsafe_hello_world",
    "upload_source_maps",
    "vars",
    "vectorize",
    "version_metadata",
    "vpc_networks",
    "vpc_services",
    "wasm_modules",
    "worker_loaders",
    "workers_dev",
    "workflows",
});

std::string in_quotes(const std::string& text) {
  std::string out = "\"";
  return out.append(text).append("\"");
}

std::string member_path(const std::string& path, std::string_view key) {
  std::string out = path;
  if (!out.empty()) out += '.';
  return out.append(key);
}

// A misspelt key is not refused, because a newer wrangler may know it.
void warn_of_unknown(const Json& section, const std::string& path, ReadContext& context) {
  for (const Json::Member& member : section.members) {
    if (std::find(kWranglerKeys.begin(), kWranglerKeys.end(), member.key) != kWranglerKeys.end()) {
      continue;
    }
    const Complaint unknown{
        context.file,
        member.value.position,
        member_path(path, member.key),
        "wrangler does not know this key, and edged ignores it. Is it misspelt?"};
    context.warnings.push_back(unknown.to_string());
  }
}

// The environments by name; null: there are none.
const Json* environments_of(const Json& document) {
  const Json* env = document.find("env");
  return env == nullptr || env->kind != Json::Kind::kObject ? nullptr : env;
}

// "production, staging"
std::string names_of(const Json* environments) {
  std::string names;
  if (environments == nullptr) return "none";
  for (const Json::Member& one : environments->members) {
    names.append(names.empty() ? "" : ", ").append(one.key);
  }
  return names.empty() ? "none" : names;
}

// Complains if it is not there.
const Json* find_environment(const Json& document, const std::string& name, ReadContext& context) {
  const Json* environments = environments_of(document);
  const Json* found = environments == nullptr ? nullptr : environments->find(name);
  if (found != nullptr && found->kind == Json::Kind::kObject) return found;
  context.complain("env",
                   "there is no environment " + in_quotes(name) +
                       ", which --env names. There is: " + names_of(environments));
  return nullptr;
}

void read_section(const Json& section,
                  const std::string& path,
                  ReadContext& context,
                  Config& config) {
  const std::size_t before = context.ignored.size();
  ObjectReader reader(section, "", context);
  read_shared_keys(reader, context, true, config);
  reader.ignore("env");
  reader.finish(true);
  if (path.empty()) return;
  for (std::size_t i = before; i < context.ignored.size(); ++i) {
    context.ignored[i] = member_path(path, context.ignored[i]);
  }
}

// What is wrong in an environment that is not used, under its own path.
void check_environment(const Json& section, const std::string& path, ReadContext& context) {
  ReadContext apart;
  apart.file = context.file;
  apart.environment = context.environment;
  Config unused;
  read_section(section, "", apart, unused);
  for (Complaint& error : apart.errors) {
    error.path = member_path(path, error.path);
    context.errors.push_back(std::move(error));
  }
}

// A namespace id made of `text`: 32 hexadecimal digits, the same at each start. For wrangler files
// whose "id" is no id, such as "<YOUR_ID>".
std::string stand_in_id(std::string_view text) {
  std::string digits;
  for (const std::string_view half : {"1", "2"}) {
    std::string salted(half);
    salted.append(text).append(half);
    const std::uint64_t hash = fnv1a_64(salted);
    std::string bytes;
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes += static_cast<char>(static_cast<unsigned char>(hash >> shift));
    }
    digits += to_hex(bytes);
  }
  return digits;
}

// `wrangler dev` takes any text as an id, and the binding if there is none.
void settle_dev_ids(Config& config, ReadContext& context) {
  for (KvNamespace& kv : config.kv_namespaces) {
    std::string wanted = kv.preview_id.empty() ? kv.id : kv.preview_id;
    if (wanted.empty()) wanted = kv.binding;
    if (!is_namespace_id(wanted)) {
      const std::string id = stand_in_id(wanted);
      context.warnings.push_back(context.file + ": the binding " + in_quotes(kv.binding) +
                                 " has no id of 32 hexadecimal digits. With --dev its namespace " +
                                 "has the id " + id);
      wanted = id;
    }
    kv.id = wanted;
    kv.preview_id.clear();
  }
}

void require_ids(const Config& config, ReadContext& context) {
  for (std::size_t i = 0; i < config.kv_namespaces.size(); ++i) {
    if (!config.kv_namespaces[i].id.empty()) continue;
    std::string path = "kv_namespaces[";
    path.append(std::to_string(i)).append("].id");
    context.complain(path,
                     "is missing. wrangler would create a namespace when it deploys. Create one on "
                     "the node with \"kvctl namespace create TITLE\" and write its id here");
  }
}

}  // namespace

bool is_wrangler_file(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  return name.starts_with("wrangler.") && (name.ends_with(".json") || name.ends_with(".jsonc"));
}

void read_wrangler(const Json& document,
                   const WranglerUse& use,
                   ReadContext& context,
                   Config& config) {
  const Json* used = &document;
  const std::string path = use.environment.empty() ? "" : member_path("env", use.environment);
  if (!use.environment.empty()) used = find_environment(document, use.environment, context);
  if (used == nullptr) return;
  read_section(*used, path, context, config);
  warn_of_unknown(*used, path, context);
  if (used != &document) {
    Config top;
    read_section(document, "", context, top);
    warn_of_unknown(document, "", context);
    if (used->find("triggers") == nullptr) config.triggers_crons = top.triggers_crons;
  }
  if (use.dev) settle_dev_ids(config, context);
  if (!use.dev) require_ids(config, context);
  const Json* environments = environments_of(document);
  if (use.scope != Scope::kCheck || environments == nullptr) return;
  for (const Json::Member& one : environments->members) {
    const std::string place = member_path("env", one.key);
    if (&one.value == used || one.value.kind != Json::Kind::kObject) continue;
    check_environment(one.value, place, context);
    warn_of_unknown(one.value, place, context);
  }
}

}  // namespace edged::config

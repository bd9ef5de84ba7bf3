// SPDX-License-Identifier: Apache-2.0
#include "kvstore/access/scope.h"

#include <utility>

namespace edged::access {
namespace {

constexpr std::pair<Scope, std::string_view> kNames[] = {
    {Scope::kRead, "read"},
    {Scope::kWrite, "write"},
    {Scope::kDelete, "delete"},
    {Scope::kList, "list"},
    {Scope::kAdmin, "admin"},
    {Scope::kMetrics, "metrics"},
    {Scope::kQueue, "queue"},
};
constexpr std::size_t kShownBytesMax = 64;

}  // namespace

std::string_view scope_name(Scope scope) {
  for (const auto& [known, name] : kNames) {
    if (known == scope) return name;
  }
  return "unknown";
}

std::vector<std::string_view> scope_names(Scopes scopes) {
  std::vector<std::string_view> names;
  for (const auto& [scope, name] : kNames) {
    if (scopes.has(scope)) names.push_back(name);
  }
  return names;
}

std::string to_text(Scopes scopes) {
  std::string text;
  for (const std::string_view name : scope_names(scopes)) {
    text += text.empty() ? "" : ",";
    text += name;
  }
  return text;
}

Status add_scope(std::string_view name, Scopes& scopes) {
  for (const auto& [scope, known] : kNames) {
    if (known != name) continue;
    if (scopes.has(scope)) {
      return {Code::kInvalidArgument, "scope \"" + std::string(name) + "\" is named twice"};
    }
    scopes.add(scope);
    return {};
  }
  return {Code::kInvalidArgument,
          "scope \"" + std::string(name.substr(0, kShownBytesMax)) +
              "\" is not one of read, write, delete, list, admin, metrics, queue"};
}

Result<Scopes> parse_scopes(std::string_view text) {
  Scopes scopes;
  for (;;) {
    const std::size_t comma = text.find(',');
    const Status added = add_scope(text.substr(0, comma), scopes);
    if (!added.ok()) return added;
    if (comma == std::string_view::npos) return scopes;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace edged::access

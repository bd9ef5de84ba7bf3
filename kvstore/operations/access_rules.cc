// SPDX-License-Identifier: Apache-2.0
#include "kvstore/operations/access_rules.h"

#include <array>

namespace edged::operations {
namespace {

using access::Scope;

struct Row {
  Kind kind;
  std::string_view name;
  AccessRule rule;
};

constexpr std::array<Row, kKinds> kRows{{
    {Kind::kGet, "get", {{Scope::kRead}, {}, Reach::kKey}},
    {Kind::kGetMany, "get_many", {{Scope::kRead}, {}, Reach::kItems}},
    {Kind::kList, "list", {{Scope::kList}, {}, Reach::kPrefix}},
    {Kind::kPut, "put", {{Scope::kWrite}, {}, Reach::kKey}},
    {Kind::kDelete, "delete", {{Scope::kDelete}, {}, Reach::kKey}},
    {Kind::kTouch, "touch", {{Scope::kWrite}, {}, Reach::kKey}},
    {Kind::kGetAndTouch, "get_and_touch", {{Scope::kRead, Scope::kWrite}, {}, Reach::kKey}},
    {Kind::kAdd, "add", {{Scope::kWrite}, {}, Reach::kKey}},
    {Kind::kCheck, "check", {{Scope::kRead}, {}, Reach::kKey}},
    {Kind::kPutMany, "put_many", {{Scope::kWrite}, {}, Reach::kItems}},
    {Kind::kDeleteMany, "delete_many", {{Scope::kDelete}, {}, Reach::kItems}},
    {Kind::kBatch, "batch", {{}, {}, Reach::kItems}},
    {Kind::kWatch, "watch", {{Scope::kRead, Scope::kList}, {}, Reach::kPrefix}},
    {Kind::kOpen, "open", {{}, {}, Reach::kName}},
    {Kind::kNamespaceCreate, "namespace_create", {{Scope::kAdmin}, {}, Reach::kNewNamespace}},
    {Kind::kNamespaceList, "namespace_list", {{}, {}, Reach::kNothing}},
    // A title belongs to the node: it takes the title from others, and tells which are taken.
    {Kind::kNamespaceRename, "namespace_rename", {{Scope::kAdmin}, {}, Reach::kNode}},
    {Kind::kNamespaceDelete, "namespace_delete", {{Scope::kAdmin}, {}, Reach::kWholeNamespace}},
    {Kind::kNamespaceClear, "namespace_clear", {{Scope::kAdmin}, {}, Reach::kWholeNamespace}},
    {Kind::kNamespaceUsage, "namespace_usage", {{Scope::kAdmin}, {}, Reach::kWholeNamespace}},
    // It tells of every namespace, as does /metrics.
    {Kind::kStats, "stats", {{Scope::kMetrics}, {}, Reach::kNode}},
    {Kind::kClockConfirm, "clock_confirm", {{Scope::kAdmin}, {}, Reach::kNode}},
    {Kind::kTokens, "tokens", {{Scope::kAdmin}, {}, Reach::kNode}},
    {Kind::kSession, "session", {{}, {}, Reach::kNothing}},
    // Namespaces and prefix limit keys; queues have none.
    {Kind::kQueues, "queues", {{Scope::kQueue}, {}, Reach::kNothing}},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].kind) != i) return false;
  }
  return true;
}
static_assert(in_order(), "a row's place is its kind's number");

const Row& row_of(Kind kind) {
  return kRows[static_cast<std::size_t>(kind)];
}

}  // namespace

const AccessRule& rule_of(Kind kind) {
  return row_of(kind).rule;
}

std::string_view kind_name(Kind kind) {
  return row_of(kind).name;
}

std::string missing_scopes(const AccessRule& rule, access::Scopes have) {
  access::Scopes missing;
  bool any_held = rule.any.empty();
  for (const Scope scope : {Scope::kRead,
                            Scope::kWrite,
                            Scope::kDelete,
                            Scope::kList,
                            Scope::kAdmin,
                            Scope::kMetrics,
                            Scope::kQueue}) {
    if (rule.all.has(scope) && !have.has(scope)) missing.add(scope);
    any_held = any_held || (rule.any.has(scope) && have.has(scope));
  }
  if (!missing.empty() || any_held) return access::to_text(missing);
  std::string text;
  for (const std::string_view name : access::scope_names(rule.any)) {
    text += text.empty() ? "" : " or ";
    text += name;
  }
  return text;
}

}  // namespace edged::operations

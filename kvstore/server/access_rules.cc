// SPDX-License-Identifier: Apache-2.0
#include "kvstore/server/access_rules.h"

#include <array>
#include <optional>
#include <utility>

namespace edged::server {
namespace {

using access::Scope;
using wire::Opcode;

constexpr std::pair<Opcode, AccessRule> kRules[] = {
    {Opcode::kGet, {{Scope::kRead}, {}, Reach::kKey}},
    {Opcode::kPut, {{Scope::kWrite}, {}, Reach::kKey}},
    {Opcode::kPutIfAbsent, {{Scope::kWrite}, {}, Reach::kKey}},
    {Opcode::kPutIfPresent, {{Scope::kWrite}, {}, Reach::kKey}},
    {Opcode::kPutIfVersion, {{Scope::kWrite}, {}, Reach::kKey}},
    {Opcode::kDelete, {{Scope::kDelete}, {}, Reach::kKey}},
    {Opcode::kDeleteIfVersion, {{Scope::kDelete}, {}, Reach::kKey}},
    {Opcode::kTouch, {{Scope::kWrite}, {}, Reach::kKey}},
    {Opcode::kGetAndTouch, {{Scope::kRead, Scope::kWrite}, {}, Reach::kKey}},
    {Opcode::kAdd, {{Scope::kWrite}, {}, Reach::kKey}},
    {Opcode::kMultiGet, {{Scope::kRead}, {}, Reach::kItems}},
    {Opcode::kMultiPut, {{Scope::kWrite}, {}, Reach::kItems}},
    {Opcode::kMultiDelete, {{Scope::kDelete}, {}, Reach::kItems}},
    {Opcode::kList, {{Scope::kList}, {}, Reach::kPrefix}},
    {Opcode::kLeasePut, {{Scope::kWrite}, {}, Reach::kKey}},
    {Opcode::kInvalidate, {{Scope::kDelete}, {}, Reach::kKey}},
    {Opcode::kBatch, {{}, {}, Reach::kItems}},
    {Opcode::kCheckPresent, {{Scope::kRead}, {}, Reach::kKey}},
    {Opcode::kCheckAbsent, {{Scope::kRead}, {}, Reach::kKey}},
    {Opcode::kCheckVersion, {{Scope::kRead}, {}, Reach::kKey}},
    {Opcode::kOpen, {{}, {}, Reach::kName}},
    {Opcode::kAuth, {{}, {}, Reach::kNothing}},
    {Opcode::kPing, {{}, {}, Reach::kNothing}},
    // It tells of every namespace, as does /metrics.
    {Opcode::kStats, {{Scope::kMetrics}, {}, Reach::kNode}},
    {Opcode::kWatch, {{Scope::kRead, Scope::kList}, {}, Reach::kPrefix}},
    {Opcode::kCancel, {{}, {}, Reach::kNothing}},
    {Opcode::kGoAway, {{}, {}, Reach::kNothing}},
    {Opcode::kNamespaceCreate, {{Scope::kAdmin}, {}, Reach::kNewNamespace}},
    {Opcode::kNamespaceList, {{}, {}, Reach::kNothing}},
    // A title belongs to the node: it takes the title from others, and tells which are taken.
    {Opcode::kNamespaceRename, {{Scope::kAdmin}, {}, Reach::kNode}},
    {Opcode::kNamespaceDelete, {{Scope::kAdmin}, {}, Reach::kWholeNamespace}},
    {Opcode::kNamespaceClear, {{Scope::kAdmin}, {}, Reach::kWholeNamespace}},
    {Opcode::kNamespaceUsage, {{Scope::kAdmin}, {}, Reach::kWholeNamespace}},
    {Opcode::kClockConfirm, {{Scope::kAdmin}, {}, Reach::kNode}},
    {Opcode::kTokenCreate, {{Scope::kAdmin}, {}, Reach::kNode}},
    {Opcode::kTokenList, {{Scope::kAdmin}, {}, Reach::kNode}},
    {Opcode::kTokenRevoke, {{Scope::kAdmin}, {}, Reach::kNode}},
};

}  // namespace

const AccessRule* access_rule(Opcode opcode) {
  static const auto table = [] {
    std::array<const AccessRule*, 256> rules{};
    for (const auto& [known, rule] : kRules) rules[static_cast<std::uint8_t>(known)] = &rule;
    return rules;
  }();
  return table[static_cast<std::uint8_t>(opcode)];
}

access::Scopes scopes_of_flags(Opcode opcode, std::uint16_t flags) {
  access::Scopes scopes;
  if (opcode == Opcode::kList && (flags & wire::kFlagWithValues) != 0) scopes.add(Scope::kRead);
  if (opcode == Opcode::kGet && (flags & wire::kFlagLease) != 0) scopes.add(Scope::kWrite);
  return scopes;
}

std::string missing_scopes(const AccessRule& rule, access::Scopes have) {
  access::Scopes missing;
  bool any_held = rule.any.empty();
  for (const Scope scope : {Scope::kRead,
                            Scope::kWrite,
                            Scope::kDelete,
                            Scope::kList,
                            Scope::kAdmin,
                            Scope::kMetrics}) {
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

}  // namespace edged::server

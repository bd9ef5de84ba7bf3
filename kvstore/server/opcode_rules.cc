// SPDX-License-Identifier: Apache-2.0
#include "kvstore/server/opcode_rules.h"

#include <array>
#include <utility>

namespace edged::server {
namespace {

using access::Scope;
using operations::Kind;
using wire::Opcode;

constexpr std::pair<Opcode, Kind> kKinds[] = {
    {Opcode::kGet, Kind::kGet},
    {Opcode::kPut, Kind::kPut},
    {Opcode::kPutIfAbsent, Kind::kPut},
    {Opcode::kPutIfPresent, Kind::kPut},
    {Opcode::kPutIfVersion, Kind::kPut},
    {Opcode::kDelete, Kind::kDelete},
    {Opcode::kDeleteIfVersion, Kind::kDelete},
    {Opcode::kTouch, Kind::kTouch},
    {Opcode::kGetAndTouch, Kind::kGetAndTouch},
    {Opcode::kAdd, Kind::kAdd},
    {Opcode::kMultiGet, Kind::kGetMany},
    {Opcode::kMultiPut, Kind::kPutMany},
    {Opcode::kMultiDelete, Kind::kDeleteMany},
    {Opcode::kList, Kind::kList},
    {Opcode::kLeasePut, Kind::kPut},
    {Opcode::kInvalidate, Kind::kDelete},
    {Opcode::kBatch, Kind::kBatch},
    {Opcode::kCheckPresent, Kind::kCheck},
    {Opcode::kCheckAbsent, Kind::kCheck},
    {Opcode::kCheckVersion, Kind::kCheck},
    {Opcode::kOpen, Kind::kOpen},
    {Opcode::kAuth, Kind::kSession},
    {Opcode::kPing, Kind::kSession},
    {Opcode::kStats, Kind::kStats},
    {Opcode::kWatch, Kind::kWatch},
    {Opcode::kCancel, Kind::kSession},
    {Opcode::kGoAway, Kind::kSession},
    {Opcode::kNamespaceCreate, Kind::kNamespaceCreate},
    {Opcode::kNamespaceList, Kind::kNamespaceList},
    {Opcode::kNamespaceRename, Kind::kNamespaceRename},
    {Opcode::kNamespaceDelete, Kind::kNamespaceDelete},
    {Opcode::kNamespaceClear, Kind::kNamespaceClear},
    {Opcode::kNamespaceUsage, Kind::kNamespaceUsage},
    {Opcode::kClockConfirm, Kind::kClockConfirm},
    {Opcode::kTokenCreate, Kind::kTokens},
    {Opcode::kTokenList, Kind::kTokens},
    {Opcode::kTokenRevoke, Kind::kTokens},
};

}  // namespace

const AccessRule* access_rule(Opcode opcode) {
  static const auto table = [] {
    std::array<const AccessRule*, 256> rules{};
    for (const auto& [known, kind] : kKinds) {
      rules[static_cast<std::uint8_t>(known)] = &operations::rule_of(kind);
    }
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

}  // namespace edged::server

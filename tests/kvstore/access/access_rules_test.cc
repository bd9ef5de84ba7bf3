// SPDX-License-Identifier: Apache-2.0
// Each operation has a rule, and it is the one that docs/protocol.md, AUTH promises.
#include <gtest/gtest.h>

#include <map>

#include "kvstore/server/opcode_rules.h"

namespace edged::server {
namespace {

using access::Scope;
using access::Scopes;

std::vector<wire::Opcode> opcodes() {
  std::vector<wire::Opcode> all;
  for (int number = 0; number < 256; ++number) {
    const auto opcode = static_cast<wire::Opcode>(number);
    if (wire::opcode_name(opcode) != "unknown") all.push_back(opcode);
  }
  return all;
}

TEST(AccessRulesTest, EachOperationHasARule) {
  ASSERT_GE(opcodes().size(), 37u);
  for (const wire::Opcode opcode : opcodes()) {
    EXPECT_NE(access_rule(opcode), nullptr) << wire::opcode_name(opcode);
  }
  EXPECT_EQ(access_rule(static_cast<wire::Opcode>(0)), nullptr);
  EXPECT_EQ(access_rule(static_cast<wire::Opcode>(0xFF)), nullptr);
}

TEST(AccessRulesTest, NeedsTheScopesThatAreWrittenDown) {
  const std::map<std::string_view, std::string> expected{
      {"get", "read"},
      {"put", "write"},
      {"put_if_absent", "write"},
      {"put_if_present", "write"},
      {"put_if_version", "write"},
      {"delete", "delete"},
      {"delete_if_version", "delete"},
      {"touch", "write"},
      {"get_and_touch", "read,write"},
      {"add", "write"},
      {"multi_get", "read"},
      {"multi_put", "write"},
      {"multi_delete", "delete"},
      {"list", "list"},
      {"lease_put", "write"},
      {"invalidate", "delete"},
      {"batch", ""},
      {"check_present", "read"},
      {"check_absent", "read"},
      {"check_version", "read"},
      {"open", ""},
      {"auth", ""},
      {"ping", ""},
      {"stats", "metrics"},
      {"watch", "read,list"},
      {"cancel", ""},
      {"go_away", ""},
      {"namespace_create", "admin"},
      {"namespace_list", ""},
      {"namespace_rename", "admin"},
      {"namespace_delete", "admin"},
      {"namespace_clear", "admin"},
      {"namespace_usage", "admin"},
      {"clock_confirm", "admin"},
      {"token_create", "admin"},
      {"token_list", "admin"},
      {"token_revoke", "admin"},
  };
  for (const wire::Opcode opcode : opcodes()) {
    const auto found = expected.find(wire::opcode_name(opcode));
    ASSERT_NE(found, expected.end()) << wire::opcode_name(opcode) << " is not in this table yet";
    EXPECT_EQ(missing_scopes(*access_rule(opcode), {}), found->second) << found->first;
    const Scopes all{Scope::kRead,
                     Scope::kWrite,
                     Scope::kDelete,
                     Scope::kList,
                     Scope::kAdmin,
                     Scope::kMetrics,
                     Scope::kQueue};
    EXPECT_EQ(missing_scopes(*access_rule(opcode), all), "") << found->first;
  }
}

TEST(AccessRulesTest, NamesOnlyWhatIsMissing) {
  const AccessRule& watch = *access_rule(wire::Opcode::kWatch);
  EXPECT_EQ(missing_scopes(watch, {Scope::kRead}), "list");
  EXPECT_EQ(missing_scopes(watch, {Scope::kRead, Scope::kList}), "");
  const AccessRule either{{}, {Scope::kWrite, Scope::kDelete}, Reach::kKey};
  EXPECT_EQ(missing_scopes(either, {Scope::kDelete}), "");
  EXPECT_EQ(missing_scopes(either, {Scope::kWrite}), "");
  EXPECT_EQ(missing_scopes(either, {Scope::kRead, Scope::kAdmin}), "write or delete");
}

}  // namespace
}  // namespace edged::server

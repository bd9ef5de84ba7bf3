// SPDX-License-Identifier: Apache-2.0
#include "kvstore/access/scope.h"

#include <gtest/gtest.h>

namespace edged::access {
namespace {

TEST(ScopesTest, ReadsWhatItWrites) {
  for (const char* text :
       {"read", "metrics", "read,list", "read,write,delete,list,admin,metrics,queue"}) {
    const auto scopes = parse_scopes(text);
    ASSERT_TRUE(scopes.has_value()) << text;
    EXPECT_EQ(to_text(*scopes), text);
  }
  EXPECT_EQ(to_text(*parse_scopes("list,read")), "read,list") << "always in one order";
  EXPECT_EQ(to_text(Scopes()), "");
}

TEST(ScopesTest, RefusesWithTheReason) {
  const struct {
    std::string text;
    std::string reason;
  } cases[] = {
      {"", "\"\" is not one of read, write, delete, list, admin, metrics, queue"},
      {"Read", "\"Read\" is not one of"},
      {"read,", "\"\" is not one of"},
      {",read", "\"\" is not one of"},
      {"read, list", "\" list\" is not one of"},
      {"read,read", "\"read\" is named twice"},
      {"reads", "\"reads\" is not one of"},
      {std::string(100'000, 'x'), "\"" + std::string(64, 'x') + "\" is not one of"},
  };
  for (const auto& one : cases) {
    const auto scopes = parse_scopes(one.text);
    ASSERT_FALSE(scopes.has_value()) << one.text;
    EXPECT_EQ(scopes.code(), Code::kInvalidArgument);
    EXPECT_NE(scopes.error().message().find(one.reason), std::string::npos)
        << scopes.error().message();
  }
}

TEST(ScopesTest, NoScopeContainsAnother) {
  for (const Scope one : {Scope::kRead,
                          Scope::kWrite,
                          Scope::kDelete,
                          Scope::kList,
                          Scope::kAdmin,
                          Scope::kMetrics,
                          Scope::kQueue}) {
    const Scopes alone{one};
    EXPECT_EQ(scope_names(alone).size(), 1u);
    EXPECT_TRUE(alone.has(one));
    EXPECT_FALSE(alone.has_all({Scope::kRead, Scope::kAdmin}));
  }
  const Scopes both{Scope::kRead, Scope::kList};
  EXPECT_TRUE(both.has_all({Scope::kRead, Scope::kList}));
  EXPECT_FALSE(both.has_all({Scope::kRead, Scope::kWrite}));
}

}  // namespace
}  // namespace edged::access

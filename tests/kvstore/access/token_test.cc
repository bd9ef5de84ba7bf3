// SPDX-License-Identifier: Apache-2.0
#include "kvstore/access/token.h"

#include <gtest/gtest.h>

#include <set>

#include "proto/base/hex.h"

namespace edged::access {
namespace {

Grant reader() {
  Grant grant;
  grant.name = "reader";
  grant.scopes = {Scope::kRead};
  return grant;
}

TEST(TokenTest, SecretHasItsFormAndItsHash) {
  std::set<std::string> secrets, ids;
  for (int i = 0; i < 200; ++i) {
    const NewToken made = make_token(reader(), from_unix_ms(5));
    EXPECT_EQ(made.secret.size(), 4u + 16 + 1 + 43);
    EXPECT_EQ(made.secret.substr(0, 4), "kvt_");
    EXPECT_EQ(id_of_secret(made.secret), made.token.grant.id);
    EXPECT_EQ(made.token.sha256, sha256(made.secret));
    EXPECT_EQ(made.token.sha256.find(made.secret), std::string::npos);
    EXPECT_EQ(to_unix_ms(made.token.created_at), 5);
    secrets.insert(made.secret);
    ids.insert(made.token.grant.id);
  }
  EXPECT_EQ(secrets.size(), 200u);
  EXPECT_EQ(ids.size(), 200u);
}

TEST(TokenTest, Sha256IsTheStandards) {
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(to_hex(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(TokenTest, FindsNoIdInWhatIsNoSecret) {
  for (const std::string& text : {std::string(),
                                  std::string("kvt_"),
                                  std::string("kvt_0123456789abcdef"),
                                  std::string("kvt_0123456789ABCDEF_x"),
                                  std::string("kvt_0123_x"),
                                  std::string("xyz_0123456789abcdef_x"),
                                  "kvt_0123456789abcdef_" + std::string(200, 'x')}) {
    EXPECT_EQ(id_of_secret(text), "") << text;
  }
  EXPECT_EQ(id_of_secret("kvt_0123456789abcdef_x"), "0123456789abcdef");
}

TEST(TokenTest, ComparesWholeTexts) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abcd"));
}

TEST(GrantTest, ChecksEachPart) {
  const struct {
    const char* reason;
    void (*change)(Grant&);
  } cases[] = {
      {"name is empty", [](Grant& grant) { grant.name.clear(); }},
      {"name is longer than 64 bytes", [](Grant& grant) { grant.name.assign(65, 'n'); }},
      {"name has a control character", [](Grant& grant) { grant.name = "a\nb"; }},
      {"name is not UTF-8", [](Grant& grant) { grant.name = "a\xFF"; }},
      {"no scope", [](Grant& grant) { grant.scopes = {}; }},
      {"more than 32 namespaces",
       [](Grant& grant) {
         for (int i = 0; i < 33; ++i) grant.namespaces.push_back(std::to_string(i));
       }},
      {"namespace of the token is empty",
       [](Grant& grant) {
         grant.namespaces = {"a", ""};
       }},
      {"namespace of the token is longer than 512",
       [](Grant& grant) { grant.namespaces = {std::string(513, 'n')}; }},
      {"\"a\" is named twice",
       [](Grant& grant) {
         grant.namespaces = {"a", "b", "a"};
       }},
      {"prefix is longer than 512", [](Grant& grant) { grant.prefix.assign(513, 'p'); }},
      {"prefix is not UTF-8", [](Grant& grant) { grant.prefix = "\xC3"; }},
  };
  for (const auto& one : cases) {
    Grant grant = reader();
    ASSERT_TRUE(check_grant(grant).ok());
    one.change(grant);
    const Status status = check_grant(grant);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << one.reason;
    EXPECT_NE(status.message().find(one.reason), std::string::npos) << status.message();
  }
  Grant widest = reader();
  widest.name.assign(64, 'n');
  widest.prefix.assign(512, 'p');
  for (int i = 0; i < 32; ++i)
    widest.namespaces.push_back(std::string(500, 'a') + std::to_string(i));
  EXPECT_TRUE(check_grant(widest).ok());
}

TEST(GrantTest, NamespacesGoByIdAlone) {
  const std::string id(32, 'a'), other(32, 'b');
  Grant grant = reader();
  EXPECT_TRUE(grant.allows_namespace(id));
  EXPECT_TRUE(grant.covers_node());
  grant.namespaces = {"sessions", id};
  EXPECT_FALSE(grant.covers_node());
  EXPECT_TRUE(grant.allows_namespace(id));
  EXPECT_FALSE(grant.allows_namespace(other));
  EXPECT_FALSE(grant.allows_namespace("sessions")) << "a title allows nothing";
}

TEST(GrantTest, KeysGoByPrefixAndTimeByTheMillisecond) {
  Grant grant = reader();
  EXPECT_TRUE(grant.allows_key("") && grant.allows_key("x"));
  EXPECT_FALSE(grant.expired(from_unix_ms(1'000'000)));
  grant.prefix = "user:";
  EXPECT_TRUE(grant.allows_key("user:") && grant.allows_key("user:1"));
  EXPECT_FALSE(grant.allows_key("user") || grant.allows_key("") || grant.allows_key("xuser:1"));
  EXPECT_FALSE(grant.covers_node());
  grant.expires_at = from_unix_ms(1000);
  EXPECT_FALSE(grant.expired(from_unix_ms(999)));
  EXPECT_TRUE(grant.expired(from_unix_ms(1000)));
}

}  // namespace
}  // namespace edged::access

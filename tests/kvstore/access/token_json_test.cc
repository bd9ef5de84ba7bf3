// SPDX-License-Identifier: Apache-2.0
#include "kvstore/access/token_json.h"

#include <gtest/gtest.h>

#include "proto/base/hex.h"

namespace edged::access {
namespace {

const WallTime kNow = from_unix_ms(1'800'000'000'000);

Grant grant_of(std::string name) {
  Grant grant;
  grant.name = std::move(name);
  grant.scopes = {Scope::kRead, Scope::kList};
  grant.namespaces = {"default", std::string(32, 'a')};
  grant.prefix = "a\"/ü";
  grant.expires_at = kNow + std::chrono::hours(1);
  return grant;
}

TEST(TokenJsonTest, FileReadsBackAsWritten) {
  EXPECT_EQ(parse_file(render_file({}))->size(), 0u);
  Grant plain;
  plain.name = "b";
  plain.scopes = {Scope::kAdmin};
  const std::vector<Token> tokens{make_token(grant_of("a"), kNow).token,
                                  make_token(plain, kNow).token};
  const auto read = parse_file(render_file(tokens));
  ASSERT_TRUE(read.has_value()) << read.error().message();
  ASSERT_EQ(read->size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const Grant &got = (*read)[i].grant, &want = tokens[i].grant;
    EXPECT_EQ(got.id, want.id);
    EXPECT_EQ(got.name, want.name);
    EXPECT_EQ(got.scopes, want.scopes);
    EXPECT_EQ(got.namespaces, want.namespaces);
    EXPECT_EQ(got.prefix, want.prefix);
    EXPECT_EQ(got.expires_at, want.expires_at);
    EXPECT_EQ((*read)[i].created_at, kNow);
    EXPECT_EQ((*read)[i].sha256, tokens[i].sha256);
  }
}

TEST(TokenJsonTest, FileIsRefusedWithTheReason) {
  const std::string hash(64, 'a');
  const std::string good =
      R"({"id":"0123456789abcdef","name":"a","scopes":["read"],"namespaces":[],"prefix":"",)"
      R"("created_at_ms":1,"expires_at_ms":null,"sha256":")" +
      hash + "\"}";
  const auto file = [](const std::string& tokens) {
    return R"({"version":1,"tokens":[)" + tokens + "]}";
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = good;
    changed.replace(changed.find(from), from.size(), to);
    return file(changed);
  };
  ASSERT_TRUE(parse_file(file(good)).has_value()) << parse_file(file(good)).error().message();
  const struct {
    std::string text;
    std::string reason;
  } cases[] = {
      {"", "not JSON"},
      {file(good).substr(0, 100), "not JSON"},
      {"[]", "not a JSON object"},
      {R"({"tokens":[]})", "\"version\" is not 1"},
      {R"({"version":2,"tokens":[]})", "\"version\" is not 1"},
      {R"({"version":1})", "\"tokens\" is missing"},
      {R"({"version":1,"tokens":{}})", "\"tokens\" is not an array"},
      {R"({"version":1,"tokens":[],"more":1})", "\"more\" is not a known member"},
      {file("1"), "token 1: it is not a JSON object"},
      {file(good + "," + good), "two tokens have the id"},
      {with("0123456789abcdef", "0123456789abcde"), "\"id\" is not 16"},
      {with("0123456789abcdef", "0123456789ABCDEF"), "\"id\" is not 16"},
      {with("\"a\"", "\"\""), "token 1: the token's name is empty"},
      {with("[\"read\"]", "[]"), "no scope"},
      {with("[\"read\"]", "[\"reed\"]"), "\"reed\" is not one of"},
      {with("[\"read\"]", "[\"read\",\"read\"]"), "named twice"},
      {with("[\"read\"]", "\"read\""), "\"scopes\" is not an array of strings"},
      {with("[\"read\"]", "[1]"), "\"scopes\" is not an array of strings"},
      {with("\"namespaces\":[],", ""), "\"namespaces\" is missing"},
      {with("\"prefix\"", "\"prefx\""), "\"prefix\" is missing"},
      {with("\"created_at_ms\":1,", ""), "\"created_at_ms\" is missing"},
      {with("null", "-1"), "\"expires_at_ms\" is not a whole number"},
      {with("null", "1e300"), "\"expires_at_ms\" is not a whole number"},
      {with("null", "\"soon\""), "\"expires_at_ms\" is not a whole number"},
      {with(hash, "aa"), "\"sha256\" is not 64"},
      {with(hash, std::string(64, 'x')), "\"sha256\" is not 64"},
      {std::string(100'000, '['), "not JSON"},
  };
  for (const auto& one : cases) {
    const auto read = parse_file(one.text);
    ASSERT_FALSE(read.has_value()) << one.text.substr(0, 300);
    EXPECT_EQ(read.code(), Code::kInvalidArgument);
    EXPECT_NE(read.error().message().find(one.reason), std::string::npos)
        << read.error().message() << "\n"
        << one.reason;
  }
  std::string many;
  for (std::size_t i = 0; i <= kTokensMax; ++i) many += (i == 0 ? "" : ",") + good;
  EXPECT_NE(parse_file(file(many)).error().message().find("more than 1000"), std::string::npos);
}

TEST(TokenJsonTest, RequestReadsBackAndCountsTheExpiryFromTheNodesClock) {
  const auto later = kNow + std::chrono::minutes(5);
  const auto read = parse_request(render_request(grant_of("a"), kNow), later);
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(read->prefix, grant_of("a").prefix);
  EXPECT_EQ(read->namespaces, grant_of("a").namespaces);
  EXPECT_EQ(*read->expires_at, later + std::chrono::hours(1));
  const auto least = parse_request(R"({"name":"x","scopes":["list"]})", kNow);
  ASSERT_TRUE(least.has_value());
  EXPECT_TRUE(least->covers_node() && !least->expires_at);
  for (const char* bad : {"",
                          "{}",
                          R"({"name":"x"})",
                          R"({"scopes":["read"]})",
                          R"({"name":"x","scopes":["read"],"namespace":["a"]})",
                          R"({"name":"x","scopes":["read"],"expires_in_ms":0})",
                          R"({"name":"x","scopes":["read"],"id":"0123456789abcdef"})"}) {
    EXPECT_EQ(parse_request(bad, kNow).code(), Code::kInvalidArgument) << bad;
  }
}

TEST(TokenJsonTest, OnlyCreationShowsTheSecretAndNothingShowsTheHash) {
  const NewToken made = make_token(grant_of("a"), kNow);
  std::string more;
  const std::string list = render_list({made.token}, "", 1000, 1 << 20, more);
  for (const std::string& text : {render_token(made.token), list}) {
    EXPECT_EQ(text.find("kvt_"), std::string::npos);
    EXPECT_EQ(text.find("sha256"), std::string::npos);
  }
  const auto read = parse_new_token(render_new_token(made));
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(read->secret, made.secret);
  EXPECT_EQ(parse_token(render_token(made.token))->grant.id, made.token.grant.id);
  std::string later = render_new_token(made);
  later.insert(1, "\"added_later\":1,");
  EXPECT_EQ(parse_new_token(later)->secret, made.secret);
  EXPECT_EQ(*parse_id(render_id("x\"y")), "x\"y");
  EXPECT_EQ(parse_id("{}").code(), Code::kInvalidArgument);
}

TEST(TokenJsonTest, ListComesInPagesThatFit) {
  std::vector<Token> tokens;
  for (int i = 0; i < 50; ++i)
    tokens.push_back(make_token(grant_of(std::to_string(i)), kNow).token);
  for (const auto& [limit, bytes] : {std::pair{7, 1 << 20}, std::pair{1000, 1024}}) {
    std::string after, more;
    std::vector<std::string> ids;
    do {
      const std::string page = render_list(
          tokens, after, static_cast<std::size_t>(limit), static_cast<std::size_t>(bytes), more);
      EXPECT_LE(page.size(), static_cast<std::size_t>(bytes));
      const auto read = parse_list(page);
      ASSERT_TRUE(read.has_value()) << read.error().message();
      ASSERT_LE(read->size(), static_cast<std::size_t>(limit));
      ASSERT_GE(read->size(), 1u);
      for (const Token& one : *read) ids.push_back(one.grant.id);
      after = more;
    } while (!more.empty());
    EXPECT_EQ(ids.size(), 50u);
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  }
}

}  // namespace
}  // namespace edged::access

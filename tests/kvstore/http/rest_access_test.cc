// SPDX-License-Identifier: Apache-2.0
// Who may do what over the REST face: some token on an open node, the scopes of tokens elsewhere.
#include "tests/kvstore/http/rest_fixture.h"

namespace edged::kv_http {
namespace {

class RestAccessTest : public RestFixture {
 protected:
  std::string token(access::Scopes scopes,
                    std::vector<std::string> namespaces = {},
                    std::string prefix = "") {
    access::Grant grant;
    grant.name = "token " + std::to_string(++tokens_);
    grant.scopes = scopes;
    grant.namespaces = std::move(namespaces);
    grant.prefix = std::move(prefix);
    const auto made = table_->create(grant);
    EXPECT_TRUE(made) << made.error().message();
    last_id_ = made->token.grant.id;
    return made->secret;
  }
  Answer as(const std::string& secret,
            const std::string& method,
            const std::string& target,
            const std::string& body = "") {
    return request(method, target, body, {{"Authorization", "Bearer " + secret}});
  }

  int tokens_ = 0;
  std::string last_id_;
};

constexpr const char* kRefused = "401 10000 Authentication error";

TEST_F(RestAccessTest, AnOpenNodeWantsSomeAuthorization) {
  EXPECT_EQ(request("GET", kBase, "", {}).error(), kRefused);
  EXPECT_EQ(request("GET", kBase, "", {}).headers.at("www-authenticate"), "Bearer");
  EXPECT_EQ(request("PUT", value_path("k"), "v", {}).error(), kRefused);
  EXPECT_EQ(get(value_path("k")).status, 404);
  for (const char* any : {"Bearer x", "Basic eDp5", "anything"}) {
    EXPECT_EQ(request("GET", kBase, "", {{"Authorization", any}}).status, 200) << any;
  }
}

TEST_F(RestAccessTest, AWebPageCannotReachTheNode) {
  const Fields foreign = {{"Authorization", "Bearer x"}, {"Origin", "https://evil.example"}};
  EXPECT_EQ(request("GET", kBase, "", foreign).status, 403);
  const Fields site = {{"Authorization", "Bearer x"}, {"Sec-Fetch-Site", "cross-site"}};
  EXPECT_EQ(request("PUT", value_path("k"), "v", site).status, 403);
  EXPECT_EQ(get(value_path("k")).status, 404);
}

TEST_F(RestAccessTest, TokensAreWantedOnceThereAreSome) {
  const std::string secret = token({access::Scope::kRead});
  EXPECT_EQ(as("wrong", "GET", value_path("k")).error(), kRefused);
  EXPECT_EQ(request("GET", value_path("k"), "", {{"Authorization", secret}}).error(), kRefused);
  EXPECT_EQ(request("GET", value_path("k"), "", {{"Authorization", "Basic " + secret}}).error(),
            kRefused);
  EXPECT_EQ(request("GET", value_path("k"), "", {}).error(), kRefused);
  EXPECT_EQ(as(secret, "GET", value_path("k")).error(), "404 10009 get: 'key not found'");
  EXPECT_EQ(request("GET", value_path("k"), "", {{"Authorization", "bearer " + secret}}).status,
            404);
  EXPECT_EQ(as(secret, "GET", "/client/v4/user/tokens/verify").result().at("id").as_string(),
            last_id_);
  const std::string revoked = last_id_;
  token({access::Scope::kRead});  // without any, the node would be open again
  ASSERT_TRUE(table_->revoke(revoked));
  EXPECT_EQ(as(secret, "GET", value_path("k")).error(), kRefused);
}

TEST_F(RestAccessTest, EachOperationWantsItsScope) {
  put("k", "v");
  using access::Scope;
  const std::string reader = token({Scope::kRead});
  const std::string writer = token({Scope::kWrite});
  const std::string remover = token({Scope::kDelete});
  const std::string lister = token({Scope::kList});
  const std::string admin = token({Scope::kAdmin});
  struct Case {
    const char* method;
    std::string target;
    std::string body;
    std::string allowed;
  };
  const Case cases[] = {
      {"GET", value_path("k"), "", reader},
      {"GET", in_ns("/metadata/k"), "", reader},
      {"POST", in_ns("/bulk/get"), R"({"keys":["k"]})", reader},
      {"PUT", value_path("w"), "v", writer},
      {"PUT", value_path("w"), std::string(100'000, 'v'), writer},
      {"PUT", in_ns("/bulk"), R"([{"key":"w","value":"v"}])", writer},
      {"DELETE", value_path("w"), "", remover},
      {"POST", in_ns("/bulk/delete"), R"(["w"])", remover},
      {"GET", in_ns("/keys"), "", lister},
      {"POST", kBase, R"({"title":"new"})", admin},
  };
  for (const Case& one : cases) {
    for (const std::string& secret : {reader, writer, remover, lister, admin}) {
      const Answer answer = as(secret, one.method, one.target, one.body);
      if (secret == one.allowed) {
        EXPECT_EQ(answer.status, 200) << one.method << one.target << answer.body;
      } else {
        EXPECT_EQ(answer.error().substr(0, 9), "403 10037") << one.method << one.target;
      }
    }
  }
}

TEST_F(RestAccessTest, ANamespaceThatATokenDoesNotCoverIsNotFound) {
  put("k", "v");
  const auto other = store_->create_namespace("other", "");
  ASSERT_TRUE(other);
  using access::Scope;
  const std::string secret = token({Scope::kRead, Scope::kList, Scope::kAdmin}, {other->id});
  EXPECT_EQ(as(secret, "GET", value_path("k")).error(), "404 10013 get: 'namespace not found'");
  EXPECT_EQ(as(secret, "GET", in_ns("/keys")).error(),
            "404 10013 list keys: 'namespace not found'");
  EXPECT_EQ(as(secret, "GET", in_ns("")).status, 404);
  EXPECT_EQ(as(secret, "GET", kBase + ("/" + other->id) + "/keys").status, 200);
  EXPECT_EQ(as(secret, "GET", kBase).items().size(), 1u);
}

TEST_F(RestAccessTest, APrefixLimitsKeys) {
  put("a:k", "v");
  put("b:k", "v");
  using access::Scope;
  const std::string secret = token({Scope::kRead, Scope::kWrite, Scope::kList}, {}, "a:");
  EXPECT_EQ(as(secret, "GET", value_path("a:k")).body, "v");
  EXPECT_EQ(as(secret, "GET", value_path("b:k")).status, 403);
  EXPECT_EQ(as(secret, "GET", in_ns("/keys?prefix=a:")).info().at("count").to_number<int>(), 1);
  EXPECT_EQ(as(secret, "GET", in_ns("/keys")).status, 403);
  const std::string body = R"([{"key":"a:x","value":""},{"key":"b:x","value":""}])";
  EXPECT_EQ(as(secret, "PUT", in_ns("/bulk"), body).status, 403);
  EXPECT_EQ(as(secret, "GET", value_path("a:x")).status, 404);
}

}  // namespace
}  // namespace edged::kv_http

// SPDX-License-Identifier: Apache-2.0
// What takes more than one request, under tokens: watches that outlive their token, and requests
// whose items come in fragments.
#include "tests/kvstore/server_fixture.h"

namespace edged::server {
namespace {

using access::Scope;
using test::RawClient;
using wire::Opcode;

class ServerLimitsTest : public OperationsFixture {
 protected:
  access::NewToken token(access::Scopes scopes, const std::string& prefix = "") {
    access::Grant grant;
    grant.name = "token " + std::to_string(++tokens_);
    grant.scopes = scopes;
    grant.prefix = prefix;
    return *access_->create(grant);
  }
  Code auth(const access::NewToken& made) {
    wire::Request request;
    request.opcode = Opcode::kAuth;
    request.fields.credential = made.secret;
    return call(request).status();
  }
  int tokens_ = 0;
};

TEST_F(ServerLimitsTest, AWatchEndsWithItsToken) {
  const access::NewToken made = token({Scope::kRead, Scope::kList, Scope::kWrite});
  ASSERT_EQ(auth(made), Code::kOk);
  ASSERT_EQ(call(make(Opcode::kWatch, 0, "")).status(), Code::kOk);
  const std::uint32_t watch = last_id_;
  ASSERT_TRUE(access_->revoke(made.token.grant.id));
  // Nothing is asked and nothing changes: the node says so by itself.
  const RawClient::Reply push = client_->reply();
  EXPECT_EQ(push.header.kind, wire::Kind::kPush);
  EXPECT_EQ(push.header.id, watch);
  EXPECT_EQ(push.status(), Code::kUnauthenticated);
  const std::string id(4, '\0');  // the request refers to it
  const wire::Request cancel = make(Opcode::kCancel, 0, "", id);
  EXPECT_EQ(call(cancel).status(), Code::kUnauthenticated);
}

TEST_F(ServerLimitsTest, AWatchOfAnOpenNodeEndsWithTheFirstToken) {
  ASSERT_EQ(call(make(Opcode::kWatch, 0, "")).status(), Code::kOk);
  client_->send(make(Opcode::kPut, 999, "a", "1"));
  EXPECT_EQ(client_->reply().status(), Code::kOk);
  EXPECT_EQ(client_->reply().status(), Code::kOk) << "the answer and the change, in either order";
  token({Scope::kRead});
  EXPECT_EQ(client_->reply().status(), Code::kUnauthenticated);
}

TEST_F(ServerLimitsTest, AnotherTokensEndLeavesAWatchAlone) {
  const access::NewToken made = token({Scope::kRead, Scope::kList, Scope::kWrite});
  const access::NewToken other = token({Scope::kRead});
  ASSERT_EQ(auth(made), Code::kOk);
  ASSERT_EQ(call(make(Opcode::kWatch, 0, "")).status(), Code::kOk);
  const std::uint32_t watch = last_id_;
  ASSERT_TRUE(access_->revoke(other.token.grant.id));
  client_->send(make(Opcode::kPut, 999, "a", "1"));
  std::set<std::uint32_t> ids{client_->reply().header.id, client_->reply().header.id};
  EXPECT_EQ(ids, (std::set<std::uint32_t>{watch, 999}));
}

TEST_F(ServerLimitsTest, ItemsInFragmentsAreJudgedWhenTheyAreWhole) {
  ASSERT_EQ(auth(token({Scope::kRead, Scope::kWrite}, "p/")), Code::kOk);
  const std::string items =
      items_of({item(Opcode::kPut, "p/1", "v"), item(Opcode::kPut, "q/2", "v")});
  for (const std::size_t cut : {std::size_t{1}, items.size() / 2, items.size() - 1}) {
    wire::Request first = make(Opcode::kMultiPut, 500, "", std::string_view(items).substr(0, cut));
    first.flags = wire::kFlagMore;
    wire::Request last = make(Opcode::kMultiPut, 500, "", std::string_view(items).substr(cut));
    ASSERT_TRUE(client_->send(first) && client_->send(last));
    const RawClient::Reply reply = client_->reply();
    EXPECT_EQ(reply.header.id, 500u);
    EXPECT_EQ(reply.status(), Code::kDenied) << cut;
    EXPECT_EQ(get("p/1"), "not_found") << "nothing of it was done";
  }
}

TEST_F(ServerLimitsTest, AValueInFragmentsIsJudgedByItsFirst) {
  ASSERT_EQ(auth(token({Scope::kRead, Scope::kWrite}, "p/")), Code::kOk);
  const std::string half(100'000, 'v');
  const auto send_halves = [&](std::uint32_t id, std::string_view key) {
    wire::Request first = make(Opcode::kPut, id, key, half);
    first.flags = wire::kFlagMore;
    EXPECT_TRUE(client_->send(first) && client_->send(make(Opcode::kPut, id, "", half)));
  };
  send_halves(600, "p/large");
  EXPECT_EQ(client_->reply().status(), Code::kOk);
  EXPECT_EQ(get("p/large").size(), 2 * half.size());
  send_halves(601, "q/large");
  EXPECT_EQ(client_->reply().status(), Code::kDenied);
  // The rest of it is dropped without another answer.
  EXPECT_EQ(get("p/large").size(), 2 * half.size());
}

// The request was judged by the rights of its first fragment: who signs in before its tail does not
// get the tail executed.
TEST_F(ServerLimitsTest, TheTailOfARefusedRequestStaysRefusedAfterAuth) {
  const access::NewToken made = token({Scope::kRead, Scope::kWrite});
  const std::string half = items_of({item(Opcode::kPut, "half", "done")});
  wire::Request first = make(Opcode::kBatch, 700, "", items_of({item(Opcode::kPut, "a", "1")}));
  first.flags = wire::kFlagMore;
  ASSERT_TRUE(client_->send(first));
  const RawClient::Reply refused = client_->reply();
  EXPECT_EQ(refused.header.id, 700u);
  EXPECT_EQ(refused.status(), Code::kUnauthenticated);
  ASSERT_EQ(auth(made), Code::kOk);
  ASSERT_TRUE(client_->send(make(Opcode::kBatch, 700, "", half)));
  EXPECT_EQ(get("half"), "not_found") << "and no answer to the tail came before this one";
  EXPECT_EQ(get("a"), "not_found");
}

}  // namespace
}  // namespace edged::server

// SPDX-License-Identifier: Apache-2.0
#include "kvstore/server/gate.h"

#include <gtest/gtest.h>

#include "kvstore/access/token_file.h"
#include "tests/support/manual_clock.h"
#include "tests/support/memory_store.h"
#include "tests/support/temp_dir.h"

namespace edged::server {
namespace {

using access::Grant;
using access::Scope;
using wire::Opcode;

class GateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    first_ = store_.create_namespace("first", "")->number;
    second_ = store_.create_namespace("second", "")->number;
    table_ = *access::AccessTable::open({access::token_file_in(dir_.path())}, clock_);
    context_ = std::make_unique<AccessContext>(
        AccessContext{table_.get(), store_, registry_.counter("failures", "")});
  }

  Grant grant(std::initializer_list<Scope> scopes) {
    Grant made;
    made.name = "token " + std::to_string(++names_);
    made.scopes = access::Scopes(scopes);
    return made;
  }
  static Grant everything() {
    Grant made;
    made.name = "everything";
    for (const Scope scope : {Scope::kRead,
                              Scope::kWrite,
                              Scope::kDelete,
                              Scope::kList,
                              Scope::kAdmin,
                              Scope::kMetrics,
                              Scope::kQueue}) {
      made.scopes.add(scope);
    }
    return made;
  }

  std::string id_of(std::string_view title) const { return store_.find_namespace(title)->id; }
  // A gate with a new token of this grant.
  std::unique_ptr<Gate> gate_with(const Grant& grant) {
    made_ = *table_->create(grant);
    auto gate = std::make_unique<Gate>(*context_);
    EXPECT_EQ(auth(*gate, made_.secret), Code::kOk);
    return gate;
  }
  static Code auth(Gate& gate, std::string_view secret) {
    wire::Request request;
    request.opcode = Opcode::kAuth;
    request.fields.credential = secret;
    std::string out;
    return gate.authenticate(request, reply_to(request, wire::kBodyBytesMax), out);
  }
  Status ask(Gate& gate, Opcode opcode, std::string_view key = "key") {
    return ask_in(gate, first_, opcode, key);
  }
  static Status ask_in(Gate& gate,
                       std::uint32_t ns,
                       Opcode opcode,
                       std::string_view key,
                       std::string_view value = "") {
    wire::Request request;
    request.opcode = opcode;
    request.ns = ns;
    request.key = key;
    request.value = value;
    return gate.authorize(request);
  }
  static std::string items(std::initializer_list<wire::Item> all) {
    std::string value;
    for (const wire::Item& item : all) wire::append_item(item, value);
    return value;
  }
  static wire::Item item(Opcode opcode,
                         std::string_view key,
                         std::optional<std::uint32_t> ns = {}) {
    wire::Item made;
    made.opcode = opcode;
    made.key = key;
    made.fields.ns = ns;
    return made;
  }

  test::ManualClock clock_;
  test::TempDir dir_;
  test::MemoryStore store_{clock_};
  MetricsRegistry registry_;
  std::unique_ptr<access::AccessTable> table_;
  std::unique_ptr<AccessContext> context_;
  access::NewToken made_;
  std::uint32_t first_ = 0, second_ = 0;
  int names_ = 0;
};

TEST_F(GateTest, EverythingIsOpenUntilThereIsAToken) {
  Gate gate(*context_);
  EXPECT_TRUE(ask(gate, Opcode::kNamespaceDelete).ok());
  const auto made = table_->create(grant({Scope::kRead}));
  for (int number = 0; number < 256; ++number) {
    const auto opcode = static_cast<Opcode>(number);
    const bool open = opcode == Opcode::kPing || opcode == Opcode::kAuth;
    EXPECT_EQ(ask(gate, opcode).code(), open ? Code::kOk : Code::kUnauthenticated) << number;
  }
  ASSERT_TRUE(table_->revoke(made->token.grant.id));
  EXPECT_TRUE(ask(gate, Opcode::kGet).ok());
}

TEST_F(GateTest, ATrustedPeerNeedsNoToken) {
  Gate gate(*context_);
  gate.trust();
  ASSERT_TRUE(table_->create(grant({Scope::kRead})));
  EXPECT_TRUE(ask(gate, Opcode::kTokenCreate).ok());
  // Having shown one, it is what the token says.
  const auto made = *table_->create(grant({Scope::kRead}));
  ASSERT_EQ(auth(gate, made.secret), Code::kOk);
  EXPECT_EQ(ask(gate, Opcode::kTokenCreate).code(), Code::kDenied);
}

TEST_F(GateTest, EachOperationNeedsItsScopesAndNoMore) {
  for (int number = 0; number < 256; ++number) {
    const auto opcode = static_cast<Opcode>(number);
    const AccessRule* rule = access_rule(opcode);
    if (rule == nullptr || opcode == Opcode::kPing || opcode == Opcode::kAuth) continue;
    Grant least = grant({});
    for (const Scope scope : {Scope::kRead,
                              Scope::kWrite,
                              Scope::kDelete,
                              Scope::kList,
                              Scope::kAdmin,
                              Scope::kMetrics,
                              Scope::kQueue}) {
      if (rule->all.has(scope)) least.scopes.add(scope);
    }
    if (rule->any.has(Scope::kDelete)) least.scopes.add(Scope::kDelete);
    if (least.scopes.empty()) least.scopes.add(Scope::kMetrics);
    EXPECT_TRUE(ask(*gate_with(least), opcode).ok()) << wire::opcode_name(opcode);
    // Each scope taken away is missed, and named.
    for (const Scope scope : {Scope::kRead,
                              Scope::kWrite,
                              Scope::kDelete,
                              Scope::kList,
                              Scope::kAdmin,
                              Scope::kMetrics,
                              Scope::kQueue}) {
      if (!rule->all.has(scope)) continue;
      Grant without = grant({});
      for (const Scope other : {Scope::kRead,
                                Scope::kWrite,
                                Scope::kDelete,
                                Scope::kList,
                                Scope::kAdmin,
                                Scope::kMetrics,
                                Scope::kQueue}) {
        if (other != scope) without.scopes.add(other);
      }
      const Status status = ask(*gate_with(without), opcode);
      EXPECT_EQ(status.code(), Code::kDenied) << wire::opcode_name(opcode);
      EXPECT_NE(status.message().find("lacks the scope " + std::string(access::scope_name(scope))),
                std::string::npos)
          << status.message();
    }
  }
}

TEST_F(GateTest, NumbersWithoutARuleAreRefusedToTokens) {
  const auto gate = gate_with(everything());
  EXPECT_EQ(ask(*gate, static_cast<Opcode>(0x7F)).code(), Code::kUnsupported);
}

TEST_F(GateTest, KeysMustHaveThePrefix) {
  Grant limited = everything();
  limited.prefix = "user:";
  const auto gate = gate_with(limited);
  for (const Opcode opcode : {Opcode::kGet,
                              Opcode::kPut,
                              Opcode::kDelete,
                              Opcode::kAdd,
                              Opcode::kLeasePut,
                              Opcode::kInvalidate,
                              Opcode::kList,
                              Opcode::kWatch}) {
    EXPECT_TRUE(ask(*gate, opcode, "user:1").ok()) << wire::opcode_name(opcode);
    EXPECT_TRUE(ask(*gate, opcode, "user:").ok());
    for (const char* key : {"", "user", "users", "xuser:1"}) {
      const Status status = ask(*gate, opcode, key);
      EXPECT_EQ(status.code(), Code::kDenied) << wire::opcode_name(opcode) << " " << key;
      EXPECT_NE(status.message().find("\"user:\""), std::string::npos) << status.message();
    }
  }
  for (const Opcode opcode : {Opcode::kNamespaceClear,
                              Opcode::kNamespaceDelete,
                              Opcode::kNamespaceRename,
                              Opcode::kNamespaceUsage,
                              Opcode::kNamespaceCreate,
                              Opcode::kClockConfirm,
                              Opcode::kTokenCreate,
                              Opcode::kTokenList,
                              Opcode::kTokenRevoke}) {
    EXPECT_EQ(ask(*gate, opcode, "").code(), Code::kDenied) << wire::opcode_name(opcode);
  }
  EXPECT_EQ(ask(*gate, Opcode::kStats).code(), Code::kDenied) << "it tells of all keys";
}

TEST_F(GateTest, HandlesMustBeOfTheTokensNamespaces) {
  Grant limited = everything();
  limited.namespaces = {id_of("first")};
  const auto gate = gate_with(limited);
  for (const Opcode opcode : {Opcode::kGet,
                              Opcode::kList,
                              Opcode::kMultiGet,
                              Opcode::kBatch,
                              Opcode::kWatch,
                              Opcode::kNamespaceClear,
                              Opcode::kNamespaceDelete}) {
    EXPECT_TRUE(ask_in(*gate, first_, opcode, "k").ok()) << wire::opcode_name(opcode);
    EXPECT_EQ(ask_in(*gate, second_, opcode, "k").code(), Code::kDenied);
    EXPECT_EQ(ask_in(*gate, 4711, opcode, "k").code(), Code::kNamespaceNotFound);
  }
  for (const Opcode opcode : {Opcode::kClockConfirm,
                              Opcode::kTokenCreate,
                              Opcode::kTokenRevoke,
                              Opcode::kStats,
                              Opcode::kNamespaceRename}) {
    EXPECT_EQ(ask(*gate, opcode).code(), Code::kDenied) << "it would lift the limit";
  }
  for (std::uint32_t guess = 100; guess < 10'000; ++guess) {
    ASSERT_EQ(ask_in(*gate, guess, Opcode::kGet, "k").code(), Code::kNamespaceNotFound);
  }
}

TEST_F(GateTest, NamespacesThatChangeAreJudgedAnew) {
  Grant limited = everything();
  limited.namespaces = {id_of("first"), id_of("second")};
  const auto gate = gate_with(limited);
  EXPECT_TRUE(ask_in(*gate, first_, Opcode::kGet, "k").ok());
  EXPECT_TRUE(ask_in(*gate, second_, Opcode::kGet, "k").ok());
  ASSERT_TRUE(store_.rename_namespace(first_, "third").ok());
  ASSERT_TRUE(store_.rename_namespace(second_, "fourth").ok());
  EXPECT_TRUE(ask_in(*gate, first_, Opcode::kGet, "k").ok()) << "its id is the same";
  EXPECT_TRUE(ask_in(*gate, second_, Opcode::kGet, "k").ok());
  const std::uint32_t taker = store_.create_namespace("first", "")->number;
  EXPECT_EQ(ask_in(*gate, taker, Opcode::kGet, "k").code(), Code::kDenied)
      << "a title gives no right";
  ASSERT_TRUE(store_.delete_namespace(second_).ok());
  EXPECT_EQ(ask_in(*gate, second_, Opcode::kGet, "k").code(), Code::kNamespaceNotFound);
}

TEST_F(GateTest, OnlyTheTokensNamespacesCanBeSeenOrMade) {
  Grant limited = everything();
  const std::string planned(32, 'c');
  limited.namespaces = {id_of("first"), planned, "second"};
  const auto gate = gate_with(limited);
  EXPECT_TRUE(ask_in(*gate, 0, Opcode::kOpen, "first").ok());
  EXPECT_TRUE(ask_in(*gate, 0, Opcode::kOpen, "absent").ok()) << "OPEN itself says so";
  EXPECT_EQ(ask_in(*gate, 0, Opcode::kOpen, "second").code(), Code::kNamespaceNotFound);
  EXPECT_TRUE(gate->sees(*store_.find_namespace("first")));
  EXPECT_FALSE(gate->sees(*store_.find_namespace("second")));
  wire::Request create;
  create.opcode = Opcode::kNamespaceCreate;
  create.fields.title = "second";
  EXPECT_EQ(gate->authorize(create).code(), Code::kDenied) << "a title gives no right";
  create.fields.namespace_id = planned;
  EXPECT_TRUE(gate->authorize(create).ok());
}

TEST_F(GateTest, ItemsAreJudgedOneByOne) {
  Grant limited = everything();
  limited.scopes = {Scope::kRead, Scope::kWrite};
  limited.namespaces = {id_of("first")};
  limited.prefix = "p/";
  const auto gate = gate_with(limited);
  const struct {
    const char* what;
    Opcode opcode;
    std::string value;
    Code expected;
  } cases[] = {
      {"all within",
       Opcode::kMultiGet,
       items({item(Opcode::kGet, "p/1"), item(Opcode::kGet, "p/2", first_)}),
       Code::kOk},
      {"the last key is outside",
       Opcode::kMultiGet,
       items({item(Opcode::kGet, "p/1"), item(Opcode::kGet, "q/2")}),
       Code::kDenied},
      {"an item's own namespace",
       Opcode::kMultiPut,
       items({item(Opcode::kPut, "p/1"), item(Opcode::kPut, "p/2", second_)}),
       Code::kDenied},
      {"an item's own namespace that is none",
       Opcode::kBatch,
       items({item(Opcode::kPut, "p/2", 4711)}),
       Code::kNamespaceNotFound},
      {"an item's scope",
       Opcode::kBatch,
       items({item(Opcode::kCheckPresent, "p/1"), item(Opcode::kDelete, "p/2")}),
       Code::kDenied},
      {"a check reads", Opcode::kBatch, items({item(Opcode::kCheckAbsent, "p/1")}), Code::kOk},
      {"an item of unknown kind with a key outside",
       Opcode::kMultiGet,
       items({item(static_cast<Opcode>(0x7F), "q/2")}),
       Code::kDenied},
      {"an item that is no item with a key outside",
       Opcode::kMultiGet,
       items({item(Opcode::kPing, "q/2")}),
       Code::kDenied},
      {"the request's own scope",
       Opcode::kMultiDelete,
       items({item(Opcode::kDelete, "p/1")}),
       Code::kDenied},
      {"none", Opcode::kMultiGet, "", Code::kOk},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(ask_in(*gate, first_, one.opcode, "", one.value).code(), one.expected) << one.what;
  }
  EXPECT_TRUE(
      ask_in(*gate, 0, Opcode::kBatch, "", items({item(Opcode::kPut, "p/1", first_)})).ok());
  EXPECT_EQ(
      ask_in(*gate, second_, Opcode::kBatch, "", items({item(Opcode::kPut, "p/1", first_)})).code(),
      Code::kDenied);
  wire::Request fragment;
  fragment.opcode = Opcode::kMultiGet;
  fragment.ns = first_;
  const std::string outside = items({item(Opcode::kGet, "q/2")});
  fragment.value = outside;
  EXPECT_TRUE(gate->authorize(fragment, false).ok()) << "judged when it is whole";
  EXPECT_EQ(gate->authorize(fragment, true).code(), Code::kDenied);
}

TEST_F(GateTest, ATokenThatGoesStopsWorkingAtOnce) {
  const auto other = gate_with(everything());
  const auto gate = gate_with(grant({Scope::kRead}));
  EXPECT_TRUE(ask(*gate, Opcode::kGet).ok());
  ASSERT_TRUE(table_->revoke(made_.token.grant.id));
  const Status status = ask(*gate, Opcode::kGet);
  EXPECT_EQ(status.code(), Code::kUnauthenticated);
  EXPECT_NE(status.message().find("revoked"), std::string::npos);
  EXPECT_TRUE(ask(*gate, Opcode::kPing).ok());
  EXPECT_TRUE(ask(*other, Opcode::kGet).ok()) << "another token is none the worse";
  EXPECT_EQ(auth(*gate, made_.secret), Code::kUnauthenticated);
  const auto again = *table_->create(grant({Scope::kRead}));
  EXPECT_EQ(auth(*gate, again.secret), Code::kOk);
  EXPECT_TRUE(ask(*gate, Opcode::kGet).ok());
}

TEST_F(GateTest, TheLastTokensHolderStaysOut) {
  const auto gate = gate_with(grant({Scope::kRead}));
  ASSERT_TRUE(table_->revoke(made_.token.grant.id));
  EXPECT_EQ(ask(*gate, Opcode::kGet).code(), Code::kUnauthenticated)
      << "although the node is open again to those who never had one";
}

TEST_F(GateTest, ATokenThatChangesOrExpiresIsFollowedAtOnce) {
  Grant brief = grant({Scope::kRead});
  brief.expires_at = clock_.wall_now() + std::chrono::seconds(10);
  const auto gate = gate_with(brief);
  EXPECT_EQ(ask(*gate, Opcode::kPut).code(), Code::kDenied);
  ASSERT_TRUE(access::update_token_file(access::token_file_in(dir_.path()), [](auto& all) {
    all.front().grant.scopes.add(Scope::kWrite);
    return Status();
  }));
  ASSERT_TRUE(table_->reload().ok());
  EXPECT_TRUE(ask(*gate, Opcode::kPut).ok());
  clock_.advance(std::chrono::seconds(10));
  const Status status = ask(*gate, Opcode::kPut);
  EXPECT_EQ(status.code(), Code::kUnauthenticated);
  EXPECT_NE(status.message().find("expired"), std::string::npos);
}

TEST_F(GateTest, FailedAuthsAreCountedAndExhaust) {
  ASSERT_TRUE(table_->create(grant({Scope::kRead})));
  Gate gate(*context_);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(auth(gate, "kvt_x"), Code::kUnauthenticated);
  EXPECT_FALSE(gate.exhausted());
  auth(gate, std::string(4000, 'x'));
  EXPECT_TRUE(gate.exhausted());
  EXPECT_EQ(context_->failures.value(), 5u);
  EXPECT_EQ(ask(gate, Opcode::kGet).code(), Code::kUnauthenticated);
}

TEST_F(GateTest, AFailedAuthLeavesWhatWasThere) {
  const auto gate = gate_with(grant({Scope::kRead}));
  EXPECT_EQ(auth(*gate, "kvt_x"), Code::kUnauthenticated);
  EXPECT_TRUE(ask(*gate, Opcode::kGet).ok());
}

}  // namespace
}  // namespace edged::server

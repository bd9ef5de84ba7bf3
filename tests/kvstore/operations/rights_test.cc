// SPDX-License-Identifier: Apache-2.0
// What a token may do: scopes, namespaces and key prefix of each operation.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "tests/kvstore/operations/operations_fixture.h"

namespace edged::operations {
namespace {

using access::Scope;
using access::Scopes;

const Scopes kAll{Scope::kRead,
                  Scope::kWrite,
                  Scope::kDelete,
                  Scope::kList,
                  Scope::kAdmin,
                  Scope::kMetrics,
                  Scope::kQueue};

class RightsTest : public OperationsFixture {
 protected:
  struct Attempt {
    const char* name;
    Scopes needs;
    std::function<Code(const Caller&, storage::NamespaceNumber, const std::string& key)> run;
  };

  template <class Op>
  static Op on(storage::NamespaceNumber ns, const std::string& key) {
    Op operation;
    operation.ns = ns;
    operation.key = key;
    return operation;
  }

  // Each on one key of one namespace.
  std::vector<Attempt> attempts() {
    using storage::NamespaceNumber;
    const auto write = [this](const Caller& caller, storage::Operation operation) {
      return write_one(caller, std::move(operation));
    };
    return {
        {"get",
         {Scope::kRead},
         [this](const Caller& c, NamespaceNumber ns, const std::string& key) {
           return get_in(ns, c, key).code();
         }},
        {"open_value",
         {Scope::kRead},
         [this](const Caller& c, NamespaceNumber ns, const std::string& key) {
           return wait_for<std::shared_ptr<ValueStream>>(
                      [&](auto done) { operations_->open_value(c, ns, key, done); })
               .code();
         }},
        {"get_many",
         {Scope::kRead},
         [this](const Caller& c, NamespaceNumber ns, const std::string& key) {
           return wait_for<std::vector<Result<storage::Entry>>>([&](auto done) {
                    operations_->get_many(c, ns, {"own/key", key}, 1000, done);
                  })
               .code();
         }},
        {"put",
         {Scope::kWrite},
         [write](const Caller& c, NamespaceNumber ns, const std::string& key) {
           return write(c, on<storage::Put>(ns, key));
         }},
        {"upload",
         {Scope::kWrite},
         [this](const Caller& c, NamespaceNumber ns, const std::string& key) {
           return wait_for<std::shared_ptr<Upload>>(
                      [&](auto done) { operations_->begin_upload(c, ns, key, done); })
               .code();
         }},
        {"touch",
         {Scope::kWrite},
         [write](const Caller& c, NamespaceNumber ns, const std::string& key) {
           return write(c, on<storage::Touch>(ns, key));
         }},
        {"get_and_touch",
         {Scope::kRead, Scope::kWrite},
         [write](const Caller& c, NamespaceNumber ns, const std::string& key) {
           auto touch = on<storage::Touch>(ns, key);
           touch.want_entry = true;
           return write(c, touch);
         }},
        {"check",
         {Scope::kRead},
         [write](const Caller& c, NamespaceNumber ns, const std::string& key) {
           return write(c, on<storage::Check>(ns, key));
         }},
        {"list",
         {Scope::kList},
         [this](const Caller& c, NamespaceNumber ns, const std::string& key) {
           storage::ListRequest request;
           request.ns = ns;
           request.prefix = key;
           return list(c, request).code();
         }},
        {"list with values",
         {Scope::kList, Scope::kRead},
         [this](const Caller& c, NamespaceNumber ns, const std::string& key) {
           storage::ListRequest request;
           request.ns = ns;
           request.prefix = key;
           request.with_values = true;
           return list(c, request).code();
         }},
        {"delete",
         {Scope::kDelete},
         [write](const Caller& c, NamespaceNumber ns, const std::string& key) {
           return write(c, on<storage::Delete>(ns, key));
         }},
    };
  }

  void fill(storage::NamespaceNumber ns) {
    for (const char* key : {"own/key", "other/key"}) {
      storage::Put put = on<storage::Put>(ns, key);
      put.value = "1";
      EXPECT_EQ(write(put).code, Code::kOk);
    }
  }
};

TEST_F(RightsTest, EachOperationNeedsItsScopes) {
  fill(ns_);
  for (const Attempt& attempt : attempts()) {
    for (int bits = 0; bits < 64; ++bits) {
      Scopes scopes;
      for (int bit = 0; bit < 6; ++bit) {
        if ((bits & (1 << bit)) != 0) scopes.add(static_cast<Scope>(1 << bit));
      }
      if (scopes.empty()) continue;
      fill(ns_);
      const Caller caller = caller_with(scopes);
      const Code expected = scopes.has_all(attempt.needs) ? Code::kOk : Code::kDenied;
      EXPECT_EQ(attempt.run(caller, ns_, "own/key"), expected)
          << attempt.name << " with " << access::to_text(scopes);
      ASSERT_TRUE(table_->revoke(made_.token.grant.id));
    }
  }
}

TEST_F(RightsTest, EachOperationKeepsToTheTokensNamespacesAndPrefix) {
  const storage::Namespace other = make_namespace("other");
  fill(ns_);
  fill(other.number);
  const std::string own_id = store_->find_namespace("default")->id;
  const Caller here = caller_with(kAll, {own_id});
  const Caller prefixed = caller_with(kAll, {}, "own/");
  const Caller both = caller_with(kAll, {own_id}, "own/");
  for (const Attempt& attempt : attempts()) {
    const auto code = [&](const Caller& caller, std::uint32_t ns, const char* key) {
      fill(ns_);
      fill(other.number);
      return attempt.run(caller, ns, key);
    };
    SCOPED_TRACE(attempt.name);
    EXPECT_EQ(code(here, ns_, "other/key"), Code::kOk);
    EXPECT_EQ(code(here, other.number, "own/key"), Code::kDenied);
    EXPECT_EQ(attempt.run(here, 4711, "own/key"), Code::kNamespaceNotFound);
    EXPECT_EQ(code(prefixed, other.number, "own/key"), Code::kOk);
    EXPECT_EQ(code(prefixed, ns_, "other/key"), Code::kDenied);
    EXPECT_EQ(code(both, ns_, "own/key"), Code::kOk);
    EXPECT_EQ(code(both, ns_, "other/key"), Code::kDenied);
    EXPECT_EQ(code(both, other.number, "own/key"), Code::kDenied);
    EXPECT_EQ(attempt.run(prefixed, ns_, "own"), Code::kDenied);
    EXPECT_EQ(attempt.run(prefixed, ns_, ""), Code::kDenied);
  }
}

TEST_F(RightsTest, AWriteOfWhichOnePartIsDeniedWritesNothing) {
  const Caller caller = caller_with({Scope::kWrite}, {}, "own/");
  for (const bool atomic : {false, true}) {
    storage::Write write;
    write.operations = {put_of("own/a", "v"), put_of("other/b", "v"), delete_of("own/c")};
    write.atomic = atomic;
    EXPECT_EQ(write_as(caller, std::move(write)).code(), Code::kDenied);
    EXPECT_EQ(get_code("own/a"), Code::kNotFound);
  }
}

TEST_F(RightsTest, AMirrorsWriteNeedsAdmin) {
  storage::Write write;
  write.operations = {put_of("key", "v")};
  write.atomic = true;
  write.mirror = storage::MirrorMark{ns_, "1", {}};
  EXPECT_EQ(write_as(caller_with({Scope::kWrite}), write).code(), Code::kDenied);
  EXPECT_TRUE(write_as(caller_with({Scope::kWrite, Scope::kAdmin}), write));
}

TEST_F(RightsTest, NamespacesOutsideTheTokensLimitsAreNotShown) {
  const storage::Namespace other = make_namespace("other");
  const std::string own_id = store_->find_namespace("default")->id;
  const Caller here = caller_with({Scope::kRead}, {own_id});
  ASSERT_EQ(operations_->namespaces(here)->size(), 1U);
  EXPECT_EQ(operations_->namespaces(here)->front().id, own_id);
  EXPECT_EQ(operations_->find_namespace(here, "default")->id, own_id);
  const auto hidden = operations_->find_namespace(here, "other");
  const auto absent = operations_->find_namespace(here, "absent");
  EXPECT_EQ(hidden.code(), Code::kNamespaceNotFound);
  EXPECT_EQ(absent.code(), Code::kNamespaceNotFound);
  EXPECT_EQ(hidden.error().message().size(), absent.error().message().size() - 1);
  EXPECT_EQ(operations_->find_namespace(here, other.id).code(), Code::kNamespaceNotFound);
  EXPECT_EQ(operations_->namespaces(caller_with({Scope::kRead}))->size(), 2U);
}

TEST_F(RightsTest, ChangesOfNamespacesNeedAdminOfAllTheyConcern) {
  const std::string own_id = store_->find_namespace("default")->id;
  struct Change {
    const char* name;
    std::function<Code(const Caller&)> run;
    bool with_namespaces;  // allowed to a token that is limited to this namespace
  };
  const auto nothing = [](auto start) { return wait_for<Nothing>(start).code(); };
  const std::string new_id = "00000000000000000000000000000001";
  const std::vector<Change> changes{
      {"rename",
       [&](const Caller& c) {
         return nothing([&](auto done) { operations_->rename_namespace(c, ns_, "new", done); });
       },
       false},
      {"clear",
       [&](const Caller& c) {
         return nothing([&](auto done) { operations_->clear_namespace(c, ns_, done); });
       },
       true},
      {"create",
       [&](const Caller& c) {
         return wait_for<storage::Namespace>(
                    [&](auto done) { operations_->create_namespace(c, "made", new_id, done); })
             .code();
       },
       true},
      {"delete",
       [&](const Caller& c) {
         return nothing([&](auto done) { operations_->delete_namespace(c, ns_, done); });
       },
       true},
  };
  const Caller no_admin = caller_with({Scope::kRead, Scope::kWrite, Scope::kDelete, Scope::kList});
  const Caller prefixed = caller_with({Scope::kAdmin}, {}, "own/");
  const Caller limited = caller_with({Scope::kAdmin}, {own_id, new_id});
  const Caller elsewhere = caller_with({Scope::kAdmin}, {"00000000000000000000000000000002"});
  for (const Change& change : changes) {
    SCOPED_TRACE(change.name);
    EXPECT_EQ(change.run(no_admin), Code::kDenied);
    EXPECT_EQ(change.run(prefixed), Code::kDenied);
    EXPECT_EQ(change.run(elsewhere), Code::kDenied);
    EXPECT_EQ(change.run(limited), change.with_namespaces ? Code::kOk : Code::kDenied);
  }
}

TEST_F(RightsTest, ATokenIsWantedOnceThereIsOne) {
  Caller before = anybody();
  EXPECT_TRUE(operations_->identify(Face::kRest, "kvt_of_nobody"));  // nothing is wanted
  caller_with({Scope::kRead});
  EXPECT_EQ(operations_->identify(Face::kRest, std::nullopt).code(), Code::kUnauthenticated);
  EXPECT_EQ(operations_->identify(Face::kRest, "").code(), Code::kUnauthenticated);
  EXPECT_EQ(operations_->identify(Face::kRest, made_.secret + "x").code(), Code::kUnauthenticated);
  EXPECT_EQ(get(before, "key").code(), Code::kUnauthenticated);
  EXPECT_EQ(operations_->namespaces(before).code(), Code::kUnauthenticated);
  EXPECT_EQ(get(operations_->trusted(Face::kBinding), "key").code(), Code::kNotFound);
  EXPECT_NE(registry_->render().find("edged_auth_failures_total{face=\"rest\"} 2\n"),
            std::string::npos);
}

TEST_F(RightsTest, ARevokedTokenStopsAtOnce) {
  EXPECT_EQ(write(put_of("key", std::string(600'000, 'v'))).code, Code::kOk);
  caller_with({Scope::kRead});  // the node stays closed
  const Caller caller = caller_with({Scope::kRead, Scope::kWrite, Scope::kList});
  const auto stream = open_value(caller, "key");
  const auto upload = begin_upload(caller, "new");
  ASSERT_TRUE(stream && upload);
  EXPECT_TRUE(read(**stream));
  EXPECT_EQ(append(**upload, "piece"), Code::kOk);
  ASSERT_TRUE(table_->revoke(made_.token.grant.id));
  EXPECT_EQ(read(**stream).code(), Code::kUnauthenticated);
  EXPECT_EQ(append(**upload, "piece"), Code::kUnauthenticated);
  EXPECT_EQ(put_upload(**upload).code(), Code::kUnauthenticated);
  EXPECT_EQ(get(caller, "key").code(), Code::kUnauthenticated);
  EXPECT_EQ(list(caller, "").code(), Code::kUnauthenticated);
  EXPECT_EQ(write_one(caller, put_of("key", "v")), Code::kUnauthenticated);
  EXPECT_EQ(operations_->find_namespace(caller, "default").code(), Code::kUnauthenticated);
  EXPECT_EQ(operations_->namespaces(caller).code(), Code::kUnauthenticated);
}

TEST_F(RightsTest, ATokenThatExpiresStopsAtOnce) {
  access::Grant grant;
  grant.name = "short";
  grant.scopes = {Scope::kRead};
  grant.expires_at = clock_.wall_now() + std::chrono::seconds(10);
  const auto made = table_->create(grant);
  const auto caller = operations_->identify(Face::kRest, made->secret);
  ASSERT_TRUE(caller);
  EXPECT_EQ(get(*caller, "key").code(), Code::kNotFound);
  clock_.advance(std::chrono::seconds(10));
  EXPECT_EQ(get(*caller, "key").code(), Code::kUnauthenticated);
  EXPECT_EQ(operations_->identify(Face::kRest, made->secret).code(), Code::kUnauthenticated);
}

TEST_F(RightsTest, ADeletedNamespaceIsNoLongerTheTokens) {
  const storage::Namespace other = make_namespace("other");
  Caller caller = caller_with(kAll, {other.id});
  EXPECT_EQ(get_in(other.number, caller, "key").code(), Code::kNotFound);
  ASSERT_TRUE(store_->delete_namespace(other.number).ok());
  EXPECT_EQ(get_in(other.number, caller, "key").code(), Code::kNamespaceNotFound);
  // A number is never reused: one with the id that comes later is the token's again.
  const auto again = store_->create_namespace("again", other.id);
  ASSERT_TRUE(again);
  EXPECT_EQ(get_in(again->number, caller, "key").code(), Code::kNotFound);
}

}  // namespace
}  // namespace edged::operations

// SPDX-License-Identifier: Apache-2.0
#include "kvstore/access/access_table.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "kvstore/access/token_file.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace edged::access {
namespace {

class AccessTableTest : public ::testing::Test {
 protected:
  std::unique_ptr<AccessTable> open(bool always_required = false) {
    auto table = AccessTable::open({path_, always_required}, clock_);
    EXPECT_TRUE(table.has_value()) << table.error().message();
    return *std::move(table);
  }
  static Grant grant(const std::string& name) {
    Grant made;
    made.name = name;
    made.scopes = {Scope::kRead};
    return made;
  }
  Result<TokenPtr> authenticate(const AccessTable& table, const std::string& secret) {
    return table.snapshot()->authenticate(secret, clock_.wall_now());
  }
  test::ManualClock clock_;
  test::TempDir dir_;
  std::string path_ = token_file_in(dir_.path());
};

TEST_F(AccessTableTest, IsOpenUntilTheFirstTokenAndAgainAfterTheLast) {
  const auto table = open();
  EXPECT_FALSE(table->snapshot()->required());
  const std::uint64_t before = table->generation();
  const auto made = table->create(grant("a"));
  ASSERT_TRUE(made.has_value()) << made.error().message();
  EXPECT_GT(table->generation(), before);
  EXPECT_EQ(table->snapshot()->generation(), table->generation());
  EXPECT_TRUE(table->snapshot()->required());
  ASSERT_TRUE(table->revoke(made->token.grant.id).has_value());
  EXPECT_FALSE(table->snapshot()->required());
  EXPECT_TRUE(open(true)->snapshot()->required()) << "unless it is to stay closed";
}

TEST_F(AccessTableTest, TitlesInLimitsBecomeIdsOnce) {
  const std::string id(32, 'a'), other(32, 'b');
  const auto table = open();
  Grant limited = grant("a");
  limited.namespaces = {"sessions", other, "absent"};
  const NewToken made = *table->create(limited);
  const auto id_of = [&](const std::string& title) {
    return title == "sessions" ? std::optional(id) : std::nullopt;
  };
  ASSERT_TRUE(table->resolve_titles(id_of).ok());
  const std::vector<std::string> expected{id, other, "absent"};
  EXPECT_EQ((*authenticate(*table, made.secret))->grant.namespaces, expected);
  EXPECT_EQ((*authenticate(*open(), made.secret))->grant.namespaces, expected) << "in the file too";
  const std::uint64_t generation = table->generation();
  // The title has another namespace now.
  ASSERT_TRUE(table
                  ->resolve_titles([&](const std::string& title) {
                    return title == "sessions" ? std::optional(std::string(32, 'c')) : std::nullopt;
                  })
                  .ok());
  EXPECT_EQ((*authenticate(*table, made.secret))->grant.namespaces, expected);
  EXPECT_EQ(table->generation(), generation) << "nothing changed";
}

TEST_F(AccessTableTest, KnowsASecretAndNothingElse) {
  const auto table = open();
  const NewToken made = *table->create(grant("a"));
  const NewToken other = *table->create(grant("b"));
  const auto known = authenticate(*table, made.secret);
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ((*known)->grant.name, "a");
  std::string wrong = made.secret;
  wrong.back() = wrong.back() == 'x' ? 'y' : 'x';
  const std::string swapped = made.secret.substr(0, 21) + other.secret.substr(21);
  std::set<std::string> messages;
  for (const std::string& secret : {std::string(),
                                    std::string("kvt_"),
                                    wrong,
                                    swapped,
                                    made.secret + "x",
                                    made.secret.substr(0, made.secret.size() - 1),
                                    "kvt_ffffffffffffffff_" + made.secret.substr(21),
                                    std::string(1 << 20, 'x')}) {
    const auto refused = authenticate(*table, secret);
    ASSERT_EQ(refused.code(), Code::kUnauthenticated) << secret.substr(0, 80);
    messages.insert(refused.error().message());
  }
  EXPECT_EQ(messages.size(), 1u) << "which part was wrong is not told";
}

TEST_F(AccessTableTest, ExpiryIsJudgedAtUse) {
  const auto table = open();
  Grant brief = grant("a");
  brief.expires_at = clock_.wall_now() + std::chrono::seconds(1);
  const NewToken made = *table->create(brief);
  EXPECT_TRUE(authenticate(*table, made.secret).has_value());
  clock_.advance(std::chrono::milliseconds(999));
  EXPECT_TRUE(authenticate(*table, made.secret).has_value());
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_EQ(authenticate(*table, made.secret).code(), Code::kUnauthenticated);
  EXPECT_TRUE(table->snapshot()->required()) << "an expired token keeps the node closed";
}

TEST_F(AccessTableTest, RevokedAndReplacedTokensAreNotRenewed) {
  const auto table = open();
  const NewToken made = *table->create(grant("a"));
  const TokenPtr held = *authenticate(*table, made.secret);
  ASSERT_TRUE(table->create(grant("b")).has_value());
  EXPECT_NE(table->snapshot()->renewed(*held), nullptr);
  // The same id with another secret, as an edited file could have it.
  ASSERT_TRUE(update_token_file(path_, [](std::vector<Token>& all) {
                all.front().sha256 = sha256("another");
                return Status();
              }).has_value());
  ASSERT_TRUE(table->reload().ok());
  EXPECT_EQ(table->snapshot()->renewed(*held), nullptr);
  ASSERT_TRUE(table->revoke(made.token.grant.id).has_value());
  EXPECT_EQ(table->snapshot()->renewed(*held), nullptr);
  EXPECT_EQ(table->revoke(made.token.grant.id).code(), Code::kNotFound);
}

TEST_F(AccessTableTest, IsTheSameAfterARestart) {
  const NewToken made = *open()->create(grant("a"));
  EXPECT_TRUE(authenticate(*open(), made.secret).has_value());
}

TEST_F(AccessTableTest, TakesOverWhatOthersWroteOnReloadAndWithItsOwnChanges) {
  const auto table = open();
  const auto write = [&](const std::string& name) {
    const NewToken made = make_token(grant(name), clock_.wall_now());
    EXPECT_TRUE(update_token_file(path_, [&](std::vector<Token>& all) {
                  return add_token(all, made.token);
                }).has_value());
    return made.secret;
  };
  const std::string first = write("a");
  EXPECT_FALSE(authenticate(*table, first).has_value());
  ASSERT_TRUE(table->reload().ok());
  EXPECT_TRUE(authenticate(*table, first).has_value());
  const std::string second = write("b");
  ASSERT_TRUE(table->create(grant("c")).has_value());
  EXPECT_TRUE(authenticate(*table, second).has_value());
  EXPECT_EQ(table->create(grant("a")).code(), Code::kExists);
}

TEST_F(AccessTableTest, ABadFileIsRefusedAtTheStartAndLeavesTheTableOnReload) {
  const auto table = open();
  const NewToken made = *table->create(grant("a"));
  const std::uint64_t generation = table->generation();
  const auto still_works = [&](Code code) {
    EXPECT_EQ(table->reload().code(), code);
    EXPECT_EQ(table->generation(), generation);
    EXPECT_TRUE(authenticate(*table, made.secret).has_value());
  };
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  EXPECT_EQ(AccessTable::open({path_}, clock_).code(), Code::kDenied);
  still_works(Code::kDenied);
  std::ofstream(path_, std::ios::trunc) << "{";
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  EXPECT_EQ(AccessTable::open({path_}, clock_).code(), Code::kInvalidArgument);
  still_works(Code::kInvalidArgument);
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  still_works(Code::kNotFound);
}

TEST_F(AccessTableTest, WithoutAFileItKeepsNone) {
  const auto table = *AccessTable::open({}, clock_);
  EXPECT_FALSE(table->snapshot()->required());
  EXPECT_EQ(table->create(grant("a")).code(), Code::kUnsupported);
  EXPECT_EQ(table->revoke("x").code(), Code::kUnsupported);
  EXPECT_TRUE(table->reload().ok());
}

TEST_F(AccessTableTest, ReadersAndChangesAtOnce) {
  const auto table = open();
  const NewToken kept = *table->create(grant("kept"));
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      std::uint64_t last = 0;
      while (!stop) {
        const std::uint64_t generation = table->generation();
        const auto snapshot = table->snapshot();
        EXPECT_GE(generation, last);
        EXPECT_GE(snapshot->generation(), generation);
        EXPECT_TRUE(snapshot->authenticate(kept.secret, clock_.wall_now()).has_value());
        last = generation;
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    const auto made = table->create(grant(std::to_string(i)));
    ASSERT_TRUE(made.has_value()) << made.error().message();
    ASSERT_TRUE(table->revoke(made->token.grant.id).has_value());
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(table->snapshot()->tokens().size(), 1u);
}

}  // namespace
}  // namespace edged::access

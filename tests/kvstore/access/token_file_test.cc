// SPDX-License-Identifier: Apache-2.0
#include "kvstore/access/token_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tests/support/temp_dir.h"

namespace edged::access {
namespace {

Token token(const std::string& name) {
  Grant grant;
  grant.name = name;
  grant.scopes = {Scope::kRead};
  return make_token(grant, from_unix_ms(1)).token;
}

class TokenFileTest : public ::testing::Test {
 protected:
  Result<std::vector<Token>> add(const std::string& name) {
    return update_token_file(path_,
                             [&](std::vector<Token>& all) { return add_token(all, token(name)); });
  }
  std::string text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  test::TempDir dir_;
  std::string data_ = dir_.path() + "/data";
  std::string path_ = token_file_in(data_);
};

TEST_F(TokenFileTest, IsMadeWithItsDirectoryForItsOwnerAlone) {
  EXPECT_EQ(read_token_file(path_).code(), Code::kNotFound);
  ASSERT_TRUE(add("a").has_value());
  struct stat facts {};
  ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  const auto read = read_token_file(path_);
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(read->front().grant.name, "a");
  EXPECT_NE(::access((path_ + ".new").c_str(), F_OK), 0);
}

TEST_F(TokenFileTest, RefusesAFileThatOthersMayOpen) {
  ASSERT_TRUE(add("a").has_value());
  for (const mode_t mode : {0640u, 0604u, 0620u, 0602u, 0610u, 0644u}) {
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    const auto read = read_token_file(path_);
    EXPECT_EQ(read.code(), Code::kDenied) << std::oct << mode;
    EXPECT_NE(read.error().message().find("chmod 600 " + path_), std::string::npos);
    EXPECT_EQ(add("b").code(), Code::kDenied) << "nor is it changed";
  }
  ASSERT_EQ(::chmod(path_.c_str(), 0400), 0);
  EXPECT_TRUE(read_token_file(path_).has_value());
}

TEST_F(TokenFileTest, RefusesWhatIsNoTokenFileAndLeavesItAlone) {
  ASSERT_TRUE(add("a").has_value());
  const std::string good = text();
  for (const std::string& bad :
       {std::string(), std::string("{"), good.substr(0, good.size() / 2), std::string("{}")}) {
    std::ofstream(path_, std::ios::trunc) << bad;
    const auto read = read_token_file(path_);
    EXPECT_EQ(read.code(), Code::kInvalidArgument) << bad;
    EXPECT_NE(read.error().message().find(path_), std::string::npos);
    EXPECT_EQ(add("b").code(), Code::kInvalidArgument);
    EXPECT_EQ(text(), bad);
  }
  std::ofstream(path_, std::ios::trunc) << std::string((16 << 20) + 1, ' ');
  EXPECT_NE(read_token_file(path_).error().message().find("larger than 16 MiB"), std::string::npos);
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  EXPECT_NE(read_token_file(path_).error().message().find("not a file"), std::string::npos);
}

TEST_F(TokenFileTest, AChangeThatFailsChangesNothing) {
  ASSERT_TRUE(add("a").has_value());
  const std::string before = text();
  EXPECT_EQ(add("a").code(), Code::kExists);
  EXPECT_EQ(update_token_file(path_,
                              [](std::vector<Token>& all) {
                                all.clear();
                                return Status(Code::kInternal, "no");
                              })
                .code(),
            Code::kInternal);
  EXPECT_EQ(
      update_token_file(path_, [](std::vector<Token>& all) { return remove_token(all, "nobody"); })
          .code(),
      Code::kNotFound);
  EXPECT_EQ(text(), before);
}

TEST_F(TokenFileTest, HoldsAThousandTokens) {
  const auto fill = [](std::size_t count) {
    return [count](std::vector<Token>& all) {
      while (all.size() < count) all.push_back(token(std::to_string(all.size())));
      return Status();
    };
  };
  ASSERT_TRUE(update_token_file(path_, fill(kTokensMax)).has_value());
  EXPECT_EQ(read_token_file(path_)->size(), kTokensMax);
  EXPECT_EQ(add("one more").code(), Code::kTooLarge);
  EXPECT_EQ(read_token_file(path_)->size(), kTokensMax);
}

TEST_F(TokenFileTest, WritersAtOnceLoseNothing) {
  std::vector<std::thread> writers;
  std::atomic<int> failed{0};
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        if (!add(std::to_string(t) + "-" + std::to_string(i))) ++failed;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(read_token_file(path_)->size(), 40u);
}

TEST_F(TokenFileTest, WaitsForAnotherWriter) {
  ASSERT_TRUE(add("a").has_value());
  const int other = ::open((data_ + "/tokens.lock").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    EXPECT_TRUE(add("b").has_value());
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(done);
  ::close(other);
  writer.join();
  EXPECT_EQ(read_token_file(path_)->size(), 2u);
}

}  // namespace
}  // namespace edged::access

// SPDX-License-Identifier: Apache-2.0
// Secrets in files: what is refused, and how one is replaced.
#include "proto/base/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "tests/support/temp_dir.h"

namespace edged {
namespace {

class SecretFileTest : public ::testing::Test {
 protected:
  void write(const std::string& text, mode_t mode = 0600) {
    std::ofstream(path_, std::ios::binary) << text;
    ::chmod(path_.c_str(), mode);
  }
  std::string refusal() {
    const Result<std::string> read = read_secret_file(path_);
    return read ? "" : read.error().message();
  }

  test::TempDir directory_;
  const std::string path_ = directory_.path() + "/secret";
};

TEST_F(SecretFileTest, ReadsTheFirstLineWithoutBlanksAtItsEnds) {
  for (const char* text : {"s3cret", "s3cret\n", "s3cret\r\n", " \ts3cret \n", "s3cret\nmore\n"}) {
    write(text);
    const Result<std::string> read = read_secret_file(path_);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, "s3cret");
  }
}

TEST_F(SecretFileTest, RefusesWhatIsNoSecret) {
  EXPECT_NE(refusal().find("No such file"), std::string::npos);
  for (const auto& [text, said] : {std::pair<std::string, const char*>{"", "it is empty"},
                                   {"\nsecret\n", "its first line is empty"},
                                   {"  \t\r\nsecret", "its first line is empty"},
                                   {"two\twords", "control character"},
                                   {std::string("a\0b", 3), "control character"},
                                   {std::string(4097, 'x'), "longer than 4096 bytes"}}) {
    write(text);
    EXPECT_NE(refusal().find(said), std::string::npos) << refusal();
    EXPECT_EQ(refusal().find("secret\n"), std::string::npos);
  }
  write("s3cret", 0604);
  EXPECT_NE(refusal().find("everybody can read it"), std::string::npos);
  EXPECT_EQ(refusal().find("s3cret"), std::string::npos);
  EXPECT_FALSE(read_secret_file(directory_.path()));
}

TEST_F(SecretFileTest, FollowsEveryChangeAndKeepsTheLastGoodSecret) {
  SecretFile file(path_, "a.key_file");
  EXPECT_FALSE(file.get());
  write("first");
  ASSERT_TRUE(file.get());
  for (const char* next : {"other", "third", "a longer one", "fifth"}) {
    write(next);
    EXPECT_EQ(*file.get(), next) << "written in place, within one time stamp";
  }
  write("sixth", 0644);
  EXPECT_EQ(*file.get(), "fifth");
  ::chmod(path_.c_str(), 0600);
  EXPECT_EQ(*file.get(), "sixth");
  std::remove(path_.c_str());
  EXPECT_EQ(*file.get(), "sixth");
  write("seventh");
  EXPECT_EQ(*file.get(), "seventh");
}

}  // namespace
}  // namespace edged

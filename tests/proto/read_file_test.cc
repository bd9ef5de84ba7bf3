// SPDX-License-Identifier: Apache-2.0
#include "proto/base/read_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace edged {
namespace {

constexpr uid_t kSomebody = 65534;

class ReadFileTest : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  static std::string why_not(const std::string& path) {
    const auto content = read_small_file(path, 100);
    return content ? why_not_own_file(path, *content) : content.error().message();
  }
  test::TempDir directory_;
};

TEST_F(ReadFileTest, ReadsUpToItsBound) {
  EXPECT_EQ(read_small_file(write("file", "hello"), 5)->bytes, "hello");
  EXPECT_EQ(read_small_file(write("file", ""), 5)->bytes, "");
  const auto large = read_small_file(write("file", "hello!"), 5);
  EXPECT_EQ(large.code(), Code::kTooLarge);
  EXPECT_EQ(large.error().message(), "it is larger than 5 bytes");
}

TEST_F(ReadFileTest, ReadsFilesWhoseSizeIsNotKnownBefore) {
  EXPECT_FALSE(read_small_file("/proc/self/status", 100'000)->bytes.empty());
}

TEST_F(ReadFileTest, RefusesWhatIsNoFileWithoutReadingIt) {
  const std::string pipe = directory_.path() + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {std::string("/dev/zero"), pipe}) {
    EXPECT_EQ(read_small_file(path, 100).error().message(),
              "it is not a regular file but a device, pipe or socket");
  }
  EXPECT_EQ(read_small_file(directory_.path(), 100).error().message(), "it is a directory");
  EXPECT_EQ(read_small_file(directory_.path() + "/none", 100).code(), Code::kNotFound);
}

TEST_F(ReadFileTest, BelievesAFileThatOnlyItsUserCanWrite) {
  EXPECT_EQ(why_not(write("mine", "", 0644)), "");
  EXPECT_EQ(why_not(write("group", "", 0664)), "other users can write it");
  EXPECT_EQ(why_not(write("all", "", 0602)), "other users can write it");
}

TEST_F(ReadFileTest, BelievesNoFileInADirectoryThatOthersCanWrite) {
  const std::string path = write("mine", "");
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0777), 0);
  EXPECT_EQ(why_not(path), "other users can write its directory");
  ASSERT_EQ(::chmod(directory_.path().c_str(), 01777), 0);
  EXPECT_EQ(why_not(path), "") << "others cannot replace it there";
}

TEST_F(ReadFileTest, BelievesNoFileOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to make a file of another user";
  const std::string path = write("theirs", "");
  ASSERT_EQ(::chown(path.c_str(), kSomebody, kSomebody), 0);
  EXPECT_EQ(why_not(path), "it belongs to another user (uid 65534)");
  const std::string mine = write("mine", "");
  const std::string link = directory_.path() + "/link";
  std::filesystem::create_symlink(mine, link);
  EXPECT_EQ(why_not(link), "");
  ASSERT_EQ(::lchown(link.c_str(), kSomebody, kSomebody), 0);
  EXPECT_EQ(why_not(link), "the link to it belongs to another user (uid 65534)");
  ASSERT_EQ(::chown(directory_.path().c_str(), kSomebody, kSomebody), 0);
  EXPECT_EQ(why_not(mine), "its directory belongs to another user (uid 65534)");
}

}  // namespace
}  // namespace edged

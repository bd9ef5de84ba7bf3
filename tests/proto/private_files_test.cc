// SPDX-License-Identifier: Apache-2.0
#include "proto/base/private_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_dir.h"

namespace edged {
namespace {

constexpr uid_t kSomebody = 65534;

class PrivateFilesTest : public testing::Test {
 protected:
  PrivateFilesTest() : umask_(::umask(0)) {}
  ~PrivateFilesTest() override { ::umask(umask_); }

  std::string at(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string make_directory(const std::string& name, mode_t mode) {
    std::filesystem::create_directory(at(name));
    EXPECT_EQ(::chmod(at(name).c_str(), mode), 0);
    return at(name);
  }
  void make_file(const std::string& name, mode_t mode) {
    std::ofstream(at(name)) << "x";
    EXPECT_EQ(::chmod(at(name).c_str(), mode), 0);
  }
  mode_t mode_of(const std::string& name) const {
    struct stat facts {};
    EXPECT_EQ(::lstat(at(name).c_str(), &facts), 0) << name;
    return facts.st_mode & 07777;
  }

  test::TempDir directory_;
  const mode_t umask_;
};

TEST_F(PrivateFilesTest, MakesDirectoriesForTheirOwnerWhateverTheUmask) {
  for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{0777}}) {
    ::umask(mask);
    const std::string name = "made-" + std::to_string(mask);
    EXPECT_TRUE(make_private_directory(at(name + "/a/b")).ok());
    for (const std::string& made : {name, name + "/a", name + "/a/b"}) {
      EXPECT_EQ(mode_of(made), 0700u) << made;
    }
  }
}

TEST_F(PrivateFilesTest, LeavesTheModesOfDirectoriesThatExist) {
  make_directory("shared", 01777);
  EXPECT_TRUE(make_private_directory(at("shared/mine")).ok());
  EXPECT_EQ(mode_of("shared"), 01777u);
}

TEST_F(PrivateFilesTest, SaysWhatIsNoDirectory) {
  make_file("file", 0600);
  for (const char* name : {"file", "file/below"}) {
    const Status made = make_private_directory(at(name), "data directory");
    EXPECT_EQ(made.message(),
              "could not create data directory \"" + at(name) + "\": Not a directory");
  }
}

TEST_F(PrivateFilesTest, TightensWhatOthersCouldOpen) {
  make_directory("top", 0755);
  make_directory("top/db", 0777);
  make_directory("top/db/deep", 0755);
  make_file("top/db/log", 0644);
  make_file("top/db/deep/table", 0666);
  make_file("top/key", 0640);
  make_file("top/other", 0644);
  tighten_private_directory(at("top"), {"db", "key", "absent"});
  EXPECT_EQ(mode_of("top"), 0700u);
  EXPECT_EQ(mode_of("top/db"), 0700u);
  EXPECT_EQ(mode_of("top/db/deep"), 0700u);
  EXPECT_EQ(mode_of("top/db/log"), 0600u);
  EXPECT_EQ(mode_of("top/db/deep/table"), 0600u);
  EXPECT_EQ(mode_of("top/key"), 0600u);
  EXPECT_EQ(mode_of("top/other"), 0644u) << "it is not ours";
}

TEST_F(PrivateFilesTest, FollowsTheDirectorysOwnLinkAndNoneInIt) {
  make_directory("real", 0755);
  make_file("outside", 0644);
  make_directory("outside-directory", 0755);
  std::filesystem::create_symlink(at("outside"), at("real/key"));
  std::filesystem::create_symlink(at("outside-directory"), at("real/db"));
  std::filesystem::create_symlink(at("real"), at("link"));
  tighten_private_directory(at("link"), {"key", "db"});
  EXPECT_EQ(mode_of("real"), 0700u);
  EXPECT_EQ(mode_of("outside"), 0644u);
  EXPECT_EQ(mode_of("outside-directory"), 0755u);
}

TEST_F(PrivateFilesTest, LeavesASharedDirectoryAndClosesWhatIsInIt) {
  make_directory("tmp", 01777);
  make_directory("tmp/db", 0755);
  tighten_private_directory(at("tmp"), {"db"});
  EXPECT_EQ(mode_of("tmp"), 01777u);
  EXPECT_EQ(mode_of("tmp/db"), 0700u);
}

TEST_F(PrivateFilesTest, DoesNotLockAnotherUsersFilesAway) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to make a file of another user";
  make_directory("lib", 0755);
  make_directory("lib/db", 0755);
  make_directory("lib/postgresql", 0700);
  ASSERT_EQ(::chown(at("lib/postgresql").c_str(), kSomebody, kSomebody), 0);
  tighten_private_directory(at("lib"), {"db"});
  EXPECT_EQ(mode_of("lib"), 0755u);
  EXPECT_EQ(mode_of("lib/db"), 0700u);
}

}  // namespace
}  // namespace edged

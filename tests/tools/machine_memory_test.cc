// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/machine_memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/support/temp_dir.h"

namespace edged {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1ULL << 20;

class MachineMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write("proc/meminfo", "Shmem:  12 kB\nMemTotal:        8192 kB\nMemFree:  1 kB\n");
  }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::uint64_t available() { return available_memory_bytes(root_); }

  const test::TempDir directory_;
  const fs::path root_ = directory_.path();
};

TEST_F(MachineMemoryTest, TheMachineWithoutGroups) {
  EXPECT_EQ(available(), 8 * kMiB);
}

TEST_F(MachineMemoryTest, ItsOwnGroupOfVersion2) {
  write("proc/self/cgroup", "0::/user/app\n");
  write("sys/fs/cgroup/user/app/memory.max", "3145728\n");
  write("sys/fs/cgroup/user/memory.max", "max\n");
  EXPECT_EQ(available(), 3 * kMiB);
}

TEST_F(MachineMemoryTest, AGroupAboveIsTighter) {
  write("proc/self/cgroup", "0::/user/app\n");
  write("sys/fs/cgroup/user/app/memory.max", "3145728\n");
  write("sys/fs/cgroup/user/memory.max", "2097152\n");
  EXPECT_EQ(available(), 2 * kMiB);
}

TEST_F(MachineMemoryTest, AContainerSeesItsGroupAsTheRoot) {
  write("proc/self/cgroup", "0::/../../of/the/host\n");
  write("sys/fs/cgroup/memory.max", "4194304\n");
  EXPECT_EQ(available(), 4 * kMiB);
}

TEST_F(MachineMemoryTest, Version1) {
  write("proc/self/cgroup", "7:cpu,cpuacct:/box\n5:memory:/box\n0::/\n");
  write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "5242880\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(available(), 5 * kMiB);
}

TEST_F(MachineMemoryTest, NoLimitAndNonsenseLeaveTheMachine) {
  write("proc/self/cgroup", "0::/app\nnonsense\n::::\n");
  write("sys/fs/cgroup/app/memory.max", "max\n");
  write("sys/fs/cgroup/memory.max", "-1\n");
  EXPECT_EQ(available(), 8 * kMiB);
}

TEST_F(MachineMemoryTest, NothingIsTold) {
  fs::remove_all(root_ / "proc");
  EXPECT_EQ(available(), 0U);
}

TEST(MachineMemoryDefaultTest, IsWithinItsBounds) {
  const std::uint64_t budget = default_memory_budget_bytes();
  EXPECT_GE(budget, 32 * kMiB);
  EXPECT_LE(budget, 4096 * kMiB);
}

}  // namespace
}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/state_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_dir.h"

namespace edged {
namespace {

class StateDirTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
  // The name of a worker on the machine with this id; "": a machine without one.
  std::string name_on(const std::string& machine_id, const std::string& directory = "state") {
    std::filesystem::remove(path("machine-id"));
    if (!machine_id.empty()) std::ofstream(path("machine-id")) << machine_id << "\n";
    const auto opened = StateDir::open(path(directory), path("machine-id"));
    return opened ? opened->worker_name() : opened.error().to_string();
  }
  test::TempDir directory_;
};

TEST_F(StateDirTest, KeepsTheNameOnOneMachine) {
  const std::string name = name_on("one");
  EXPECT_EQ(name.size(), 32U);
  EXPECT_EQ(name_on("one"), name);
}

TEST_F(StateDirTest, ACopyOnAnotherMachineIsAnotherWorker) {
  const std::string name = name_on("one");
  std::filesystem::copy(path("state"), path("copy"));
  const std::string other = name_on("two", "copy");
  EXPECT_NE(other, name);
  EXPECT_EQ(name_on("two", "copy"), other);
  EXPECT_EQ(name_on("one"), name);
}

TEST_F(StateDirTest, AMachineWithoutAnIdKeepsWhatThereIs) {
  const std::string name = name_on("");
  EXPECT_EQ(name_on(""), name);
  EXPECT_EQ(name_on("one"), name) << "an older version's directory is this machine's";
  EXPECT_EQ(name_on(""), name);
}

TEST_F(StateDirTest, DoesNotStoreTheMachinesId) {
  name_on("0123456789abcdef0123456789abcdef");
  for (const auto& file : std::filesystem::directory_iterator(path("state"))) {
    std::ifstream in(file.path());
    const std::string content((std::istreambuf_iterator<char>(in)), {});
    EXPECT_EQ(content.find("0123456789abcdef"), std::string::npos) << file.path();
  }
}

TEST_F(StateDirTest, BelongsToOneProcess) {
  const auto first = StateDir::open(path("state"), path("machine-id"));
  ASSERT_TRUE(first);
  EXPECT_EQ(StateDir::open(path("state"), path("machine-id")).code(), Code::kBusy);
}

}  // namespace
}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
// The supervisor in a process of its own, since it needs a single thread and takes signals; its
// children are shell scripts that leave notes in a directory.
#include "tools/edged/supervisor.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "proto/base/log.h"
#include "tests/support/temp_dir.h"

namespace edged {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{60};

bool wait_for(const std::function<bool()>& condition) {
  const auto end = steady_clock::now() + kPatience;
  while (!condition()) {
    if (steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

class SupervisorTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (supervisor_ > 0) {
      ::kill(supervisor_, SIGKILL);
      ::waitpid(supervisor_, nullptr, 0);
    }
  }

  // A child that appends its pid to NAME.pids, then runs `script` in the directory.
  SupervisedProgram scripted(const std::string& name, const std::string& script) {
    return {
        name,
        "/bin/sh",
        {"sh", "-c", "cd '" + directory_.path() + "'; echo $$ >> " + name + ".pids; " + script}};
  }

  void start(std::vector<SupervisedProgram> programs,
             SupervisorOptions options = quick(),
             bool is_subreaper = false) {
    supervisor_ = ::fork();
    if (supervisor_ != 0) return;
    if (is_subreaper) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    log::init("test", log::Level::kOff);
    ::_exit(Supervisor(std::move(programs), options).run());
  }

  static SupervisorOptions quick() {
    SupervisorOptions options;
    options.delay_first = std::chrono::milliseconds(20);
    options.delay_max = std::chrono::milliseconds(80);
    options.stop_timeout = std::chrono::milliseconds(500);
    return options;
  }

  std::vector<pid_t> pids(const std::string& name) {
    std::ifstream file(directory_.path() + "/" + name + ".pids");
    std::vector<pid_t> all;
    for (pid_t pid = 0; file >> pid;) all.push_back(pid);
    return all;
  }

  bool exists(const std::string& name) {
    return std::filesystem::exists(directory_.path() + "/" + name);
  }

  // The supervisor's exit code; -1 if it was killed or still runs.
  int exit_code() {
    int status = 0;
    const bool ended =
        wait_for([&] { return ::waitpid(supervisor_, &status, WNOHANG) == supervisor_; });
    if (!ended) return -1;
    supervisor_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  test::TempDir directory_;
  pid_t supervisor_ = 0;
};

constexpr const char* kWaitForTerm =
    "trap 'touch ended; exit 0' TERM; touch ready; while :; do sleep 0.02; done";

TEST_F(SupervisorTest, RestartsTheOneThatWasKilledAndLeavesTheOther) {
  start({scripted("a", kWaitForTerm), scripted("b", kWaitForTerm)});
  ASSERT_TRUE(wait_for([&] { return pids("a").size() == 1 && pids("b").size() == 1; }));
  ::kill(pids("a").front(), SIGKILL);
  ASSERT_TRUE(wait_for([&] { return pids("a").size() == 2; }));
  EXPECT_EQ(pids("b").size(), 1U);
  EXPECT_EQ(::kill(pids("b").front(), 0), 0);
  ::kill(supervisor_, SIGTERM);
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(SupervisorTest, EndsBothOnSigtermAndSigint) {
  for (const int signal : {SIGTERM, SIGINT}) {
    std::filesystem::remove(directory_.path() + "/a.pids");
    std::filesystem::remove(directory_.path() + "/ended");
    std::filesystem::remove(directory_.path() + "/ready");
    start({scripted("a", kWaitForTerm)});
    ASSERT_TRUE(wait_for([&] { return exists("ready"); }));
    ::kill(supervisor_, signal);
    EXPECT_EQ(exit_code(), 0);
    EXPECT_TRUE(exists("ended"));
    EXPECT_NE(::kill(pids("a").front(), 0), 0);
  }
}

TEST_F(SupervisorTest, KillsWhatDoesNotStop) {
  start({scripted("a", "trap '' TERM; touch deaf; while :; do sleep 0.02; done")});
  ASSERT_TRUE(wait_for([&] { return exists("deaf"); }));
  ::kill(supervisor_, SIGTERM);
  EXPECT_EQ(exit_code(), 0);
  EXPECT_NE(::kill(pids("a").front(), 0), 0);
}

TEST_F(SupervisorTest, ForwardsSighup) {
  start({scripted("a", "trap 'touch hup' HUP; touch ready; while :; do sleep 0.02; done")});
  ASSERT_TRUE(wait_for([&] { return exists("ready"); }));
  ::kill(supervisor_, SIGHUP);
  EXPECT_TRUE(wait_for([&] { return exists("hup"); }));
  EXPECT_EQ(pids("a").size(), 1U);
}

TEST_F(SupervisorTest, GoesOnRestartingWhatExitsAtOnce) {
  start({scripted("a", "exit 1")});
  EXPECT_TRUE(wait_for([&] { return pids("a").size() >= 4; }));
}

TEST_F(SupervisorTest, IsInNoHurryAfterAConfigurationError) {
  SupervisorOptions options = quick();
  options.delay_max = std::chrono::milliseconds(60'000);
  start({scripted("wrong", "exit 2"), scripted("damaged", "exit 6"), scripted("other", "exit 1")},
        options);
  ASSERT_TRUE(wait_for([&] { return pids("other").size() >= 4; }));
  EXPECT_EQ(pids("wrong").size(), 1U);
  EXPECT_EQ(pids("damaged").size(), 1U);
}

// As process 1 of a container does: it is given the children of those that end before them.
TEST_F(SupervisorTest, ReapsProcessesThatAreReparentedToIt) {
  start({scripted("a", "(sh -c 'echo $$ > orphan; exec sleep 0.2' &); exec sleep 1000")},
        quick(),
        true);
  ASSERT_TRUE(wait_for([&] { return std::ifstream(directory_.path() + "/orphan").peek() > 0; }));
  pid_t orphan = 0;
  std::ifstream(directory_.path() + "/orphan") >> orphan;
  // A zombie still has its pid.
  EXPECT_TRUE(wait_for([&] { return ::kill(orphan, 0) != 0; }));
  EXPECT_EQ(pids("a").size(), 1U);
  ::kill(supervisor_, SIGTERM);
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(SupervisorTest, ChildrenAreKilledByABrokenPipeAsUsual) {
  ::signal(SIGPIPE, SIG_IGN);  // as edged does
  start({scripted("a", "grep SigIgn /proc/self/status > ignored")});
  ASSERT_TRUE(wait_for([&] { return std::ifstream(directory_.path() + "/ignored").peek() > 0; }));
  std::string name, mask;
  std::ifstream(directory_.path() + "/ignored") >> name >> mask;
  EXPECT_EQ(std::stoull(mask, nullptr, 16) >> (SIGPIPE - 1) & 1, 0U);
  ::signal(SIGPIPE, SIG_DFL);
}

TEST_F(SupervisorTest, TakesItsChildrenAlong) {
  start({scripted("a", kWaitForTerm)});
  ASSERT_TRUE(wait_for([&] { return exists("ready"); }));
  ::kill(supervisor_, SIGKILL);
  EXPECT_EQ(exit_code(), -1);
  EXPECT_TRUE(wait_for([&] { return exists("ended"); }));
}

}  // namespace
}  // namespace edged

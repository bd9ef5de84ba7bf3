// SPDX-License-Identifier: Apache-2.0
// Acknowledged is kept: a writer process is killed with SIGKILL, its log is damaged in every way
// that matters, and the store must come back with everything acknowledged or refuse, leaving the
// log as it was. The children only write: RocksDB's background threads, once
// started, do not exist in a fork, so a child must not flush or close.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>

#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using ::testing::HasSubstr;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class StoreRecoveryTest : public StoreFixture {
 protected:
  static constexpr int kEntries = 200;

  // Runs `body` in a child process, which ends by SIGKILL with everything open.
  void run_and_kill(const std::function<void()>& body) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      body();
      ::raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  }

  // kEntries acknowledged writes: the first `synced` of them with kSync.
  void write_entries_and_die(int synced) {
    run_and_kill([&] {
      open();
      for (int i = 0; i < kEntries; ++i) {
        const auto durability = i < synced ? Durability::kSync : Durability::kWal;
        const auto outcome =
            write(put_of("key" + std::to_string(i), std::string(50, 'v')), durability);
        if (outcome.code != Code::kOk) ::_exit(1);
      }
    });
  }

  int count_entries() {
    int found = 0;
    for (int i = 0; i < kEntries; ++i) found += value_of("key" + std::to_string(i)) != "(none)";
    return found;
  }

  std::string log_path() const {
    std::string found;
    for (const auto& file : std::filesystem::directory_iterator(options_.data_dir + "/db")) {
      if (file.path().extension() == ".log") found = std::max(found, file.path().string());
    }
    return found;
  }

  void expect_refusal() {
    const std::string path = log_path();
    const std::string bytes = read_file(path);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto opened = open_rocks_store(options_);
      ASSERT_FALSE(opened);
      EXPECT_EQ(opened.code(), Code::kCorruption);
      EXPECT_THAT(opened.error().message(),
                  HasSubstr("could not open database \"" + options_.data_dir + "\": "));
      EXPECT_THAT(opened.error().message(), HasSubstr(path));
      EXPECT_THAT(opened.error().message(), ::testing::Not(HasSubstr("\n")));
      EXPECT_EQ(log_path(), path);
      EXPECT_TRUE(read_file(path) == bytes) << "the damaged log was changed";
    }
  }

  void flip(double part) {
    std::string bytes = read_file(log_path());
    const auto at = static_cast<std::size_t>(part * static_cast<double>(bytes.size() - 1));
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    write_file(log_path(), bytes);
  }
  void cut(double part) {
    const std::string bytes = read_file(log_path());
    write_file(log_path(),
               bytes.substr(0, static_cast<std::size_t>(part * static_cast<double>(bytes.size()))));
  }
  void reboot() { options_.boot_id = "another boot, 16"; }
};

TEST_F(StoreRecoveryTest, KillNineLosesNoAcknowledgedWrite) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  int acknowledged = 0;
  for (int round = 0; round < 5; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe_ends[0]);
      open();
      for (int i = acknowledged;; ++i) {
        const auto durability = i % 7 == 0 ? Durability::kSync : Durability::kWal;
        if (write(put_of("key" + std::to_string(i), "value" + std::to_string(i)), durability)
                .code != Code::kOk) {
          ::_exit(1);
        }
        if (::write(pipe_ends[1], &i, sizeof(i)) != sizeof(i)) ::_exit(2);
      }
    }
    ::close(pipe_ends[1]);
    const int target = acknowledged + 50 + static_cast<int>(random() % 400);
    int number = 0;
    while (::read(pipe_ends[0], &number, sizeof(number)) == sizeof(number)) {
      if (number == target) ::kill(child, SIGKILL);
      acknowledged = number + 1;  // what is in the pipe after the kill counts too
    }
    ::close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << status;
    ASSERT_GT(acknowledged, target);
    open();
    for (int i = 0; i < acknowledged; ++i) {
      ASSERT_EQ(value_of("key" + std::to_string(i)), "value" + std::to_string(i))
          << "round " << round;
    }
    // The one write that may have been under way: whole or absent.
    const std::string next = value_of("key" + std::to_string(acknowledged));
    EXPECT_TRUE(next == "(none)" || next == "value" + std::to_string(acknowledged)) << next;
    close();
  }
}

TEST_F(StoreRecoveryTest, AFlippedByteOfTheLogRefusesAndRepairingItLosesNothing) {
  write_entries_and_die(0);
  const std::string path = log_path();
  const std::string whole = read_file(path);
  for (const double part : {0.05, 0.3, 0.5, 0.9, 0.999}) {
    SCOPED_TRACE(part);
    flip(part);
    expect_refusal();
    write_file(path, whole);
  }
  open();
  EXPECT_EQ(count_entries(), kEntries);
}

TEST_F(StoreRecoveryTest, ACutOrEmptyOrMissingLogRefuses) {
  write_entries_and_die(0);
  const std::string path = log_path();
  const std::string whole = read_file(path);
  for (const double part : {0.0, 0.1, 0.5, 0.999}) {
    SCOPED_TRACE(part);
    cut(part);
    expect_refusal();
    write_file(path, whole);
  }
  std::filesystem::remove(path);
  EXPECT_EQ(open_rocks_store(options_).code(), Code::kCorruption);
  write_file(path, whole);
  open();
  EXPECT_EQ(count_entries(), kEntries);
}

TEST_F(StoreRecoveryTest, AHoleOfZerosInTheLogRefuses) {
  write_entries_and_die(0);
  std::string bytes = read_file(log_path());
  ASSERT_GT(bytes.size(), 12'000U);
  std::fill_n(bytes.begin() + 4096, 4096, '\0');
  write_file(log_path(), bytes);
  expect_refusal();
}

TEST_F(StoreRecoveryTest, GarbageAfterTheLastRecordIsHarmless) {
  write_entries_and_die(0);
  write_file(log_path(), read_file(log_path()) + std::string(64, '\x5a'));
  open();
  EXPECT_EQ(count_entries(), kEntries);
}

TEST_F(StoreRecoveryTest, AfterAPowerCutWhatWasSyncedMustBeThere) {
  write_entries_and_die(kEntries / 2);
  const std::string whole = read_file(log_path());
  reboot();
  for (const double part : {0.2, 0.4}) {  // within the synced half
    SCOPED_TRACE(part);
    cut(part);
    expect_refusal();
    write_file(log_path(), whole);
    flip(part);
    expect_refusal();
    write_file(log_path(), whole);
  }
  flip(0.75);  // torn behind the last sync: an ordinary power cut
  open();
  EXPECT_GE(count_entries(), kEntries / 2);
  EXPECT_LT(count_entries(), kEntries);
}

TEST_F(StoreRecoveryTest, RefusesWithoutAReadableMark) {
  write_entries_and_die(0);
  const std::string path = options_.data_dir + "/store.mark";
  const std::string whole = read_file(path);
  for (const std::string& damaged : {std::string(4096, 'x'), std::string(), whole.substr(0, 40)}) {
    write_file(path, damaged);
    const auto opened = open_rocks_store(options_);
    EXPECT_EQ(opened.code(), Code::kCorruption);
    EXPECT_THAT(opened.error().message(), HasSubstr("no slot of \"" + path + "\" is whole"));
  }
  std::filesystem::remove(path);
  const auto opened = open_rocks_store(options_);
  EXPECT_EQ(opened.code(), Code::kCorruption);
  EXPECT_THAT(opened.error().message(), HasSubstr("no \"" + path + "\""));
  write_file(path, whole);
  open();
  EXPECT_EQ(count_entries(), kEntries);
}

TEST_F(StoreRecoveryTest, AVanishedDatabaseBesideItsMarkIsNotMadeAnew) {
  write_entries_and_die(0);
  std::filesystem::remove_all(options_.data_dir + "/db");
  const auto opened = open_rocks_store(options_);
  EXPECT_EQ(opened.code(), Code::kCorruption);
  EXPECT_FALSE(std::filesystem::exists(options_.data_dir + "/db/CURRENT"));
}

TEST_F(StoreRecoveryTest, DeadDataStaysDeadWhenTheClockGoesBackOverAKill) {
  run_and_kill([&] {
    open();
    put("dead", "v", std::chrono::seconds(1));
    put("alive", "v", std::chrono::hours(1));
    clock_.advance(std::chrono::seconds(2));
    put("any", "v");  // the mark is kept with every write
  });
  clock_.step_wall(-std::chrono::hours(24));
  for (int boot = 0; boot < 2; ++boot) {
    open();
    EXPECT_EQ(value_of("dead"), "(none)") << boot;
    EXPECT_EQ(value_of("alive"), "v") << boot;
    close();
    reboot();
  }
  std::filesystem::remove(options_.data_dir + "/store.mark");
  options_.read_only = true;
  open();
  EXPECT_EQ(value_of("dead"), "(none)") << "without the mark the last version tells the time";
}

TEST_F(StoreRecoveryTest, AClockAnHourAheadOverARestartKillsNothingOnTheSameBoot) {
  run_and_kill([&] {
    open();
    put("half an hour", "v", std::chrono::minutes(30));
    put("day", "v", std::chrono::hours(24));
  });
  for (const auto step : {std::chrono::hours(1), std::chrono::hours(-1)}) {  // there and back
    clock_.step_wall(step);
    open();
    EXPECT_EQ(value_of("half an hour"), "v");
    EXPECT_EQ(value_of("day"), "v");
    close();
  }
  clock_.advance(std::chrono::minutes(31));
  open();
  EXPECT_EQ(value_of("half an hour"), "(none)");
  EXPECT_EQ(value_of("day"), "v");
}

// After a reboot nothing but the wall clock tells how long the machine was off, so it is believed;
// what it expired stays dead when it goes back, and node time does not go back with it.
TEST_F(StoreRecoveryTest, AClockAnHourAheadAfterARebootIsBelievedAndRevivesNothing) {
  run_and_kill([&] {
    open();
    put("half an hour", "v", std::chrono::minutes(30));
    put("day", "v", std::chrono::hours(24));
  });
  reboot();
  for (const auto step : {std::chrono::hours(1), std::chrono::hours(-1)}) {
    clock_.step_wall(step);
    open();
    EXPECT_EQ(value_of("half an hour"), "(none)");
    EXPECT_EQ(value_of("day"), "v");
    close();
  }
}

TEST_F(StoreRecoveryTest, AnOlderCopyOfTheDatabaseIsNoticedAfterACleanClose) {
  open();
  put("k", "1");
  close();
  std::filesystem::copy(
      options_.data_dir + "/db", dir_.path() + "/copy", std::filesystem::copy_options::recursive);
  open();
  put("k", "2");
  close();
  std::filesystem::rename(options_.data_dir + "/db", dir_.path() + "/newer");
  std::filesystem::rename(dir_.path() + "/copy", options_.data_dir + "/db");
  EXPECT_EQ(open_rocks_store(options_).code(), Code::kCorruption);
  std::filesystem::remove_all(options_.data_dir + "/db");
  std::filesystem::rename(dir_.path() + "/newer", options_.data_dir + "/db");
  open();
  EXPECT_EQ(value_of("k"), "2");
}

}  // namespace
}  // namespace edged::storage

// SPDX-License-Identifier: Apache-2.0
// The log's writer against pipes that stall and break, and a device that is full.
#include "proto/base/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>

namespace edged {
namespace {

constexpr std::chrono::milliseconds kPatience{20'000};

std::string lost(std::uint64_t lines) {
  return "lost " + std::to_string(lines) + "\n";
}

class LogWriterTest : public ::testing::Test {
 protected:
  // A pipe with the least room there is: one page.
  LogWriterTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    reader_ = ends[0];
    stream_ = ends[1];
    room_ = static_cast<std::size_t>(::fcntl(stream_, F_SETPIPE_SZ, 4096));
  }
  ~LogWriterTest() override {
    close_reader();
    ::close(stream_);
  }

  void close_reader() {
    if (reader_ >= 0) ::close(reader_);
    reader_ = -1;
  }

  // Until `end` was read.
  std::string read_until(const std::string& end) {
    std::string text;
    char block[4096];
    while (!text.ends_with(end)) {
      const ssize_t count = ::read(reader_, block, sizeof block);
      if (count <= 0) break;
      text.append(block, static_cast<std::size_t>(count));
    }
    return text;
  }

  // Makes the next write to the pipe wait.
  std::string fill_pipe() {
    std::string filling(room_, '.');
    EXPECT_EQ(::write(stream_, filling.data(), room_), static_cast<ssize_t>(room_));
    return filling;
  }

  int reader_ = -1;
  int stream_ = -1;
  std::size_t room_ = 0;
};

TEST_F(LogWriterTest, WritesLinesInOrder) {
  LogWriter writer(stream_, lost);
  for (int i = 0; i < 100; ++i) writer.write(std::to_string(i) + "\n");
  EXPECT_TRUE(writer.flush(kPatience));
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += std::to_string(i) + "\n";
  EXPECT_EQ(read_until("99\n"), expected);
  EXPECT_EQ(writer.lines_lost(), 0U);
}

TEST_F(LogWriterTest, LinesThatDoNotFitWhileTheReaderStallsAreCountedInTheirPlace) {
  LogWriter writer(stream_, lost, 100);
  const std::string filling = fill_pipe();
  const std::string line = std::string(9, 'a') + "\n";
  for (int i = 0; i < 15; ++i) writer.write(line);  // ten fit
  EXPECT_EQ(writer.lines_lost(), 5U);
  EXPECT_FALSE(writer.flush(std::chrono::milliseconds(1)));
  std::string expected = filling;
  for (int i = 0; i < 10; ++i) expected += line;
  EXPECT_EQ(read_until("lost 5\n"), expected + "lost 5\n");
  writer.write("after\n");
  EXPECT_EQ(read_until("after\n"), "after\n");
}

TEST_F(LogWriterTest, AReaderThatEndsKillsNothingAndEachLineIsCounted) {
  LogWriter writer(stream_, lost);
  close_reader();
  for (int i = 0; i < 3; ++i) writer.write("gone\n");
  EXPECT_TRUE(writer.flush(kPatience));
  EXPECT_EQ(writer.lines_lost(), 3U);
}

TEST_F(LogWriterTest, SaysWhatWasLostWhenTheStreamIsBack) {
  const std::string path = ::testing::TempDir() + "log_writer_fifo_" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  close_reader();
  reader_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  const int fifo = ::open(path.c_str(), O_WRONLY);
  {
    LogWriter writer(fifo, lost);
    close_reader();
    writer.write("one\n");
    writer.write("two\n");
    EXPECT_TRUE(writer.flush(kPatience));
    reader_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
    ASSERT_EQ(::fcntl(reader_, F_SETFL, 0), 0);
    EXPECT_EQ(read_until("lost 2\n"), "lost 2\n");  // without another line
    writer.write("three\n");
    EXPECT_EQ(read_until("three\n"), "three\n");
    EXPECT_EQ(writer.lines_lost(), 2U);
  }
  ::close(fifo);
  ::unlink(path.c_str());
}

TEST_F(LogWriterTest, AFullDiskAndAClosedDescriptorCount) {
  const int full = ::open("/dev/full", O_WRONLY);
  ASSERT_GE(full, 0);
  for (const int descriptor : {full, -1}) {
    LogWriter writer(descriptor, lost);
    writer.write("one\n");
    EXPECT_TRUE(writer.flush(kPatience));
    EXPECT_EQ(writer.lines_lost(), 1U);
  }
  ::close(full);
}

TEST_F(LogWriterTest, WaitsWhereAnotherProcessMadeTheStreamNonBlocking) {
  ASSERT_EQ(::fcntl(stream_, F_SETFL, O_NONBLOCK), 0);
  LogWriter writer(stream_, lost);
  const std::string filling = fill_pipe();
  writer.write("line\n");
  EXPECT_EQ(read_until("line\n"), filling + "line\n");
  EXPECT_EQ(writer.lines_lost(), 0U);
  EXPECT_NE(::fcntl(stream_, F_GETFL) & O_NONBLOCK, 0);  // and left it as it was
}

TEST_F(LogWriterTest, AForkedProcessMayLogToo) {
  LogWriter writer(stream_, lost);
  writer.write("parent\n");
  EXPECT_TRUE(writer.flush(kPatience));
  writer.before_fork();
  const pid_t child = ::fork();
  if (child == 0) {
    writer.after_fork_in_child();
    writer.write("child\n");
    ::_exit(writer.flush(kPatience) ? 0 : 1);
  }
  writer.after_fork_in_parent();
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  writer.write("parent again\n");
  EXPECT_EQ(read_until("again\n"), "parent\nchild\nparent again\n");
}

}  // namespace
}  // namespace edged

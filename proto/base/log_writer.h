// SPDX-License-Identifier: Apache-2.0
// Writes log lines to a file descriptor without ever making the callers wait for it: lines go
// through a bounded queue to one thread. Lines are lost while the queue is full (the reader of a
// pipe has stalled) and when writing fails (the reader is gone, the disk is full). Lost lines are
// counted, and a notice in their place says how many there were once the stream works again. Order
// is kept. Any thread.
//
// The descriptor's flags are left alone: O_NONBLOCK would change the stream for every process that
// shares it. The thread starts with the first line and has all signals blocked.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace edged {

class LogWriter {
 public:
  static constexpr std::size_t kQueueBytesMax = 1024 * 1024;

  // `notice` makes the line, with its line feed, that says how many lines were lost; it is called
  // on the writing thread.
  LogWriter(int descriptor,
            std::function<std::string(std::uint64_t)> notice,
            std::size_t queue_bytes_max = kQueueBytesMax);
  // Writes what is queued. Blocks for as long as the stream does: the writer of a program's stderr
  // is never destroyed.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // `line` ends in a line feed. Never blocks.
  void write(std::string line);
  // Waits until everything is written, or lost. False if that takes longer than `timeout`.
  bool flush(std::chrono::milliseconds timeout);
  std::uint64_t lines_lost() const { return lines_lost_.load(std::memory_order_relaxed); }

  // What pthread_atfork() calls, so that a child process may log too: it gets a thread of its own;
  // the lines that were queued stay with the parent.
  void before_fork() { mutex_.lock(); }
  void after_fork_in_parent() { mutex_.unlock(); }
  void after_fork_in_child();

 private:
  struct Line {
    std::string text;
    std::uint64_t lost_before = 0;  // lines that did not fit the queue before this one
  };

  bool is_idle() const { return queue_.empty() && !writing_ && unreported_ == 0; }
  void start_thread();
  void run();
  void emit(const Line& line);
  bool write_whole(std::string_view text);

  const int descriptor_;
  const std::function<std::string(std::uint64_t)> notice_;
  const std::size_t queue_bytes_max_;
  std::atomic<std::uint64_t> lines_lost_{0};
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;  // guards what follows
  std::condition_variable added_, emptied_;
  std::deque<Line> queue_;
  std::size_t queued_bytes_ = 0;
  std::uint64_t unreported_ = 0;  // lost since the last line that was queued
  bool writing_ = false;
  std::thread thread_;

  // Of the writing thread.
  std::uint64_t failed_ = 0;  // lost, and no notice is written yet
  bool cut_ = false;          // the last line was written in part
};

}  // namespace edged

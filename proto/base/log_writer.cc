// SPDX-License-Identifier: Apache-2.0
#include "proto/base/log_writer.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <utility>

namespace edged {
namespace {

// A stream that failed is tried again this often while there are no new lines.
constexpr std::chrono::milliseconds kRetryInterval{1000};
constexpr int kPollMs = 100;

// Blocks all signals of the calling thread, and of threads that it starts, for its lifetime.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

LogWriter::LogWriter(int descriptor,
                     std::function<std::string(std::uint64_t)> notice,
                     std::size_t queue_bytes_max)
    : descriptor_(descriptor), notice_(std::move(notice)), queue_bytes_max_(queue_bytes_max) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  added_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LogWriter::write(std::string line) {
  {
    const std::lock_guard lock(mutex_);
    if (queued_bytes_ + line.size() > queue_bytes_max_) {
      ++unreported_;
      lines_lost_.fetch_add(1, std::memory_order_relaxed);
    } else {
      queued_bytes_ += line.size();
      queue_.push_back({std::move(line), std::exchange(unreported_, 0)});
    }
    if (!thread_.joinable()) start_thread();
  }
  added_.notify_one();
}

bool LogWriter::flush(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) return true;
  return emptied_.wait_for(lock, timeout, [this] { return is_idle(); });
}

void LogWriter::after_fork_in_child() {
  // The parent's thread does not exist here, and what waits on the condition variables does not
  // either: they are made anew without ending what they were.
  new (&thread_) std::thread();
  new (&added_) std::condition_variable();
  new (&emptied_) std::condition_variable();
  queue_.clear();
  queued_bytes_ = 0;
  unreported_ = 0;
  writing_ = false;
  failed_ = 0;
  cut_ = false;
  mutex_.unlock();
}

void LogWriter::start_thread() {
  const SignalsBlocked blocked;
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "log");
    run();
  });
}

void LogWriter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (queue_.empty() && unreported_ == 0) {
      emptied_.notify_all();
      if (stopping_) return;
      if (failed_ == 0) {
        added_.wait(lock, [this] { return stopping_ || !queue_.empty() || unreported_ > 0; });
        continue;
      }
      const bool changed =
          added_.wait_for(lock, kRetryInterval, [this] { return stopping_ || !queue_.empty(); });
      if (changed) continue;
    }
    Line line;
    if (queue_.empty()) {
      line.lost_before = std::exchange(unreported_, 0);
    } else {
      line = std::move(queue_.front());
      queue_.pop_front();
    }
    writing_ = true;
    lock.unlock();
    emit(line);
    lock.lock();
    writing_ = false;
    // Only now is there room: a stalled stream must not make the queue longer by a line each time.
    queued_bytes_ -= line.text.size();
  }
}

void LogWriter::emit(const Line& line) {
  failed_ += line.lost_before;
  if (failed_ > 0 && write_whole(notice_(failed_))) failed_ = 0;
  if (line.text.empty()) return;
  if (failed_ > 0 || !write_whole(line.text)) {
    ++failed_;
    lines_lost_.fetch_add(1, std::memory_order_relaxed);
  }
}

// One call of write() for a line: lines of several processes on one pipe do not mix.
bool LogWriter::write_whole(std::string_view text) {
  std::string with_end;
  if (cut_) {
    with_end = "\n" + std::string(text);
    text = with_end;
  }
  bool begun = cut_;
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor_, text.data(), text.size());
    if (count > 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
      begun = true;
      cut_ = !text.empty();
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN && !stopping_) {
      // Another process that shares the stream has made it non-blocking.
      pollfd descriptor{descriptor_, POLLOUT, 0};
      ::poll(&descriptor, 1, kPollMs);
      continue;
    }
    cut_ = begun;
    return false;
  }
  cut_ = false;
  return true;
}

}  // namespace edged

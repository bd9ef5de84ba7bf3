// SPDX-License-Identifier: Apache-2.0
// See mirror_poller.h.
#include "tools/bench/mirror_poller.h"

#include <sys/prctl.h>

#include <charconv>
#include <utility>

#include "proto/net/blocking_client.h"

namespace edged::bench {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::string_view kMember = "\"version\":";

}  // namespace

void sleep_precisely() {
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

std::optional<std::int64_t> version_in(std::string_view row) {
  const std::size_t at = row.find(kMember);
  if (at == std::string_view::npos) return std::nullopt;
  std::int64_t version = 0;
  const char* const from = row.data() + at + kMember.size();
  const auto [end, error] = std::from_chars(from, row.data() + row.size(), version);
  return error == std::errc() ? std::optional<std::int64_t>(version) : std::nullopt;
}

ReadablePoller::ReadablePoller(Options options)
    : options_(std::move(options)), thread_([this] { run(); }) {}

ReadablePoller::~ReadablePoller() {
  if (thread_.joinable()) (void)finish();
}

void ReadablePoller::add(Pending pending) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(pending));
  }
  changed_.notify_one();
}

Status ReadablePoller::finish() {
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_one();
  thread_.join();
  return status_;
}

std::optional<ReadablePoller::Pending> ReadablePoller::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return finished_ || !waiting_.empty(); });
  if (waiting_.empty()) return std::nullopt;
  Pending first = std::move(waiting_.front());
  waiting_.pop_front();
  return first;
}

void ReadablePoller::run() {
  sleep_precisely();
  status_ = await_all();
}

Status ReadablePoller::await_all() {
  net::ClientOptions where;
  where.address = options_.address;
  net::BlockingClient client(std::move(where));
  while (const auto pending = next()) {
    const SteadyTime begun = std::chrono::steady_clock::now();
    for (;;) {
      const Result<net::KvEntry> entry = client.get(options_.ns, pending->key);
      last_ = std::chrono::steady_clock::now();
      ++questions_;
      if (!entry && entry.code() != Code::kNotFound) {
        return entry.error().with_context("could not read " + pending->key);
      }
      if (entry && version_in(entry->value).value_or(0) >= pending->version) break;
      if (last_ - begun > kPatience) {
        return {Code::kDeadlineExceeded, pending->key + " did not become readable for 60 s"};
      }
      if (options_.pause.count() > 0) std::this_thread::sleep_for(options_.pause);
    }
    if (pending->measured) latencies_.push_back(last_ - pending->sent);
  }
  return {};
}

}  // namespace edged::bench

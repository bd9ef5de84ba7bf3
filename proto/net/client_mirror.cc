// SPDX-License-Identifier: Apache-2.0
// Reads that ask for freshness, and the calls of a mirror. See client.h.
#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <utility>

#include "proto/net/client_impl.h"
#include "proto/wire/limits.h"

namespace edged::net {
namespace {

namespace asio = boost::asio;

constexpr Backoff::Options kStalePause{.first = std::chrono::milliseconds(1),
                                       .max = std::chrono::milliseconds(20),
                                       .jitter = Jitter::kNone};

}  // namespace

Client::Awaitable<bool> Client::Impl::pause_stale(Self self, Backoff& backoff, Deadline until) {
  const Deadline now = std::chrono::steady_clock::now();
  if (now >= until) {
    co_return false;
  }
  asio::steady_timer timer(self->executor_, std::min<Deadline>(until, now + backoff.next()));
  auto [ended] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  (void)ended;
  co_return true;
}

Client::Awaitable<Result<KvEntry>> Client::get(std::string ns, std::string key, ReadBounds bounds) {
  const std::shared_ptr<Impl> impl = impl_;
  Status checked = check_name("key", key);
  if (checked.ok()) {
    checked = check_bounds(bounds);
  }
  if (!checked.ok()) {
    co_return checked;
  }
  const wire::Fields fields = bounds_fields(bounds);
  const Deadline until = std::chrono::steady_clock::now() + bounds.wait;
  Backoff backoff(kStalePause);
  while (true) {
    const Deadline deadline = impl->deadline();
    Result<std::optional<KvEntry>> read = co_await Impl::get_alone(impl, ns, key, fields, deadline);
    if (read && *read) {
      co_return **std::move(read);
    }
    if (read) {
      co_return Status(Code::kNotFound, std::string(code_name(Code::kNotFound)));
    }
    if (read.code() != Code::kStale) {
      co_return read.error();
    }
    const bool again = co_await Impl::pause_stale(impl, backoff, until);
    if (!again) {
      co_return read.error();
    }
  }
}

Client::Awaitable<Result<std::vector<std::optional<KvEntry>>>> Client::multi_get(
    std::string ns, std::vector<std::string> keys, ReadBounds bounds) {
  const std::shared_ptr<Impl> impl = impl_;
  Status checked = check_bounds(bounds);
  if (!checked.ok()) {
    co_return checked;
  }
  const wire::Fields fields = bounds_fields(bounds);
  const Deadline until = std::chrono::steady_clock::now() + bounds.wait;
  Backoff backoff(kStalePause);
  while (true) {
    Result<std::vector<std::optional<KvEntry>>> read =
        co_await Impl::get_all(impl, ns, keys, fields);
    if (read || read.code() != Code::kStale) {
      co_return read;
    }
    const bool again = co_await Impl::pause_stale(impl, backoff, until);
    if (!again) {
      co_return read;
    }
  }
}

Client::Awaitable<Result<BatchResult>> Client::mirror_batch(std::string ns,
                                                            std::vector<BatchItem> items,
                                                            MirrorMark mark) {
  Status checked = check_batch(items, wire::kMirrorItemsMax);
  if (checked.ok()) {
    checked = check_mark(mark);
  }
  if (!checked.ok()) {
    co_return checked;
  }
  RequestFrames frames = batch_frames(items, mark_fields(mark));
  co_return co_await Impl::write_batch(impl_, std::move(ns), std::move(frames));
}

Client::Awaitable<Result<std::vector<std::optional<KvEntry>>>> Client::mirror_get(
    std::string ns, std::vector<std::string> keys) {
  wire::Fields fields;
  fields.source_position = "";
  return Impl::get_all(impl_, std::move(ns), std::move(keys), fields);
}

Client::Awaitable<Result<KvListPage>> Client::mirror_list(std::string ns, KvListRequest request) {
  wire::Fields fields;
  fields.source_position = "";
  Result<RequestFrames> frames = list_frames(request, fields);
  return Impl::ask<KvListPage>(impl_,
                               std::move(ns),
                               frames ? Status() : frames.error(),
                               frames ? *std::move(frames) : RequestFrames(),
                               CallKind::kRead,
                               to_page);
}

}  // namespace edged::net

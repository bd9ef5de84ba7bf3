// SPDX-License-Identifier: Apache-2.0
// Calls for single entries, batches and lists. See client.h.
#include "proto/net/client.h"

#include <utility>

#include "proto/net/client_impl.h"
#include "proto/wire/limits.h"

namespace edged::net {
namespace {

Result<std::uint64_t> version_of(const wire::Response& response) {
  return response.fields.version.value_or(0);
}

Result<KvEntry> entry_of(const wire::Response& response) {
  return to_entry(response.fields, response.value);
}

// Frames can only be built of what was checked.
template <typename Make>
RequestFrames frames_if(const Status& checked, Make make) {
  return checked.ok() ? make() : RequestFrames();
}

}  // namespace

Client::Client(boost::asio::any_io_executor executor, ClientOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {}

Client::~Client() {
  impl_->close();
}

Client::Awaitable<Result<KvEntry>> Client::get(std::string ns, std::string key) {
  Status checked = check_name("key", key);
  RequestFrames frames = frames_if(checked, [&] { return get_frames(key); });
  return Impl::ask<KvEntry>(
      impl_, std::move(ns), checked, std::move(frames), CallKind::kRead, entry_of);
}

Client::Awaitable<Result<KvLeased>> Client::get_or_lease(std::string ns,
                                                         std::string key,
                                                         std::chrono::milliseconds duration) {
  Status checked = check_name("key", key);
  if (checked.ok() && duration.count() <= 0) {
    checked = Status(Code::kInvalidArgument, "could not lease: the time is not positive");
  }
  if (!checked.ok()) {
    co_return checked;
  }
  const std::shared_ptr<Impl> impl = impl_;
  const Deadline deadline = impl->deadline();
  RequestFrames frames = lease_frames(key, duration);
  // Repeated as a read is: a lease that was won unnoticed runs out by itself.
  Result<OwnedResponse> answered =
      co_await Impl::exchange(impl, std::move(ns), std::move(frames), CallKind::kRead, deadline);
  if (!answered) {
    co_return answered.error();
  }
  Result<wire::Response> response = answered->response();
  if (!response) {
    co_return response.error();
  }
  KvLeased leased;
  if (response->status == Code::kOk) {
    leased.entry = to_entry(response->fields, response->value);
  } else if (response->status == Code::kLeaseWon) {
    leased.lease = response->fields.lease.value_or(0);
  } else if (response->status == Code::kLeaseWait) {
    leased.retry_after = std::chrono::milliseconds(response->fields.retry_after_ms.value_or(0));
  } else {
    co_return to_status(response->status, response->fields);
  }
  co_return leased;
}

Client::Awaitable<Result<std::uint64_t>> Client::put(std::string ns, PutItem item) {
  Status checked = check_put(item);
  RequestFrames frames = frames_if(checked, [&] { return put_frames(item); });
  return Impl::ask<std::uint64_t>(
      impl_, std::move(ns), checked, std::move(frames), CallKind::kWrite, version_of);
}

Client::Awaitable<Status> Client::remove(std::string ns,
                                         std::string key,
                                         std::optional<std::uint64_t> if_version) {
  Status checked = check_name("key", key);
  RequestFrames frames = frames_if(checked, [&] { return remove_frames(key, if_version); });
  return Impl::tell(impl_, std::move(ns), checked, std::move(frames), CallKind::kWrite);
}

Client::Awaitable<Status> Client::invalidate(std::string ns, std::string key) {
  Status checked = check_name("key", key);
  RequestFrames frames =
      frames_if(checked, [&] { return simple_frames(wire::Opcode::kInvalidate, {}, key); });
  return Impl::tell(impl_, std::move(ns), checked, std::move(frames), CallKind::kWrite);
}

Client::Awaitable<Result<std::uint64_t>> Client::touch(std::string ns, TouchItem item) {
  Status checked = check_touch(item);
  RequestFrames frames = frames_if(checked, [&] { return touch_frames(item, false); });
  return Impl::ask<std::uint64_t>(
      impl_, std::move(ns), checked, std::move(frames), CallKind::kWrite, version_of);
}

Client::Awaitable<Result<KvEntry>> Client::get_and_touch(std::string ns, TouchItem item) {
  Status checked = check_touch(item);
  RequestFrames frames = frames_if(checked, [&] { return touch_frames(item, true); });
  return Impl::ask<KvEntry>(
      impl_, std::move(ns), checked, std::move(frames), CallKind::kWrite, entry_of);
}

Client::Awaitable<Result<std::int64_t>> Client::add(std::string ns, AddItem item) {
  Status checked = check_add(item);
  RequestFrames frames = frames_if(checked, [&] { return add_frames(item); });
  return Impl::ask<std::int64_t>(
      impl_, std::move(ns), checked, std::move(frames), CallKind::kWrite, to_number);
}

Client::Awaitable<Result<BatchResult>> Client::batch(std::string ns, std::vector<BatchItem> items) {
  Status checked = check_batch(items, wire::kItemsMax);
  if (!checked.ok()) {
    co_return checked;
  }
  RequestFrames frames = batch_frames(items);
  co_return co_await Impl::write_batch(impl_, std::move(ns), std::move(frames));
}

Client::Awaitable<Result<BatchResult>> Client::Impl::write_batch(Self self,
                                                                 std::string ns,
                                                                 RequestFrames frames) {
  const Deadline deadline = self->deadline();
  Result<OwnedResponse> answered =
      co_await exchange(self, std::move(ns), std::move(frames), CallKind::kWrite, deadline);
  if (!answered) {
    co_return answered.error();
  }
  Result<wire::Response> response = answered->response();
  if (!response) {
    co_return response.error();
  }
  if (response->status != Code::kOk && response->status != Code::kConflict) {
    co_return to_status(response->status, response->fields);
  }
  co_return to_batch_result(*response);
}

Client::Awaitable<Result<KvListPage>> Client::list(std::string ns, KvListRequest request) {
  Result<RequestFrames> frames = list_frames(request);
  return Impl::ask<KvListPage>(impl_,
                               std::move(ns),
                               frames ? Status() : frames.error(),
                               frames ? *std::move(frames) : RequestFrames(),
                               CallKind::kRead,
                               to_page);
}

}  // namespace edged::net

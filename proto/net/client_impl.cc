// SPDX-License-Identifier: Apache-2.0
// See client_impl.h.
#include "proto/net/client_impl.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/experimental/as_tuple.hpp>

namespace edged::net {
namespace {

namespace asio = boost::asio;

// What a busy node is asked in all.
constexpr int kBusyAttempts = 4;

Status unknown_outcome(const Status& why) {
  return {Code::kUnknownOutcome, why.message() + "; the write may or may not have happened"};
}

std::chrono::milliseconds pause_of(const OwnedResponse& busy, int attempt) {
  const Result<wire::Response> response = busy.response();
  const std::uint32_t asked = response ? response->fields.retry_after_ms.value_or(20) : 20;
  return std::chrono::milliseconds(std::uint64_t{asked} << attempt);
}

}  // namespace

Client::Awaitable<Result<OwnedResponse>> Client::Impl::exchange(
    Self self, std::string ns, RequestFrames frames, CallKind kind, Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    Result<OwnedResponse> answered = co_await exchange_once(self, ns, frames, kind, deadline);
    if (!answered || answered->status() != Code::kBusy || attempt + 1 == kBusyAttempts) {
      co_return answered;
    }
    const Deadline again = std::chrono::steady_clock::now() + pause_of(*answered, attempt);
    if (again >= deadline) {
      co_return answered;
    }
    asio::steady_timer timer(self->executor_, again);
    auto [ended] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    (void)ended;
  }
}

Client::Awaitable<Result<OwnedResponse>> Client::Impl::exchange_once(
    Self self, std::string ns, RequestFrames& frames, CallKind kind, Deadline deadline) {
  Status broken;
  for (int attempt = 0; attempt < 2; ++attempt) {
    Result<std::shared_ptr<Link>> link = co_await self->links_->get(deadline);
    if (!link) {
      co_return attempt == 0 ? link.error() : broken;
    }
    Result<std::uint32_t> handle = co_await open(*link, ns, deadline);
    if (!handle) {
      broken = handle.error();
      if (!(*link)->alive() && std::chrono::steady_clock::now() < deadline) {
        continue;  // nothing but the OPEN was sent
      }
      co_return handle.error();
    }
    frames.set_namespace(*handle);
    Result<OwnedResponse> response = co_await (*link)->call(frames, deadline);
    if (response) {
      if (response->status() == Code::kNamespaceNotFound) {
        (*link)->handles().erase(ns);
      }
      co_return response;
    }
    if (kind == CallKind::kWrite && response.code() != Code::kBusy) {
      co_return unknown_outcome(response.error());
    }
    broken = response.error();
    if (broken.code() != Code::kUnavailable) {
      break;
    }
  }
  co_return broken;
}

Client::Awaitable<Result<OwnedResponse>> Client::Impl::exchange_ok(
    Self self, std::string ns, RequestFrames frames, CallKind kind, Deadline deadline) {
  Result<OwnedResponse> answered =
      co_await exchange(self, std::move(ns), std::move(frames), kind, deadline);
  if (!answered || answered->status() == Code::kOk) {
    co_return answered;
  }
  Result<wire::Response> response = answered->response();
  co_return response ? to_status(response->status, response->fields)
                     : Status(answered->status(),
                              "the node refused the request, and its message could not be decoded");
}

Client::Awaitable<Status> Client::Impl::tell(
    Self self, std::string ns, Status checked, RequestFrames frames, CallKind kind) {
  if (!checked.ok()) {
    co_return checked;
  }
  const Deadline deadline = self->deadline();
  Result<OwnedResponse> answered =
      co_await exchange_ok(self, std::move(ns), std::move(frames), kind, deadline);
  co_return answered ? Status() : answered.error();
}

Client::Awaitable<Result<Client::Impl::OpenLink>> Client::Impl::open_link(Self self,
                                                                          std::string ns,
                                                                          Deadline deadline) {
  Result<std::shared_ptr<Link>> link = co_await self->links_->get(deadline);
  if (!link) {
    co_return link.error();
  }
  Result<std::uint32_t> handle = co_await open(*link, std::move(ns), deadline);
  if (!handle) {
    co_return handle.error();
  }
  OpenLink opened;
  opened.link = *link;
  opened.ns = *handle;
  co_return opened;
}

Client::Awaitable<Result<std::uint32_t>> Client::Impl::open(std::shared_ptr<Link> link,
                                                            std::string ns,
                                                            Deadline deadline) {
  if (ns.empty()) {
    co_return std::uint32_t{0};
  }
  const auto known = link->handles().find(ns);
  if (known != link->handles().end()) {
    co_return known->second;
  }
  Status name = check_name("namespace name", ns);
  if (!name.ok()) {
    co_return name;
  }
  RequestFrames frames = simple_frames(wire::Opcode::kOpen, {}, ns);
  Result<OwnedResponse> answered = co_await link->call(frames, deadline);
  if (!answered) {
    co_return answered.error();
  }
  Result<wire::Response> response = answered->response();
  if (!response) {
    co_return response.error();
  }
  if (response->status != Code::kOk) {
    co_return to_status(response->status, response->fields);
  }
  const std::uint32_t handle = response->fields.ns.value_or(0);
  link->handles()[ns] = handle;
  co_return handle;
}

}  // namespace edged::net

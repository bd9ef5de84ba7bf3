// SPDX-License-Identifier: Apache-2.0
// The client's way to the wire, for the files that implement client.h: finds a connection and the
// namespace's handle, sends, and applies the rules about repeating and unknown outcomes. Coroutines
// keep `self` alive, not its owner.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "proto/base/backoff.h"
#include "proto/net/client.h"
#include "proto/net/client_messages.h"
#include "proto/net/condition.h"
#include "proto/net/link_pool.h"

namespace edged::net {

// A write is never sent twice unless the node said that it did nothing.
enum class CallKind { kRead, kWrite };

class Client::Impl {
 public:
  using Self = std::shared_ptr<Impl>;

  Impl(boost::asio::any_io_executor executor, ClientOptions options)
      : executor_(executor),
        options_(std::move(options)),
        links_(std::make_shared<LinkPool>(executor, options_)) {}

  Deadline deadline() const { return std::chrono::steady_clock::now() + options_.call_timeout; }
  const boost::asio::any_io_executor& executor() const { return executor_; }
  void close() { links_->close(); }

  // Sends a request for namespace `ns` (empty: none) and returns the response, whatever its status.
  static Awaitable<Result<OwnedResponse>> exchange(
      Self self, std::string ns, RequestFrames frames, CallKind kind, Deadline deadline);

  // As exchange, but a response that is not ok becomes its Status.
  static Awaitable<Result<OwnedResponse>> exchange_ok(
      Self self, std::string ns, RequestFrames frames, CallKind kind, Deadline deadline);

  // A connection with `ns` opened on it, for calls that stay with one connection.
  struct OpenLink {
    std::shared_ptr<Link> link;
    std::uint32_t ns = 0;
  };
  static Awaitable<Result<OpenLink>> open_link(Self self, std::string ns, Deadline deadline);

  // The usual call: `checked` is answered if it is an error, else the request is sent within the
  // usual deadline and its response converted.
  template <typename T>
  using Convert = std::function<Result<T>(const wire::Response&)>;
  template <typename T>
  static Awaitable<Result<T>> ask(Self self,
                                  std::string ns,
                                  Status checked,
                                  RequestFrames frames,
                                  CallKind kind,
                                  Convert<T> convert) {
    if (!checked.ok()) {
      co_return checked;
    }
    const Deadline deadline = self->deadline();
    Result<OwnedResponse> answered =
        co_await exchange_ok(self, std::move(ns), std::move(frames), kind, deadline);
    if (!answered) {
      co_return answered.error();
    }
    Result<wire::Response> response = answered->response();
    if (!response) {
      co_return response.error();
    }
    co_return convert(*response);
  }

  // A key's entry, none if it is absent. `fields` are views that live as long as the call.
  static Awaitable<Result<std::optional<KvEntry>>> get_alone(
      Self self, std::string ns, std::string key, wire::Fields fields, Deadline deadline);

  // Each key's entry, none if it is absent; `fields` likewise.
  static Awaitable<Result<std::vector<std::optional<KvEntry>>>> get_all(
      Self self, std::string ns, std::vector<std::string> keys, wire::Fields fields);

  // Sends a batch that was checked.
  static Awaitable<Result<BatchResult>> write_batch(Self self,
                                                    std::string ns,
                                                    RequestFrames frames);

  // After an answer kStale: pauses before a read is sent again, `attempt` being the number of the
  // answer from 0. False if `until` has passed.
  static Awaitable<bool> pause_stale(Self self, Backoff& backoff, Deadline until);

  // For calls that answer nothing but their success.
  static Awaitable<Status> tell(
      Self self, std::string ns, Status checked, RequestFrames frames, CallKind kind);

 private:
  static Awaitable<Result<OwnedResponse>> exchange_once(
      Self self, std::string ns, RequestFrames& frames, CallKind kind, Deadline deadline);
  static Awaitable<Result<std::uint32_t>> open(std::shared_ptr<Link> link,
                                               std::string ns,
                                               Deadline deadline);

  const boost::asio::any_io_executor executor_;
  const ClientOptions options_;
  std::shared_ptr<LinkPool> links_;
};

}  // namespace edged::net

// SPDX-License-Identifier: Apache-2.0
// See link_pool.h.
#include "proto/net/link_pool.h"

#include <boost/asio.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <random>
#include <utility>

#include "proto/net/client_messages.h"
#include "proto/net/credential.h"
#include "proto/net/spawn.h"
#include "proto/wire/limits.h"

namespace edged::net {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// A refused credential does not become right by asking often; the node cuts who tries.
constexpr milliseconds kRefusedPause{5000};
constexpr Backoff::Options kReconnect{.first = milliseconds(100), .max = milliseconds(5000)};

}  // namespace

LinkPool::LinkPool(asio::any_io_executor executor, const ClientOptions& options)
    : executor_(executor),
      options_(options),
      attempt_ended_(executor),
      backoff_(kReconnect, std::random_device{}()) {}

void LinkPool::close() {
  closed_ = true;
  last_error_ = Status(Code::kUnavailable, "could not call the node: the client is closed");
  if (link_) {
    link_->close(last_error_);
  }
  for (const std::weak_ptr<Link>& retired : retired_) {
    if (const std::shared_ptr<Link> link = retired.lock()) {
      link->close(last_error_);
    }
  }
  attempt_ended_.notify_all();
}

bool LinkPool::usable() const {
  return link_ && link_->alive() && !link_->going_away();
}

asio::awaitable<Result<std::shared_ptr<Link>>> LinkPool::get(Deadline deadline) {
  const std::shared_ptr<LinkPool> self = shared_from_this();
  if (closed_) {
    co_return last_error_;
  }
  if (usable()) {
    co_return link_;
  }
  if (!connecting_) {
    if (std::chrono::steady_clock::now() < next_attempt_) {
      co_return last_error_;
    }
    connecting_ = true;
    // Its own coroutine: a caller that is cancelled must not take the attempt with it.
    spawn(executor_, connect_once());
  }
  (void)co_await attempt_ended_.wait_until(deadline, [this] { return !connecting_ || closed_; });
  if (usable()) {
    co_return link_;
  }
  if (connecting_ && !closed_) {
    co_return Status(Code::kDeadlineExceeded,
                     "could not connect to \"" + options_.address + "\" in time");
  }
  co_return last_error_;
}

asio::awaitable<Status> LinkPool::authenticate(std::shared_ptr<Link> link) {
  Result<std::string> credential = options_.credential_file.empty()
                                       ? Result<std::string>(options_.credential)
                                       : read_credential_file(options_.credential_file);
  if (!credential) {
    co_return Status(Code::kUnauthenticated, credential.error().message());
  }
  if (credential->empty()) {
    co_return Status();
  }
  if (credential->size() > wire::kCredentialBytesMax) {
    co_return Status(Code::kUnauthenticated,
                     "could not authenticate: the token is longer than 1024 bytes");
  }
  wire::Fields fields;
  fields.credential = *credential;
  RequestFrames frames = simple_frames(wire::Opcode::kAuth, fields);
  const Deadline deadline = std::chrono::steady_clock::now() + options_.connect_timeout;
  Result<OwnedResponse> answered = co_await link->call(frames, deadline);
  if (!answered) {
    co_return answered.error();
  }
  Result<wire::Response> response = answered->response();
  co_return response ? to_status(response->status, response->fields) : response.error();
}

void LinkPool::adopt(std::shared_ptr<Link> link) {
  std::erase_if(retired_, [](const std::weak_ptr<Link>& one) { return one.expired(); });
  if (link_) {
    retired_.push_back(link_);
  }
  link_ = std::move(link);
  backoff_.reset();
  last_error_ = Status(Code::kUnavailable, "could not reach the node: connection lost");
}

asio::awaitable<void> LinkPool::connect_once() {
  const std::shared_ptr<LinkPool> self = shared_from_this();
  ConnectOptions to{options_.address, options_.tls_ca_file, options_.connect_timeout};
  Result<Connected> connected = co_await connect(executor_, std::move(to));
  std::shared_ptr<Link> link;
  Status failed = connected ? Status() : connected.error();
  if (connected && !closed_) {
    link = std::make_shared<Link>(*std::move(connected), options_.silence_max);
    link->start();
    failed = co_await authenticate(link);
  }
  connecting_ = false;
  if (link && (closed_ || !failed.ok())) {
    link->close(failed.ok() ? last_error_ : failed);
  }
  if (!closed_ && failed.ok()) {
    adopt(std::move(link));
  } else if (!closed_) {
    last_error_ = failed;
    const bool refused = failed.code() == Code::kUnauthenticated;
    next_attempt_ = std::chrono::steady_clock::now() + (refused ? kRefusedPause : backoff_.next());
  }
  attempt_ended_.notify_all();
}

}  // namespace edged::net

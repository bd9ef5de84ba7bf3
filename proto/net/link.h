// SPDX-License-Identifier: Apache-2.0
// One live connection of the client: requests go out pipelined, responses come back in any order
// and are matched by id, those in fragments are put together, pushes go to whoever listens. It
// breaks once and for all, and then every call under way ends with kUnavailable. Its executor's
// thread only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "proto/base/status.h"
#include "proto/net/connector.h"
#include "proto/net/request_frames.h"
#include "proto/wire/message.h"

namespace edged::net {

// A response that owns its bytes.
class OwnedResponse {
 public:
  OwnedResponse(const wire::Header& header, std::string body)
      : header_(header), body_(std::move(body)) {}
  // The next fragment of it.
  void append(std::string_view value) { body_.append(value); }
  std::size_t bytes() const { return body_.size(); }
  // Views into this object. Errors: kBadFrame, kUnsupported.
  Result<wire::Response> response() const { return wire::decode_response({header_, body_}); }
  Code status() const { return static_cast<Code>(header_.key_bytes); }

 private:
  wire::Header header_;
  std::string body_;
};

using Deadline = std::chrono::steady_clock::time_point;

class Link : public std::enable_shared_from_this<Link> {
 public:
  // While an answer or a push is awaited and nothing arrives, the link sends a PING after half of
  // `silence_max`, and breaks after all of it: a host that vanished, or a path that swallows
  // packets, sends no end of the stream.
  Link(Connected connected, std::chrono::milliseconds silence_max);

  void start();
  bool alive() const { return alive_; }
  void close(const Status& why);

  // Sends `frames`, a request whose id is set here, and waits; `frames` lives as long. Errors:
  // kBusy (too many calls under way; nothing was sent); kUnavailable (the connection broke);
  // kDeadlineExceeded. After the last two the request may have been executed.
  boost::asio::awaitable<Result<OwnedResponse>> call(RequestFrames& frames, Deadline deadline);

  // True once the node has said that it is going away: no new calls should be made here. The
  // connection closes itself when the last of those under way is answered.
  bool going_away() const { return going_away_; }

  // Is called with each push of the request that is sent next, and with the reason when the
  // connection breaks; until it is unsubscribed.
  using OnPush = std::function<void(const Result<OwnedResponse>& push)>;
  std::uint32_t subscribe(OnPush on_push);
  void unsubscribe(std::uint32_t id) { subscriptions_.erase(id); }
  // As call(), with the id of a subscription.
  boost::asio::awaitable<Result<OwnedResponse>> call_as(std::uint32_t id,
                                                        RequestFrames& frames,
                                                        Deadline deadline);

  // Sends a request, with an id of its own, whose answer nobody wants.
  void send_unanswered(wire::Request request);

  // The handles that OPEN gave on this connection, by the name that was asked for.
  std::map<std::string, std::uint32_t>& handles() { return handles_; }
  std::uint32_t body_bytes_max() const { return body_bytes_max_; }

 private:
  struct Waiter;

  std::uint32_t new_id();
  void read();
  bool take_frames();
  bool take_response(const wire::Frame& frame);
  void take_push(const wire::Frame& frame);
  void close_if_done();
  bool is_awaiting() const { return !waiters_.empty() || !subscriptions_.empty(); }
  void watch_peer();
  void check_peer();
  void flush();
  void write_some();

  Stream stream_;
  std::uint32_t body_bytes_max_;
  wire::FrameReader reader_;
  std::unordered_map<std::uint32_t, Waiter*> waiters_;
  std::map<std::uint32_t, OnPush> subscriptions_;
  const std::chrono::milliseconds check_interval_;  // a quarter of the longest silence
  boost::asio::steady_timer check_timer_;
  bool checking_ = false;
  int silent_checks_ = 0;  // in a row
  // How often something was read or written: in all, and at the last check.
  std::uint64_t transfers_ = 0, checked_transfers_ = 0;
  std::map<std::string, std::uint32_t> handles_;
  std::string out_, sending_;
  std::size_t sent_ = 0;
  bool writing_ = false, alive_ = true, going_away_ = false;
  Status why_;
  std::uint32_t next_id_ = 1;
  std::uint64_t frames_received_ = 0;
};

}  // namespace edged::net

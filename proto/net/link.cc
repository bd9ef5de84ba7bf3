// SPDX-License-Identifier: Apache-2.0
// See link.h.
#include "proto/net/link.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <optional>
#include <utility>

#include "proto/wire/limits.h"

namespace edged::net {
namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;

constexpr std::size_t kCallsMax = 10'000;
// A response in fragments: the largest value there is, and what is said about it.
constexpr std::size_t kResponseBytesMax = wire::kValueBytesMax + wire::kExtBytesMax;
// After this many checks at which nothing had arrived. The PINGs also keep a watch well within the
// time after which a node cuts a silent connection.
constexpr int kChecksUntilPing = 2, kChecksUntilDead = 4;

}  // namespace

// Lives in the coroutine frame of its call.
struct Link::Waiter {
  Waiter(Link& owner, std::uint32_t number)
      : link(owner), id(number), timer(owner.stream_.get_executor()) {
    link.waiters_.emplace(id, this);
    link.watch_peer();
  }
  ~Waiter() {
    link.waiters_.erase(id);
    link.close_if_done();
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  Link& link;
  const std::uint32_t id;
  asio::steady_timer timer;
  std::optional<OwnedResponse> response;
  bool complete = false;
};

Link::Link(Connected connected, std::chrono::milliseconds silence_max)
    : stream_(std::move(connected.stream)),
      body_bytes_max_(std::min(connected.hello.body_bytes_max, wire::kBodyBytesMax)),
      reader_(wire::FrameReader::Peer::kServer, wire::kBodyBytesMax),
      check_interval_(silence_max / kChecksUntilDead),
      check_timer_(stream_.get_executor()) {}

void Link::start() {
  read();
}

void Link::close(const Status& why) {
  if (!alive_) {
    return;
  }
  alive_ = false;
  why_ = why;
  stream_.close();
  check_timer_.cancel();
  for (auto& [id, waiter] : waiters_) {
    waiter->timer.cancel();
  }
  for (auto& [id, on_push] : std::exchange(subscriptions_, {})) {
    on_push(why);
  }
}

void Link::close_if_done() {
  if (going_away_ && waiters_.empty()) {
    close(Status(Code::kUnavailable, "could not reach the node: it is stopping"));
  }
}

std::uint32_t Link::new_id() {
  while (waiters_.contains(next_id_) || subscriptions_.contains(next_id_)) {
    ++next_id_;
  }
  return next_id_++;
}

std::uint32_t Link::subscribe(OnPush on_push) {
  const std::uint32_t id = new_id();
  subscriptions_.emplace(id, std::move(on_push));
  watch_peer();
  return id;
}

// Begins to check whether the peer is there, unless that is under way.
void Link::watch_peer() {
  if (checking_ || !alive_) {
    return;
  }
  checking_ = true;
  silent_checks_ = 0;
  checked_transfers_ = transfers_;
  check_peer();
}

void Link::check_peer() {
  check_timer_.expires_after(check_interval_);
  check_timer_.async_wait([self = shared_from_this()](Error cancelled) {
    self->checking_ = !cancelled && self->alive_ && self->is_awaiting();
    if (!self->checking_) {
      return;
    }
    // The event loop of a blocking client stands still between its calls: what arrived meanwhile is
    // not read yet.
    Error ignored;
    const bool heard = self->transfers_ != self->checked_transfers_ ||
                       self->stream_.socket().available(ignored) > 0;
    self->checked_transfers_ = self->transfers_;
    self->silent_checks_ = heard ? 0 : self->silent_checks_ + 1;
    if (self->silent_checks_ == kChecksUntilDead) {
      self->close(Status(Code::kUnavailable, "could not reach the node: it stopped answering"));
      return;
    }
    if (self->silent_checks_ == kChecksUntilPing) {
      self->send_unanswered(wire::Request());
    }
    self->check_peer();
  });
}

void Link::send_unanswered(wire::Request request) {
  request.id = new_id();
  wire::append_request(request, out_);
  flush();
}

asio::awaitable<Result<OwnedResponse>> Link::call(RequestFrames& frames, Deadline deadline) {
  return call_as(new_id(), frames, deadline);
}

asio::awaitable<Result<OwnedResponse>> Link::call_as(std::uint32_t id,
                                                     RequestFrames& frames,
                                                     Deadline deadline) {
  const std::shared_ptr<Link> self = shared_from_this();
  if (!alive_) {
    co_return why_;
  }
  if (waiters_.size() >= kCallsMax) {
    co_return Status(Code::kBusy,
                     "could not call the node: 10000 calls of this client are unanswered");
  }
  Waiter waiter(*this, id);
  frames.set_id(id);
  out_.append(frames.bytes());
  flush();
  const std::uint64_t frames_before = frames_received_;
  waiter.timer.expires_at(deadline);
  co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (waiter.complete) {
    co_return *std::move(waiter.response);
  }
  if (!alive_) {
    co_return why_;
  }
  if (frames_received_ == frames_before) {
    // Nothing came during a whole call: the peer is gone without saying so.
    close(Status(Code::kUnavailable, "could not reach the node: it stopped answering"));
  }
  co_return Status(Code::kDeadlineExceeded, "could not call the node: no answer came in time");
}

void Link::read() {
  const std::span<char> space = reader_.prepare();
  stream_.async_read_some(
      asio::buffer(space.data(), space.size()),
      [self = shared_from_this()](Error error, std::size_t count) {
        if (!self->alive_) {
          return;
        }
        if (error) {
          self->close(Status(Code::kUnavailable,
                             "could not reach the node: connection lost: " + error.message()));
          return;
        }
        ++self->transfers_;
        self->reader_.commit(count);
        if (self->take_frames()) {
          self->read();
        }
      });
}

bool Link::take_frames() {
  for (;;) {
    switch (reader_.next()) {
      case wire::FrameReader::Event::kNeedMore:
        return true;
      case wire::FrameReader::Event::kFrame:
        break;
      case wire::FrameReader::Event::kOversized:
        close(Status(Code::kUnavailable, "could not read response: it is above the frame limit"));
        return false;
      case wire::FrameReader::Event::kBroken:
        close(Status(Code::kUnavailable, reader_.status().message()));
        return false;
    }
    ++frames_received_;
    const wire::Frame& frame = reader_.frame();
    if (frame.header.kind == wire::Kind::kPush) {
      take_push(frame);
    } else if (!take_response(frame)) {
      return false;
    }
    if (!alive_) {
      return false;
    }
  }
}

// False if the connection had to be closed.
bool Link::take_response(const wire::Frame& frame) {
  const auto found = waiters_.find(frame.header.id);
  if (found == waiters_.end()) {
    return true;  // the call gave up
  }
  Waiter& waiter = *found->second;
  const bool failed = static_cast<Code>(frame.header.key_bytes) != Code::kOk;
  if (!waiter.response || failed) {
    waiter.response.emplace(frame.header, std::string(frame.body));
  } else {
    waiter.response->append(frame.value());
  }
  if (waiter.response->bytes() > kResponseBytesMax) {
    close(Status(Code::kUnavailable, "could not read response: it is above 25 MiB"));
    return false;
  }
  if (failed || (frame.header.flags & wire::kFlagMore) == 0) {
    waiter.complete = true;
    waiter.timer.cancel();
  }
  return true;
}

void Link::take_push(const wire::Frame& frame) {
  if (static_cast<wire::Opcode>(frame.header.opcode) == wire::Opcode::kGoAway) {
    going_away_ = true;
    close_if_done();
    return;
  }
  const auto found = subscriptions_.find(frame.header.id);
  if (found != subscriptions_.end()) {
    const OnPush on_push = found->second;  // it may unsubscribe
    const Result<OwnedResponse> push = OwnedResponse(frame.header, std::string(frame.body));
    on_push(push);
  }
}

void Link::flush() {
  if (writing_ || out_.empty() || !alive_) {
    return;
  }
  writing_ = true;
  sending_.clear();
  sending_.swap(out_);
  sent_ = 0;
  write_some();
}

void Link::write_some() {
  stream_.async_write_some(
      asio::buffer(sending_.data() + sent_, sending_.size() - sent_),
      [self = shared_from_this()](Error error, std::size_t count) {
        if (!self->alive_) {
          return;
        }
        if (error) {
          self->close(Status(Code::kUnavailable,
                             "could not reach the node: connection lost: " + error.message()));
          return;
        }
        self->sent_ += count;
        if (self->sent_ < self->sending_.size()) {
          // A large value over a slow path takes long, and nothing arrives meanwhile. A write that
          // is taken whole (a PING) tells nothing: the system would take it for a dead peer too.
          ++self->transfers_;
          self->write_some();
          return;
        }
        self->writing_ = false;
        self->flush();
      });
}

}  // namespace edged::net

// SPDX-License-Identifier: Apache-2.0
// See link.h.
#include "proto/net/link.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <optional>
#include <utility>

#include "proto/wire/codec.h"

namespace edged::net {
namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;

constexpr std::size_t kCallsMax = 10'000;
constexpr std::size_t kIdAt = 4;

}  // namespace

// Lives in the coroutine frame of its call.
struct Link::Waiter {
  Waiter(Link& owner, std::uint32_t number)
      : link(owner), id(number), timer(owner.socket_.get_executor()) {
    link.waiters_.emplace(id, this);
  }
  ~Waiter() { link.waiters_.erase(id); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  Link& link;
  const std::uint32_t id;
  asio::steady_timer timer;
  std::optional<OwnedResponse> response;
};

Link::Link(Connected connected)
    : socket_(std::move(connected.socket)),
      body_bytes_max_(std::min(connected.hello.body_bytes_max, wire::kBodyBytesMax)),
      reader_(wire::FrameReader::Peer::kServer, wire::kBodyBytesMax) {}

void Link::start() {
  read();
}

void Link::close(const Status& why) {
  if (!alive_) {
    return;
  }
  alive_ = false;
  why_ = why;
  Error ignored;
  socket_.close(ignored);
  for (auto& [id, waiter] : waiters_) {
    waiter->timer.cancel();
  }
}

asio::awaitable<Result<OwnedResponse>> Link::call(std::string frame, Deadline deadline) {
  const std::shared_ptr<Link> self = shared_from_this();
  if (!alive_) {
    co_return why_;
  }
  if (waiters_.size() >= kCallsMax) {
    co_return Status(Code::kBusy, "could not call the node: 10000 calls are under way");
  }
  while (waiters_.contains(next_id_)) {
    ++next_id_;
  }
  Waiter waiter(*this, next_id_++);
  wire::patch_u32(frame, kIdAt, waiter.id);
  out_.append(frame);
  flush();
  const std::uint64_t frames_before = frames_received_;
  waiter.timer.expires_at(deadline);
  co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (waiter.response) {
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
  socket_.async_read_some(
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
    const auto found = waiters_.find(frame.header.id);
    // Pushes, and answers to calls that gave up, have nobody waiting.
    if (frame.header.kind == wire::Kind::kResponse && found != waiters_.end()) {
      found->second->response.emplace(frame.header, std::string(frame.body));
      found->second->timer.cancel();
    }
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
  socket_.async_write_some(
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
          self->write_some();
          return;
        }
        self->writing_ = false;
        self->flush();
      });
}

}  // namespace edged::net

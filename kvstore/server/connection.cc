// SPDX-License-Identifier: Apache-2.0
// See connection.h; its bounds are in connection_bounds.cc, sending in connection_sending.cc. The
// life of a connection: hello, then reading; ending_ when no more requests are taken (end of the
// stream, broken frame, drain); lingering_ when everything is answered and the peer is given time
// to read it; closed_.
#include "kvstore/server/connection.h"

#include <algorithm>
#include <array>
#include <boost/asio.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "proto/net/peer.h"
#include "proto/wire/message.h"

namespace edged::server {
namespace asio = boost::asio;

Connection::Connection(std::shared_ptr<void> reactor,
                       Turns& turns,
                       Pass& pass,
                       net::Stream stream,
                       const ConnectionContext& context,
                       OnClosed on_closed)
    : reactor_(std::move(reactor)),
      stream_(std::move(stream)),
      turns_(turns),
      pass_(pass),
      context_(context),
      memory_(context.dispatcher.memory()),
      on_closed_(std::move(on_closed)),
      reader_(wire::FrameReader::Peer::kClient, context.limits.body_bytes_max) {}

void Connection::start() {
  session_ = std::make_unique<Session>(
      context_.dispatcher, pass_, context_.access, context_.limits, weak_from_this());
  if (net::is_own_peer(native_handle())) {
    session_->trust_peer();
  }
  context_.dispatcher.connections().add(1);
  last_read_ = last_write_ = frame_since_ = stranger_since_ = context_.clock.boot_now();
  look_who_it_is();
  if (stream_.is_tls()) {
    shake_hands();
  } else {
    read_hello();
  }
}

// Within the time for the hello.
void Connection::shake_hands() {
  stream_.async_handshake([self = shared_from_this()](Error error) {
    if (error) {
      self->context_.failed_handshakes.add();
      self->close();
    } else if (!self->closed_) {
      self->read_hello();
    }
  });
}

void Connection::close() {
  if (closed_) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    late_.clear();
  }
  session_->close();
  memory_.set(0);  // the total may go before this object does
  stream_.close();
  context_.dispatcher.connections().add(-1);
  on_known_ = nullptr;
  const OnClosed on_closed = std::move(on_closed_);
  on_closed(shared_from_this());
}

void Connection::drain() {
  if (!hello_done_) {
    close();
    return;
  }
  draining_ = true;
  last_read_ = context_.clock.boot_now();
  wire::Response push;
  push.opcode = wire::Opcode::kGoAway;
  push.fields.message = "the node is stopping";
  wire::append_push(push, out_);
  on_progress();
}

void Connection::read_hello() {
  asio::async_read(
      stream_, asio::buffer(hello_), [self = shared_from_this()](Error error, std::size_t) {
        if (error) {
          self->close();
        } else if (!self->closed_) {
          self->on_hello();
        }
      });
}

void Connection::on_hello() {
  context_.received_bytes.add(hello_.size());
  Result<wire::Hello> hello = wire::decode_hello({hello_.data(), hello_.size()});
  if (!hello) {
    close();  // it does not speak the protocol, so it would not understand an answer
    return;
  }
  hello_done_ = true;
  session_->set_body_bytes_max(std::min(hello->body_bytes_max, context_.limits.body_bytes_max));
  wire::Hello answer;
  answer.version_min = wire::common_version(*hello);
  answer.body_bytes_max = context_.limits.body_bytes_max;
  wire::append_hello(answer, out_);
  last_read_ = frame_since_ = context_.clock.boot_now();
  ending_ = answer.version_min == 0;
  on_progress();
}

bool Connection::may_read() const {
  return !ending_ && session_->may_take(out_.size() + sending_.size());
}

void Connection::read() {
  if (reading_ || waits_for_turn_ || closed_) {
    return;
  }
  if (!may_read()) {
    paused_ = true;
    return;
  }
  if (paused_) {
    paused_ = false;
    last_read_ = frame_since_ = context_.clock.boot_now();  // the pause was ours, not the peer's
  }
  reading_ = true;
  const std::span<char> space = reader_.prepare();
  const auto done = [this, room = space.size()](Error error, std::size_t count) {
    reading_ = false;
    had_share_ = count == room;  // more is there
    if (!closed_) {
      on_read(error, count);
    }
  };
  const asio::mutable_buffer into = asio::buffer(space.data(), space.size());
  if (stream_.is_polled()) {
    // Small enough for a std::function to keep it without allocating. It is not called after
    // close(), before which nobody destroys this object.
    stream_.read_some(into, done);
  } else {
    stream_.read_some(into, [self = shared_from_this(), done](Error error, std::size_t count) {
      done(error, count);
    });
  }
}

void Connection::on_read(Error error, std::size_t count) {
  const auto self = shared_from_this();  // it may close
  if (error && error != asio::error::eof) {
    close();
    return;
  }
  if (error) {
    ending_ = true;
  } else {
    const bool was_in_frame = reader_.in_frame();
    reader_.commit(count);
    context_.received_bytes.add(count);
    last_read_ = context_.clock.boot_now();
    if (!was_in_frame) {
      frame_since_ = last_read_;
    }
  }
  on_progress();
}

// The one way forward after anything happened: parse what may be parsed, send, read on.
void Connection::on_progress() {
  process();
  if (closed_) {
    return;
  }
  session_->end_turn();
  if (!writing_) {
    session_->pump(out_);
  }
  const bool was_full = !may_read();
  const std::size_t sent = flush();
  // A full buffer holds requests and parts back. Once it was sent no later event would start them,
  // so the connection takes another turn.
  const bool has_room = sent >= room_max() || (sent > 0 && was_full && may_read());
  if (had_share_ || has_room) {
    wait_for_turn();
  }
  read();
  finish_if_done();
  count_memory();
}

void Connection::wait_for_turn() {
  had_share_ = false;
  if (waits_for_turn_ || closed_) {
    return;
  }
  waits_for_turn_ = true;
  turns_.wait([self = shared_from_this()] {
    self->waits_for_turn_ = false;
    if (!self->closed_) {
      self->on_progress();
    }
  });
}

// Cuts the frames that are there, and prepares for them if that gains something.
std::size_t Connection::look_ahead(std::span<wire::Frame> ahead) {
  const std::size_t count = reader_.peek(ahead);
  if (count > 1) {
    session_->prepare_for(ahead.first(count));
  }
  return count;
}

void Connection::process() {
  // Of the thread, because setting it up costs as much as cutting three frames.
  thread_local std::array<wire::Frame, Session::kAheadMax> ahead;
  std::size_t cut = 0, taken = 0;                              // of `ahead`
  std::optional<std::chrono::steady_clock::time_point> until;  // the share begins at the first look
  for (std::size_t frames = 1; hello_done_ && !waits_for_turn_ && may_read(); ++frames) {
    if (taken == cut) {
      if (!reader_.in_frame()) {
        return;
      }
      cut = look_ahead(ahead);
      taken = 0;
    }
    switch (taken < cut ? reader_.take(ahead[taken++]) : reader_.next()) {
      case wire::FrameReader::Event::kNeedMore:
        if (announces_too_much()) {
          close();
        }
        return;
      case wire::FrameReader::Event::kFrame:
        session_->take_frame(reader_.frame(), out_);
        ending_ = session_->refused();
        if (!known_) {
          look_who_it_is();
        }
        break;
      case wire::FrameReader::Event::kOversized:
        session_->refuse_frame(reader_.frame().header,
                               Status(Code::kTooLarge,
                                      "could not read frame: its body of " +
                                          std::to_string(reader_.frame().header.body_bytes) +
                                          " bytes is above the limit of " +
                                          std::to_string(context_.limits.body_bytes_max)),
                               out_);
        break;
      case wire::FrameReader::Event::kBroken:
        session_->refuse_frame(reader_.broken_header(), reader_.status(), out_);
        ending_ = true;
        return;
    }
    frame_since_ = last_read_;
    if (pass_.full()) {
      had_share_ = true;
      return;
    }
    // A look at the clock costs as much as a twentieth of the cheapest request.
    if (frames % 4 != 0 && reader_.frame().body.size() <= 256) {
      continue;
    }
    const auto now = std::chrono::steady_clock::now();
    if (until && now > *until) {
      had_share_ = true;
      return;
    }
    until = until.value_or(now + Turns::kShare);
  }
}

void Connection::complete(std::uint64_t ticket, std::string response) {
  post_late({ticket, std::move(response), nullptr});
}

void Connection::complete_part(std::uint64_t ticket,
                               std::string response,
                               std::function<void()> go_on) {
  post_late({ticket, std::move(response), std::move(go_on)});
}

void Connection::wake() {
  post_late({0, {}, nullptr});  // no request has this ticket
}

void Connection::post_late(LateResponse late) {
  const std::lock_guard lock(mutex_);
  if (closed_) {
    return;
  }
  late_.push_back(std::move(late));
  if (!late_posted_) {
    late_posted_ = true;
    asio::post(stream_.get_executor(), [self = shared_from_this()] {
      if (!self->closed_) {
        self->take_late();
      }
    });
  }
}

void Connection::take_late() {
  std::vector<LateResponse> late;
  {
    const std::lock_guard lock(mutex_);
    late.swap(late_);
    late_posted_ = false;
  }
  session_->take_late(std::move(late), out_);
  on_progress();
}

void Connection::answered(std::uint64_t ticket) {
  if (closed_) {
    out_.clear();
  } else {
    session_->finish(ticket);
  }
}

void Connection::go_on() {
  held_back_ = false;
  if (!closed_) {
    session_->run_waiting(out_);
    on_progress();
  }
}

}  // namespace edged::server

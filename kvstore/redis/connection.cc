// SPDX-License-Identifier: Apache-2.0
// See connection.h. The life of a connection: reading; ending_ when no more commands are taken
// (QUIT, end of the stream, broken protocol, drain); lingering_ when everything is answered and the
// peer is given time to read it; closed_.
#include "kvstore/redis/connection.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <optional>
#include <utility>

#include "kvstore/redis/socket_names.h"
#include "proto/net/peer.h"

namespace edged::redis {
namespace asio = boost::asio;
using std::chrono::milliseconds;
namespace {

// A connection that sent much once does not keep the memory for it.
constexpr std::size_t kKeptBytesMax = 64 * 1024;
// What a client may have waiting while the memory of all is tight.
constexpr std::size_t kTightBytes = 64 * 1024;
constexpr milliseconds kLinger{1000};
constexpr std::size_t kCommandBytesPerSecondMin = 64 * 1024;

}  // namespace

Connection::Connection(std::shared_ptr<void> reactor,
                       ReactorParts& parts,
                       server::Turns& turns,
                       net::Stream stream,
                       const ConnectionContext& context,
                       OnClosed on_closed)
    : reactor_(std::move(reactor)),
      parts_(parts),
      turns_(turns),
      stream_(std::move(stream)),
      context_(context),
      limits_(context.face.options.limits),
      memory_(context.memory),
      on_closed_(std::move(on_closed)),
      parser_(ParserLimits{}) {}

void Connection::start() {
  Session::Peer peer;
  peer.address = socket_name(native_handle(), true);
  peer.own_address = socket_name(native_handle(), false);
  peer.progress = [this] { on_progress(); };  // dropped by close()
  peer.kill = [weak = weak_from_this(), life = parts_.life, &io = parts_.io] {
    if (const auto alive = life.lock()) {
      asio::post(io, [weak] {
        if (const auto self = weak.lock()) self->close();
      });
    }
  };
  session_ = std::make_shared<Session>(context_.face, parts_, out_, std::move(peer));
  session_->begin();
  if (net::is_own_peer(native_handle())) session_->trust_peer();
  last_read_ = last_write_ = command_since_ = stranger_since_ = context_.face.clock.boot_now();
  look_who_it_is();
  if (stream_.is_tls()) {
    shake_hands();
  } else {
    begin();
  }
}

void Connection::shake_hands() {
  stream_.async_handshake([self = shared_from_this()](Error error) {
    if (self->closed_) return;
    if (error) {
      self->context_.failed_handshakes.add();
      self->close();
    } else {
      self->begin();
    }
  });
}

void Connection::begin() {
  begun_ = true;
  read();
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  session_->close();
  memory_.set(0);  // the total may go before this object does
  stream_.close();
  on_known_ = nullptr;
  const OnClosed on_closed = std::move(on_closed_);
  on_closed(shared_from_this());
}

void Connection::drain() {
  if (!begun_) return close();
  ending_ = true;
  on_progress();
}

bool Connection::has_room() const {
  const std::size_t most = context_.memory.tight() ? kTightBytes : limits_.out_bytes_max;
  return session_->reply_bytes() + sending_.size() < most;
}

void Connection::read() {
  if (reading_ || ending_ || waits_for_turn_ || closed_ || !has_room() || held_command_ ||
      session_->blocked()) {
    return;
  }
  reading_ = true;
  const std::span<char> space = parser_.prepare();
  const auto done = [this, room = space.size()](Error error, std::size_t count) {
    reading_ = false;
    had_share_ = had_share_ || count == room;  // more is there
    if (!closed_) on_read(error, count);
  };
  const asio::mutable_buffer into = asio::buffer(space.data(), space.size());
  if (stream_.is_polled()) {
    // Is not called after close(), before which nobody destroys this object.
    stream_.read_some(into, done);
  } else {
    stream_.read_some(into, [self = shared_from_this(), done](Error error, std::size_t count) {
      done(error, count);
    });
  }
}

void Connection::on_read(Error error, std::size_t count) {
  const auto self = shared_from_this();  // it may close
  if (error && error != asio::error::eof) return close();
  if (error) {
    ending_ = true;
  } else {
    const bool was_in_command = parser_.in_command();
    parser_.commit(count);
    context_.received_bytes.add(count);
    last_read_ = context_.face.clock.boot_now();
    if (!was_in_command) command_since_ = last_read_;
  }
  on_progress();
}

// The one way forward after anything happened: execute what may be executed, send, read on.
void Connection::on_progress() {
  if (closed_) return;
  again_ = true;
  if (std::exchange(in_progress_, true)) return;
  const auto self = shared_from_this();
  while (std::exchange(again_, false) && !closed_) {
    process();
    if (closed_) break;
    session_->end_turn();
    const bool was_full = !has_room();
    flush();
    // Commands that a full buffer held back wait for no event: they go on at the connection's next
    // turn.
    if (had_share_ || (was_full && has_room())) wait_for_turn();
    read();
    finish_if_done();
    count_memory();
  }
  in_progress_ = false;
}

void Connection::wait_for_turn() {
  had_share_ = false;
  if (waits_for_turn_ || closed_) return;
  waits_for_turn_ = true;
  turns_.wait([self = shared_from_this()] {
    self->waits_for_turn_ = false;
    self->on_progress();
  });
}

void Connection::process() {
  if (!begun_ || broken_) return;
  held_command_ = false;
  std::optional<std::chrono::steady_clock::time_point> until;  // the share begins at the first look
  for (std::size_t commands = 1; !waits_for_turn_ && !session_->ending() && has_room();
       ++commands) {
    if (session_->blocked() || !parser_.in_command()) return;
    switch (parser_.next()) {
      case CommandParser::Event::kNeedMore:
        return;
      case CommandParser::Event::kBroken:
        session_->refuse_protocol(parser_.error());
        ending_ = broken_ = true;
        return;
      case CommandParser::Event::kCommand:
        if (session_->take(parser_.arguments()) == Session::Taken::kLater) {
          parser_.put_back();
          held_command_ = true;
          return;
        }
        break;
    }
    command_since_ = last_read_;
    if (!known_) look_who_it_is();
    if (parts_.pass.full()) {
      had_share_ = true;
      return;
    }
    if (commands % 4 != 0) continue;
    const auto now = std::chrono::steady_clock::now();
    if (until && now > *until) {
      had_share_ = true;
      return;
    }
    until = until.value_or(now + server::Turns::kShare);
  }
}

void Connection::look_who_it_is() {
  const bool known = session_->knows_peer();
  if (known == known_ && (known || stranger_number_ != 0)) return;
  if (known_ && !known) stranger_since_ = context_.face.clock.boot_now();  // its token has gone
  known_ = known;
  parser_.set_limits(known ? ParserLimits{} : CommandParser::stranger_limits());
  if (known_ && on_known_) std::exchange(on_known_, nullptr)();
}

// A command that is arriving cannot be stopped half-way. So when memory is used up, connections are
// closed whose incomplete command has taken much of it.
void Connection::count_memory() {
  if (closed_) return;
  memory_.set(parser_.buffer_bytes() + out_.capacity() + sending_.capacity());
  if (parser_.in_command() && parser_.buffer_bytes() > server::MemoryShare::kFreeBytes &&
      context_.memory.used_up() && session_->idle()) {
    close();
  }
}

void Connection::flush() {
  if (writing_ || session_->held_back() || out_.empty() || closed_) return;
  sending_.clear();
  sending_.swap(out_);
  sent_ = stream_.send_now(sending_);
  context_.sent_bytes.add(sent_);
  if (sent_ < sending_.size()) {
    writing_ = true;
    last_write_ = context_.face.clock.boot_now();
    return write_some();
  }
  sending_.clear();
  if (sending_.capacity() > kKeptBytesMax) sending_.shrink_to_fit();
}

void Connection::write_some() {
  stream_.async_write_some(asio::buffer(sending_.data() + sent_, sending_.size() - sent_),
                           [self = shared_from_this()](Error error, std::size_t count) {
                             if (self->closed_) return;
                             if (error) return self->close();
                             self->context_.sent_bytes.add(count);
                             self->last_write_ = self->context_.face.clock.boot_now();
                             self->sent_ += count;
                             if (self->sent_ < self->sending_.size()) return self->write_some();
                             self->writing_ = false;
                             self->sending_.clear();
                             if (self->sending_.capacity() > kKeptBytesMax) {
                               self->sending_.shrink_to_fit();
                             }
                             self->on_progress();
                           });
}

void Connection::finish_if_done() {
  ending_ = ending_ || session_->ending();
  if (!ending_ || lingering_ || closed_ || writing_ || !out_.empty() || !session_->idle()) return;
  if (waits_for_turn_) return;  // commands that have arrived are still to be executed
  // Closing with unread bytes would reset the connection and take the last reply with it.
  lingering_ = true;
  last_write_ = context_.face.clock.boot_now();
  stream_.send_end();
  linger();
}

void Connection::linger() {
  stream_.drop_some(asio::buffer(discarded_),
                    [self = shared_from_this()](Error error, std::size_t) {
                      if (self->closed_) return;
                      if (error) return self->close();
                      self->linger();
                    });
}

void Connection::sweep(milliseconds now) {
  look_who_it_is();
  session_->review();
  if (session_->ending() && !ending_) return on_progress();
  const bool idle = session_->idle() && !writing_;
  bool late = false;
  if (lingering_) {
    late = now - last_write_ > kLinger;
  } else if (writing_) {
    late = now - last_write_ > limits_.write_timeout;
  } else if (!begun_) {
    late = now - stranger_since_ > limits_.auth_timeout;
  } else if (reading_ && parser_.in_command()) {
    const auto for_bytes = std::chrono::seconds(parser_.buffer_bytes() / kCommandBytesPerSecondMin);
    late = now - command_since_ > limits_.command_timeout + for_bytes;
  } else if (idle && limits_.idle_timeout.count() > 0) {
    late = now - last_read_ > limits_.idle_timeout;
  }
  late = late || (!known_ && !lingering_ && now - stranger_since_ > limits_.auth_timeout);
  if (late) close();
}

}  // namespace edged::redis

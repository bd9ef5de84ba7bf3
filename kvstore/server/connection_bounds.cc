// SPDX-License-Identifier: Apache-2.0
// See connection.h: what a connection may hold and how long it may take. Peers that have not shown
// the token which the node wants get little of both.
#include <boost/asio.hpp>
#include <utility>

#include "kvstore/server/connection.h"

namespace edged::server {
using std::chrono::milliseconds;

void Connection::look_who_it_is() {
  const bool known = session_->knows_peer();
  if (known_ && !known) {
    stranger_since_ = context_.clock.boot_now();  // its token has gone
  }
  known_ = known;
  if (known_ && on_known_) {
    std::exchange(on_known_, nullptr)();
  }
}

// Memory is for those who are known: nobody else begins a frame that needs much.
bool Connection::announces_too_much() const {
  return !known_ && reader_.in_frame() &&
         reader_.frame_bytes_announced() >
             wire::kHeaderBytes + context_.limits.stranger_body_bytes_max;
}

// A frame is the one thing that cannot be stopped half-way: when memory is used up, those whose
// frame has taken much of it are cut.
void Connection::count_memory() {
  if (closed_) {
    return;
  }
  memory_.set(reader_.buffer_bytes() + out_.capacity() + sending_.capacity() +
              session_->held_bytes());
  if (reader_.in_frame() && reader_.buffer_bytes() > MemoryShare::kFreeBytes &&
      context_.dispatcher.memory().used_up() && session_->idle()) {
    close();
  }
}

milliseconds Connection::frame_deadline() const {
  const std::uint64_t seconds = reader_.frame_bytes_announced() / wire::kFrameBytesPerSecondMin;
  return frame_since_ + context_.limits.frame_timeout + std::chrono::seconds(seconds);
}

void Connection::sweep(milliseconds now) {
  const Limits& limits = context_.limits;
  look_who_it_is();
  if (session_->review(out_)) {
    flush();
  }
  const bool idle = session_->idle() && !writing_;
  bool late = false;
  if (lingering_) {
    late = now - linger_since_ > limits.linger_timeout;
  } else if (writing_ && now - last_write_ > limits.write_timeout) {
    late = true;
  } else if (!hello_done_) {
    late = now - frame_since_ > limits.hello_timeout;
  } else if (draining_ && !ending_ && idle && now - last_read_ > limits.drain_silence) {
    // What the kernel holds is still read and answered; behind it the stream ends.
    stream_.end_input();
  } else if (reading_ && reader_.in_frame()) {
    late = now > frame_deadline();
  } else if (idle) {
    late = now - last_read_ > limits.idle_timeout;
  }
  // A PING does not move this deadline.
  late = late || (!known_ && !lingering_ && now - stranger_since_ > limits.auth_timeout);
  if (late) {
    close();
  }
}

}  // namespace edged::server

// SPDX-License-Identifier: Apache-2.0
// See connection.h: how responses are sent, and how a connection ends whose peer still reads.
#include <algorithm>
#include <boost/asio.hpp>

#include "kvstore/server/connection.h"

namespace edged::server {
namespace asio = boost::asio;
namespace {

// A connection that sent much once does not keep the memory for it.
constexpr std::size_t kKeptBytesMax = 64 * 1024;

}  // namespace

// Of what may wait to be sent, the smallest bound that anything is held back by.
std::size_t Connection::room_max() const {
  const Limits& limits = context_.limits;
  return std::min({kKeptBytesMax, limits.stranger_out_bytes_max, limits.out_bytes_max});
}

// How much was sent at once; what was not, is under way.
std::size_t Connection::flush() {
  if (writing_ || held_back_ || out_.empty() || closed_) {
    return 0;
  }
  sending_.clear();
  sending_.swap(out_);
  sent_ = stream_.send_now(sending_);
  context_.sent_bytes.add(sent_);
  if (sent_ < sending_.size()) {
    writing_ = true;
    last_write_ = context_.clock.boot_now();
    write_some();
  } else {
    empty_sending();
  }
  return sent_;
}

void Connection::empty_sending() {
  sending_.clear();
  if (sending_.capacity() > kKeptBytesMax) {
    sending_.shrink_to_fit();
  }
}

void Connection::write_some() {
  stream_.async_write_some(asio::buffer(sending_.data() + sent_, sending_.size() - sent_),
                           [self = shared_from_this()](Error error, std::size_t count) {
                             if (self->closed_) {
                               return;
                             }
                             if (error) {
                               self->close();
                               return;
                             }
                             self->context_.sent_bytes.add(count);
                             self->last_write_ = self->context_.clock.boot_now();
                             self->sent_ += count;
                             if (self->sent_ < self->sending_.size()) {
                               self->write_some();
                               return;
                             }
                             self->writing_ = false;
                             self->empty_sending();
                             self->on_progress();
                           });
}

void Connection::finish_if_done() {
  if (!ending_ || lingering_ || closed_ || writing_ || !out_.empty() || !session_->idle()) {
    return;
  }
  // Closing with unread bytes would reset the connection and take the last response with it.
  lingering_ = true;
  linger_since_ = context_.clock.boot_now();
  stream_.send_end();
  linger();
}

void Connection::linger() {
  stream_.drop_some(asio::buffer(discarded_),
                    [self = shared_from_this()](Error error, std::size_t) {
                      if (self->closed_) {
                        return;
                      }
                      if (error) {
                        self->close();
                      } else {
                        self->linger();
                      }
                    });
}

}  // namespace edged::server

// SPDX-License-Identifier: Apache-2.0
// See load_connection.h.
#include "tools/bench/load_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace edged::bench {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;      // at least so much room for a read
constexpr std::size_t kReadBytesMax = 256 * 1024;  // of one read

}  // namespace

LoadConnection::LoadConnection(int socket, std::size_t places)
    : socket_(socket), in_(kReadBytes), places_(places) {
  for (std::size_t place = places; place > 0; --place) {
    free_.push_back(static_cast<std::uint32_t>(place - 1));
  }
}

LoadConnection::~LoadConnection() {
  ::close(socket_);
}

LoadConnection::Sent LoadConnection::send() {
  if (sent_ == out_.size()) return Sent::kAll;
  const ssize_t sent = ::send(socket_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return Sent::kGone;
  sent_ += sent < 0 ? 0 : static_cast<std::size_t>(sent);
  if (sent_ < out_.size()) return Sent::kBlocked;
  out_.clear();
  sent_ = 0;
  return Sent::kAll;
}

bool LoadConnection::receive() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (in_.size() - end_ < kReadBytes && begin_ > 0) {
    std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (in_.size() - end_ < kReadBytes) in_.resize(in_.size() * 2);
  const std::size_t room = std::min(in_.size() - end_, kReadBytesMax);
  const ssize_t got = ::recv(socket_, in_.data() + end_, room, 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  end_ += static_cast<std::size_t>(got);
  return true;
}

std::uint32_t LoadConnection::take_place() {
  const std::uint32_t place = free_.back();
  free_.pop_back();
  return place;
}

}  // namespace edged::bench

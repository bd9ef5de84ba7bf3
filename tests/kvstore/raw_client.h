// SPDX-License-Identifier: Apache-2.0
// A client that sends exactly the bytes a test wants, whatever they are, over blocking sockets with
// a receive time-out. One thread.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "proto/wire/message.h"

namespace edged::test {

class RawClient {
 public:
  explicit RawClient(const std::string& address, bool with_hello = true) {
    const std::size_t colon = address.rfind(':');
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr);
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{60, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&peer), sizeof peer), 0);
    if (with_hello) {
      std::string hello;
      wire::append_hello({}, hello);
      send(hello);
      EXPECT_EQ(receive(wire::kHelloBytes).size(), wire::kHelloBytes);
    }
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // False if the peer is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) {
        return false;
      }
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  bool send(const wire::Request& request) {
    std::string frame;
    wire::append_request(request, frame);
    return send(frame);
  }

  void end_sending() { ::shutdown(socket_, SHUT_WR); }

  // `count` bytes, or fewer if the stream ends or 10 s pass without any.
  std::string receive(std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t at = 0;
    while (at < count) {
      const ssize_t got = ::recv(socket_, bytes.data() + at, count - at, 0);
      if (got <= 0) {
        break;
      }
      at += static_cast<std::size_t>(got);
    }
    bytes.resize(at);
    return bytes;
  }

  // True if the server ended the stream, having sent nothing more.
  bool ended() {
    char byte = 0;
    const ssize_t got = ::recv(socket_, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }

  struct Reply {
    wire::Header header;
    std::string body;
    Code status() const { return static_cast<Code>(header.key_bytes); }
    bool more() const { return (header.flags & wire::kFlagMore) != 0; }
    // Views into this object.
    wire::Response response() const { return wire::decode_response({header, body}).value(); }
    wire::Fields fields() const { return response().fields; }
    std::string value() const { return std::string(response().value); }
    std::vector<wire::Item> items() const {
      std::vector<wire::Item> all;
      wire::ItemReader reader(response().value);
      for (wire::Item item; reader.next(item);) {
        all.push_back(item);
      }
      EXPECT_TRUE(reader.status().ok()) << reader.status().to_string();
      return all;
    }
  };
  Reply call(const wire::Request& request) {
    EXPECT_TRUE(send(request));
    return reply();
  }
  // A reply with id 0xFFFFFFFF if none comes.
  Reply reply() {
    Reply reply;
    reply.header.id = 0xFFFFFFFF;
    const std::string header = receive(wire::kHeaderBytes);
    if (header.size() == wire::kHeaderBytes) {
      reply.header = wire::decode_header(header).value();
      reply.body = receive(reply.header.body_bytes);
    }
    return reply;
  }

 private:
  int socket_ = -1;
};

}  // namespace edged::test

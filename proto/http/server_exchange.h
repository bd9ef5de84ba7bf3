// SPDX-License-Identifier: Apache-2.0
// The Exchange of a server's connection: reads the body of the request that the connection has
// parsed the head of, and writes the answer. Lives as long as its request. The server's executor
// only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto/http/byte_stream.h"
#include "proto/http/exchange.h"
#include "proto/http/input_buffer.h"
#include "proto/http/request_parser.h"
#include "proto/http/server.h"
#include "proto/http/transfer_budget.h"

namespace edged::http {

class ServerExchange final : public Exchange {
 public:
  // All outlive the object. `draining`: no further request follows this one.
  struct Place {
    const ServerOptions& options;
    const bool& draining;
    ByteStream& stream;
    InputBuffer& input;
    RequestParser& parser;
  };
  ServerExchange(Place place, RequestParser::Head head);

  void set_bounds(const RawOptions& bounds) { bounds_ = bounds; }

  const RequestHead& head() const override { return head_.request; }
  bool own_peer() const override;
  boost::asio::awaitable<Result<std::string>> read_body(std::size_t bytes_max) override;
  boost::asio::awaitable<Status> discard_body() override;
  boost::asio::awaitable<Status> send(Response response) override;
  boost::asio::awaitable<Status> begin(ResponseHead head,
                                       std::optional<std::uint64_t> bytes) override;
  boost::asio::awaitable<Status> write(std::string_view piece) override;
  boost::asio::awaitable<Status> end() override;

  // The connection ends after this answer.
  void close_afterwards() { keep_alive_ = false; }
  // The request was refused before its body could be read: nothing more of it is parsed.
  void abandon_body() { abandoned_ = true; }
  bool answer_begun() const { return answer_ != Answer::kNone; }
  enum class Outcome {
    kGoesOn,      // the whole request was read, the whole answer sent: the next request may come
    kEnds,        // the same, and the connection ends
    kEndsUnread,  // the answer was sent; drop what the peer still sends, then close
    kBroken,      // close
  };
  Outcome outcome() const;

 private:
  enum class Answer { kNone, kUnderWay, kDone, kBroken };

  boost::asio::awaitable<Status> read_some(char* at, std::size_t size, std::size_t& produced);
  boost::asio::awaitable<Status> ask_for_body();
  boost::asio::awaitable<Status> read_more();
  boost::asio::awaitable<void> settle_body();
  boost::asio::awaitable<Status> put(std::string_view body, bool last);
  Status broken(Code code, const char* why);
  Status check_bound(std::uint64_t bytes, std::uint64_t bytes_max, const char* what) const;

  const Place place_;
  const RequestParser::Head head_;
  RawOptions bounds_;
  TransferBudget in_, out_;
  bool keep_alive_;
  // The body.
  bool abandoned_ = false;
  bool asked_ = false;
  std::uint64_t received_ = 0;
  Status body_status_;
  bool gone_ = false;
  // The answer.
  Answer answer_ = Answer::kNone;
  std::string head_text_;  // not sent yet
  bool bodiless_ = false, chunked_ = false;
  std::optional<std::uint64_t> left_;  // of its announced bytes
};

}  // namespace edged::http

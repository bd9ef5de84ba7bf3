// SPDX-License-Identifier: Apache-2.0
#include "proto/http/server_exchange.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

#include "proto/http/response_text.h"
#include "proto/net/peer.h"

namespace edged::http {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;

Status peer_gone() {
  return {Code::kUnavailable, "the HTTP client is gone or too slow"};
}

}  // namespace

ServerExchange::ServerExchange(Place place, RequestParser::Head head)
    : place_(place),
      head_(std::move(head)),
      in_(place.options.transfer_grace, place.options.transfer_rate_min),
      out_(place.options.transfer_grace, place.options.transfer_rate_min),
      keep_alive_(head_.keep_alive) {}

bool ServerExchange::own_peer() const {
  return net::is_own_peer(place_.stream.native_handle());
}

ServerExchange::Outcome ServerExchange::outcome() const {
  if (gone_ || answer_ != Answer::kDone) return Outcome::kBroken;
  if (abandoned_ || !place_.parser.body_done()) return Outcome::kEndsUnread;
  return keep_alive_ ? Outcome::kGoesOn : Outcome::kEnds;
}

Status ServerExchange::check_bound(std::uint64_t bytes,
                                   std::uint64_t bytes_max,
                                   const char* what) const {
  if (bytes <= bytes_max) return {};
  return {Code::kTooLarge,
          std::string("the body has more than ") + std::to_string(bytes_max) + " bytes" + what};
}

// A client that waits to be asked for its body.
asio::awaitable<Status> ServerExchange::ask_for_body() {
  static constexpr std::string_view kContinue[] = {"HTTP/1.1 100 Continue\r\n\r\n"};
  asked_ = true;
  const bool sent = co_await place_.stream.write(kContinue, out_.begin());
  out_.end(0);
  gone_ = gone_ || !sent;
  co_return sent ? Status() : peer_gone();
}

asio::awaitable<Status> ServerExchange::read_more() {
  const InputBuffer::Room room = place_.input.prepare(kPieceBytes);
  const std::size_t count = co_await place_.stream.read(room.at, room.size, in_.begin());
  place_.input.commit(count);
  in_.end(count);
  gone_ = gone_ || count == 0;
  co_return count == 0 ? peer_gone() : Status();
}

// The next bytes of the body, at least one; none at its end.
asio::awaitable<Status> ServerExchange::read_some(char* at,
                                                  std::size_t size,
                                                  std::size_t& produced) {
  produced = 0;
  RequestParser& parser = place_.parser;
  InputBuffer& input = place_.input;
  if (!parser.body_done() && head_.expects_continue && !asked_) {
    const Status asked = co_await ask_for_body();
    if (!asked.ok()) co_return asked;
  }
  while (produced == 0 && !parser.body_done()) {
    if (!input.empty()) {
      const auto step = parser.parse_body(input.view(), at, size);
      if (!step) co_return step.error();
      input.consume(step->consumed);
      produced = step->produced;
      received_ += produced;
      if (step->consumed > 0) continue;
      // A chunk's line and the trailer are parsed at once: no body limit holds for them.
      if (input.view().size() > place_.options.header_bytes_max) {
        co_return Status(Code::kInvalidArgument, "a chunk's header or the trailer is too large");
      }
    }
    const Status more = co_await read_more();
    if (!more.ok()) co_return more;
  }
  co_return Status();
}

asio::awaitable<Result<std::string>> ServerExchange::read_body(std::size_t bytes_max) {
  if (body_status_.ok() && head_.request.content_length) {
    body_status_ = check_bound(*head_.request.content_length, bounds_.body_bytes_max, "");
  }
  if (!body_status_.ok()) co_return body_status_;
  if (place_.parser.body_done()) co_return std::string();
  std::size_t room = std::clamp<std::size_t>(bytes_max, 1, kPieceBytes);
  if (head_.request.content_length) {
    room = std::min<std::uint64_t>(room, *head_.request.content_length - received_);
  }
  std::string piece(room, '\0');
  std::size_t size = 0;
  body_status_ = co_await read_some(piece.data(), piece.size(), size);
  if (body_status_.ok()) body_status_ = check_bound(received_, bounds_.body_bytes_max, "");
  if (!body_status_.ok()) co_return body_status_;
  piece.resize(size);
  co_return piece;
}

asio::awaitable<Status> ServerExchange::discard_body() {
  if (!body_status_.ok() && body_status_.code() != Code::kTooLarge) co_return body_status_;
  const std::uint64_t limit = bounds_.discard_bytes_max;
  if (head_.request.content_length) {
    const Status bound = check_bound(
        *head_.request.content_length - received_, limit, " that the server does not need");
    if (!bound.ok()) co_return bound;
  }
  const std::uint64_t begin = received_;
  std::string dropped(place_.parser.body_done() ? 0 : kPieceBytes, '\0');
  while (!place_.parser.body_done()) {
    std::size_t size = 0;
    const Status read = co_await read_some(dropped.data(), dropped.size(), size);
    if (!read.ok()) {
      body_status_ = read;
      co_return read;
    }
    const Status bound = check_bound(received_ - begin, limit, " that the server does not need");
    if (!bound.ok()) co_return bound;
  }
  co_return Status();
}

// Before the answer: the request is read to its end, or the connection will not go on.
asio::awaitable<void> ServerExchange::settle_body() {
  // A client that was not asked for its body need not send it: whether it does is not known.
  const bool will_come = !head_.expects_continue || asked_;
  if (!abandoned_ && will_come) (void)co_await discard_body();
  if (abandoned_ || !place_.parser.body_done() || place_.draining) keep_alive_ = false;
}

Status ServerExchange::broken(Code code, const char* why) {
  answer_ = Answer::kBroken;
  if (code == Code::kUnavailable) return peer_gone();
  return {code, why};
}

asio::awaitable<Status> ServerExchange::begin(ResponseHead head,
                                              std::optional<std::uint64_t> bytes) {
  if (answer_ != Answer::kNone) co_return broken(Code::kInternal, "the answer has begun already");
  co_await settle_body();
  if (gone_) co_return broken(Code::kUnavailable, "");
  answer_ = Answer::kUnderWay;
  bodiless_ = head_.request.method == "HEAD" || has_no_body(head.status);
  left_ = bytes;
  chunked_ = !bytes && head_.version != 10;
  if (!bytes && !chunked_) keep_alive_ = false;
  head_text_ = head_text(head, {head_.version, keep_alive_, bytes});
  co_return Status();
}

// `body` is all that is left of the answer if it is the `last`.
asio::awaitable<Status> ServerExchange::put(std::string_view body, bool last) {
  if (bodiless_) body = {};
  std::array<char, 24> line{};  // of a chunk
  std::size_t line_bytes = 0;
  const bool framed = chunked_ && !bodiless_;
  if (framed && !body.empty()) {
    const int count = std::snprintf(line.data(), line.size(), "%zx\r\n", body.size());
    line_bytes = static_cast<std::size_t>(count);
  }
  const std::string_view behind = !framed ? "" : last ? "0\r\n\r\n" : "\r\n";
  const std::array<std::string_view, 4> pieces{
      head_text_, std::string_view(line.data(), line_bytes), body, behind};
  std::size_t bytes = 0;
  for (const std::string_view piece : pieces) bytes += piece.size();
  if (bytes == 0) co_return Status();
  const bool sent = co_await place_.stream.write(pieces, out_.begin(bytes));
  out_.end(bytes);
  head_text_.clear();
  if (sent) co_return Status();
  gone_ = true;
  co_return broken(Code::kUnavailable, "");
}

asio::awaitable<Status> ServerExchange::write(std::string_view piece) {
  if (answer_ == Answer::kBroken && gone_) co_return peer_gone();
  if (answer_ != Answer::kUnderWay) {
    co_return broken(Code::kInternal, "no answer has begun");
  }
  if (left_ && piece.size() > *left_) {
    co_return broken(Code::kInternal, "the answer is longer than was announced");
  }
  if (left_) *left_ -= piece.size();
  if (piece.empty() || (bodiless_ && head_text_.empty())) co_return Status();
  const Status sent = co_await put(piece, false);
  co_return sent;
}

asio::awaitable<Status> ServerExchange::end() {
  if (answer_ == Answer::kBroken && gone_) co_return peer_gone();
  if (answer_ != Answer::kUnderWay) {
    co_return broken(Code::kInternal, "no answer has begun");
  }
  if (left_.value_or(0) != 0 && !bodiless_) {
    co_return broken(Code::kInternal, "the answer is shorter than was announced");
  }
  const Status sent = co_await put({}, true);
  if (sent.ok()) answer_ = Answer::kDone;
  co_return sent;
}

asio::awaitable<Status> ServerExchange::send(Response response) {
  ResponseHead head;
  head.status = response.status;
  head.content_type = std::move(response.content_type);
  head.headers = std::move(response.headers);
  head.reason = std::move(response.reason);
  const std::uint64_t bytes = response.body.size();
  Status done = co_await begin(std::move(head), bytes);
  if (done.ok()) done = co_await write(response.body);
  if (done.ok()) done = co_await end();
  co_return done;
}

}  // namespace edged::http

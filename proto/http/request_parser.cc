// SPDX-License-Identifier: Apache-2.0
// The one file that sees Beast's HTTP.
#include "proto/http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>

#include "proto/http/request.h"

namespace edged::http {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using boost::system::error_code;
namespace {

using Parser = bhttp::request_parser<bhttp::buffer_body>;
constexpr char kDelete = '\x7f';

// Beast refuses the byte 0x7F, which may stand in metadata (workerd sends it). Replaces it in the
// header lines by a byte that does not occur in them and returns that byte; nothing if all occur.
std::optional<char> mask_delete(std::string& head) {
  const std::size_t fields = std::min(head.find('\n'), head.size());
  bool used[256] = {};
  for (std::size_t i = fields; i < head.size(); ++i)
    used[static_cast<unsigned char>(head[i])] = true;
  if (!used[static_cast<unsigned char>(kDelete)]) return kDelete;
  for (int byte = 0xff; byte >= 0x80; --byte) {
    if (used[byte]) continue;
    std::replace(head.begin() + static_cast<std::ptrdiff_t>(fields),
                 head.end(),
                 kDelete,
                 static_cast<char>(byte));
    return static_cast<char>(byte);
  }
  return std::nullopt;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= std::numeric_limits<std::uint64_t>::digits10 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

const std::string* find(const Headers& headers, const char* name) {
  const auto found = headers.find(name);
  return found == headers.end() ? nullptr : &found->second;
}

}  // namespace

struct RequestParser::Impl {
  std::optional<Response> read_fields(char masked, Head& head) const;
  std::optional<Response> read_framing(Head& head) const;

  Parser parser;
};

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;

std::optional<Response> RequestParser::parse_head(std::string bytes, Head& head) {
  const std::optional<char> masked = mask_delete(bytes);
  if (!masked) return refusal(400, "the header has too many different bytes");
  Parser& parser = impl_->parser;
  // Both are the caller's: it has cut the head, and it counts the body.
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());
  parser.body_limit(boost::none);
  error_code error;
  const std::size_t taken = parser.put(asio::buffer(bytes), error);
  const auto line = bytes.begin() + static_cast<std::ptrdiff_t>(bytes.find('\n'));
  if (error == bhttp::error::bad_version && std::count(bytes.begin(), line, ' ') == 2) {
    return refusal(505, "only HTTP/1.0 and HTTP/1.1 are supported");
  }
  if (error || taken != bytes.size() || !parser.is_header_done()) {
    return refusal(400, "the request is malformed");
  }
  if (auto refused = impl_->read_fields(*masked, head)) return refused;
  return impl_->read_framing(head);
}

std::optional<Response> RequestParser::Impl::read_fields(char masked, Head& head) const {
  const auto& message = parser.get();
  auto target = split_target({message.target().data(), message.target().size()});
  if (!target) return refusal(400, target.error().message());
  RequestHead& request = head.request;
  request.method = std::string(message.method_string());
  request.target_path = std::move(target->path);
  request.query = std::move(target->query);
  head.target_authority = std::move(target->authority);
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    head.hosts += name == "host";
    std::string value(field.value());
    if (masked != kDelete) std::replace(value.begin(), value.end(), masked, kDelete);
    const auto [at, is_new] = request.headers.emplace(std::move(name), value);
    if (!is_new) at->second.append(", ").append(value);
  }
  request.authority = head.target_authority;
  if (const std::string* host = find(request.headers, "host"); host && !request.authority) {
    request.authority = *host;
  }
  head.version = message.version();
  head.keep_alive = parser.keep_alive();
  const std::string* expect = find(request.headers, "expect");
  head.expects_continue =
      head.version == 11 && expect && equal_ignoring_case(*expect, "100-continue");
  return std::nullopt;
}

std::optional<Response> RequestParser::Impl::read_framing(Head& head) const {
  const std::string* coding = find(head.request.headers, "transfer-encoding");
  const std::string* length = find(head.request.headers, "content-length");
  if (coding != nullptr) {
    if (length != nullptr || head.version == 10) {
      return refusal(400, "the request leaves the length of its body unclear");
    }
    // Any other coding would leave the body's end unknown.
    if (!equal_ignoring_case(*coding, "chunked")) {
      return refusal(501, "the only supported transfer coding is chunked");
    }
    return std::nullopt;
  }
  // Two lengths were joined by a comma.
  if (length != nullptr && !is_number(*length)) {
    return refusal(400, "the header Content-Length is not one number");
  }
  head.request.content_length = parser.content_length().value_or(0);
  return std::nullopt;
}

bool RequestParser::body_done() const {
  return impl_->parser.is_done();
}

Result<RequestParser::Step> RequestParser::parse_body(std::string_view input,
                                                      char* out,
                                                      std::size_t size) {
  Parser& parser = impl_->parser;
  auto& body = parser.get().body();
  body.data = out;
  body.size = size;
  Step step;
  while (step.consumed < input.size() && !parser.is_done()) {
    error_code error;
    const std::size_t taken =
        parser.put(asio::buffer(input.data() + step.consumed, input.size() - step.consumed), error);
    step.consumed += taken;
    if (error == bhttp::error::need_more || error == bhttp::error::need_buffer) break;
    if (error) return Status(Code::kInvalidArgument, "the body of the request is malformed");
    if (taken == 0) break;
  }
  step.produced = size - body.size;
  return step;
}

}  // namespace edged::http

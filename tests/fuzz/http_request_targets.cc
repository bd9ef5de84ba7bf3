// SPDX-License-Identifier: Apache-2.0
// proto/http's parsers and the binding face's, without sockets: what a request says must not depend
// on how its bytes were split, and no request may be read in two ways.
#include <algorithm>
#include <optional>
#include <string>

#include "kvstore/http/binding_answer.h"
#include "kvstore/http/binding_request.h"
#include "proto/base/check.h"
#include "proto/base/utf8.h"
#include "proto/http/head_scan.h"
#include "proto/http/request_parser.h"
#include "proto/http/response_text.h"
#include "tests/fuzz/targets.h"

namespace edged::fuzz {
namespace {

using http::HeadScan;
using http::RequestParser;

struct Parsed {
  HeadScan::State state = HeadScan::State::kMore;
  std::size_t head_bytes = 0;
  bool refused = false;
  RequestParser::Head head;
  bool broken = false, done = false;
  std::string body;
  std::size_t body_bytes = 0;  // of the input

  bool operator==(const Parsed& other) const {
    return state == other.state && refused == other.refused && broken == other.broken &&
           done == other.done &&
           // What came before a fault is given out in pieces, and not at all in one.
           (broken || (body == other.body && body_bytes == other.body_bytes)) &&
           head.request.headers == other.head.request.headers;
  }
};

void parse_body(RequestParser& parser, std::string_view input, std::size_t step, Parsed& parsed) {
  std::string out(step, '\0');
  std::size_t end = 0;
  while (!parser.body_done()) {
    const auto taken = parser.parse_body(
        input.substr(parsed.body_bytes, end - parsed.body_bytes), out.data(), step);
    if (!taken) {
      parsed.broken = true;
      return;
    }
    KV_CHECK(taken->produced <= step && taken->produced <= taken->consumed);
    parsed.body.append(out, 0, taken->produced);
    parsed.body_bytes += taken->consumed;
    if (taken->consumed > 0) continue;
    if (end == input.size()) return;
    end = std::min(end + step, input.size());
  }
  parsed.done = true;
}

// `step`: how many bytes come at once.
Parsed parse(std::string_view bytes, std::size_t step) {
  Parsed parsed;
  HeadScan scan;
  std::size_t seen = 0;
  do {
    seen = std::min(seen + step, bytes.size());
    parsed.state = scan.scan(bytes.substr(0, seen));
  } while (parsed.state == HeadScan::State::kMore && seen < bytes.size());
  if (parsed.state != HeadScan::State::kDone) return parsed;
  parsed.head_bytes = scan.size();
  KV_CHECK(bytes.substr(0, scan.size()).ends_with("\r\n\r\n"));
  RequestParser parser;
  parsed.refused =
      parser.parse_head(std::string(bytes.substr(0, scan.size())), parsed.head).has_value();
  if (parsed.refused) return parsed;
  const http::RequestHead& request = parsed.head.request;
  KV_CHECK(request.target_path.starts_with("/"));
  KV_CHECK(!request.content_length.has_value() || !request.headers.contains("transfer-encoding"));
  parse_body(parser, bytes.substr(scan.size()), step, parsed);
  if (parsed.done && request.content_length) {
    KV_CHECK(parsed.body.size() == *request.content_length);
  }
  return parsed;
}

}  // namespace

void fuzz_http_request(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t step = static_cast<unsigned char>(bytes.front()) + std::size_t{1};
  bytes.remove_prefix(1);
  const Parsed whole = parse(bytes, std::max<std::size_t>(1, bytes.size()));
  KV_CHECK(whole == parse(bytes, step));
  // An answer that repeats what a client sent is still one answer.
  http::ResponseHead head;
  head.reason = bytes;
  head.headers.emplace_back("X-Echo", bytes);
  const std::string text = http::head_text(head, {.body_bytes = 0});
  KV_CHECK(text.find("\r\n\r\n") == text.size() - 4);
  KV_CHECK(std::count(text.begin(), text.end(), '\n') == 6);
}

void fuzz_binding_request(std::string_view bytes) {
  http::RequestHead head;
  const std::size_t space = std::min(bytes.find(' '), bytes.size());
  head.method = bytes.substr(0, space);
  std::string_view rest = bytes.substr(std::min(space + 1, bytes.size()));
  const std::size_t line = std::min(rest.find('\n'), rest.size());
  const std::string_view target = rest.substr(0, line);
  const std::size_t mark = std::min(target.find('?'), target.size());
  head.target_path = "/";
  head.target_path.append(target.substr(0, mark));
  if (mark < target.size()) head.query = target.substr(mark + 1);
  rest = rest.substr(std::min(line + 1, rest.size()));
  if (!rest.empty()) head.headers["cf-kv-metadata"] = rest;
  head.authority = std::string(rest.substr(0, 300));
  (void)kv_http::binding_namespace(head, {"kv.example.org"});
  const auto parsed = kv_http::parse_binding_request(head, from_unix_ms(1'700'000'000'000));
  if (const auto* refused = std::get_if<kv_http::Refusal>(&parsed)) {
    const int status = kv_http::binding_refusal(*refused).status;
    KV_CHECK(status >= 400 && status < 500 && status != 404 && status != 410);
    return;
  }
  const auto& request = std::get<kv_http::BindingRequest>(parsed);
  using Call = kv_http::BindingCall;
  if (request.call == Call::kGet || request.call == Call::kPut || request.call == Call::kDelete) {
    KV_CHECK(!request.key.empty() && request.key.size() <= kv_http::kKeyBytesMax);
    KV_CHECK(is_utf8(request.key) && request.key != "." && request.key != "..");
  }
  KV_CHECK(request.metadata.size() <= kv_http::kMetadataBytesMax);
  KV_CHECK(request.prefix.size() <= kv_http::kKeyBytesMax);
  KV_CHECK(request.limit >= 1 && request.limit <= kv_http::kListLimitMax);
}

std::vector<std::string> http_request_seeds() {
  std::vector<std::string> seeds;
  for (const std::string& one : http_seeds()) {
    seeds.push_back("\x01" + one);
    seeds.push_back("\x0A" + one);
  }
  seeds.push_back(
      "\x05PUT /k?urlencoded=true HTTP/1.1\r\nHost: fake-host\r\nCF-KV-Metadata: \x7F\xE2\x80\xA8"
      "\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  return seeds;
}

std::vector<std::string> binding_request_seeds() {
  return {"GET k?urlencoded=true&cache_ttl=60",
          "PUT %F0%9F%98%80?urlencoded=true&expiration=1800000000&expiration_ttl=60\n{\"a\":[1]}",
          "DELETE a%2Fb/?urlencoded=TRUE",
          "GET ?key_count_limit=10&prefix=a+b&cursor=AWE",
          "POST bulk/get",
          "HEAD .?urlencoded=true\nusers.kv.internal:80"};
}

}  // namespace edged::fuzz

// SPDX-License-Identifier: Apache-2.0
// kvstore/http: the parsers of the REST face.
#include <utility>

#include "kvstore/http/kv_rules.h"
#include "kvstore/http/list_cursor.h"
#include "kvstore/http/metadata.h"
#include "kvstore/http/rest_multipart.h"
#include "kvstore/http/rest_path.h"
#include "proto/base/check.h"
#include "proto/base/utf8.h"
#include "tests/fuzz/targets.h"

namespace edged::fuzz {
namespace {

using kv_http::MultipartEvent;
using kv_http::MultipartReader;
using Kind = MultipartEvent::Kind;

// The events of a form that comes in pieces of these sizes, in turn; data of one part is joined.
std::string events_of(std::string_view body, std::string_view sizes) {
  MultipartReader reader("b");
  std::string log;
  std::size_t data_bytes = 0;
  const std::size_t body_bytes = body.size();
  bool ended = false;
  for (std::size_t turn = 0;;) {
    const MultipartEvent event = reader.next();
    if (event.kind == Kind::kMore) {
      KV_CHECK(!ended);  // there is nothing to wait for
      const std::size_t piece =
          sizes.empty() ? body.size() : 1 + static_cast<std::uint8_t>(sizes[turn++ % sizes.size()]);
      reader.feed(body.substr(0, piece));
      body.remove_prefix(std::min(piece, body.size()));
      if (body.empty()) {
        reader.feed_end();
        ended = true;
      }
      continue;
    }
    if (event.kind == Kind::kData) {
      KV_CHECK(!event.text.empty());
      data_bytes += event.text.size();
    } else {
      log += '\n';
      log += static_cast<char>('0' + static_cast<int>(event.kind));
    }
    log += event.text;
    if (event.kind == Kind::kEnd || event.kind == Kind::kBroken) break;
  }
  KV_CHECK(data_bytes <= body_bytes);
  KV_CHECK(std::as_const(log).size() <= 4 * body_bytes + 200);
  return log;
}

}  // namespace

void fuzz_rest_multipart(std::string_view bytes) {
  (void)kv_http::multipart_boundary(bytes);
  if (bytes.size() < 4) return;
  const std::string_view sizes = bytes.substr(0, 4);
  const std::string_view body = bytes.substr(4);
  const std::string whole = events_of(body, {});
  // What is malformed may be told before or after data that was held back.
  const std::string split = events_of(body, sizes);
  KV_CHECK(split == whole);
}

std::vector<std::string> rest_multipart_seeds() {
  const std::string sizes(4, '\x03');
  const std::string value = "Content-Disposition: form-data; name=\"value\"";
  return {sizes + "--b\r\n" + value + "\r\n\r\nhello\r\n--b--\r\n",
          sizes + "--b\r\n" + value +
              "; filename=\"blob\"\r\nContent-Type: a/b\r\n\r\n\r\n--b\r\n" +
              "Content-Disposition: form-data; name=metadata\r\n\r\n{}\r\n--b--",
          sizes + "x\r\n--b \t\r\n\r\n--b\r\r\n--b-\r\n--c\r\n--b--",
          "multipart/form-data; boundary=\"a b\""};
}

void fuzz_rest_text(std::string_view bytes) {
  const kv_http::RestPath path = kv_http::parse_rest_path(bytes);
  if (path.place == kv_http::RestPlace::kValue) {
    const auto key = kv_http::decode_key(path.key_segment);
    if (const auto* name = std::get_if<std::string>(&key)) {
      KV_CHECK(!name->empty() && name->size() <= kv_http::kKeyBytesMax && is_utf8(*name));
    }
  }
  bool bad = false;
  (void)kv_http::query_parameter(bytes, "prefix", bad);
  if (const auto key = kv_http::parse_list_cursor(bytes)) {
    KV_CHECK(kv_http::make_list_cursor(*key) == bytes);
  }
  if (!bytes.empty() && bytes.size() <= kv_http::kKeyBytesMax) {
    KV_CHECK(kv_http::parse_list_cursor(kv_http::make_list_cursor(bytes)) == bytes);
  }
  const std::string shown = kv_http::shown_metadata(bytes);
  KV_CHECK(kv_http::is_json(shown));
  KV_CHECK(shown.find_first_of("\r\n") == std::string::npos);
  const auto metadata = kv_http::parse_metadata(bytes);
  if (const auto* stored = std::get_if<std::string>(&metadata)) {
    KV_CHECK(kv_http::shown_metadata(*stored) == (stored->empty() ? "null" : *stored));
  }
  const auto expiry = kv_http::parse_expiry(bytes, std::nullopt, from_unix_ms(1'700'000'000'000));
  if (const auto* at = std::get_if<kv_http::Expiry>(&expiry)) {
    KV_CHECK(at->at && kv_http::expiration_seconds(*at->at) >= 1'700'000'060);
  }
}

std::vector<std::string> rest_text_seeds() {
  const std::string ns =
      "/client/v4/accounts/a/storage/kv/namespaces/0f2ac74b498b48028cb68387c421e279";
  return {ns + "/values/a%2Fb",
          ns + "/bulk/get",
          ns,
          "limit=10&prefix=a+b&cursor=AWE",
          "AWE",
          kv_http::make_list_cursor(std::string(100, 'k')),
          "{\"a\": [1, 2.50, \"x\\\"\", null]}",
          "1800000000"};
}

}  // namespace edged::fuzz

// SPDX-License-Identifier: Apache-2.0
// Writes of one value: the body as it is, or a multipart form with the parts `value` and
// `metadata`. Neither is ever in memory as a whole if it is large.
#include <optional>
#include <utility>

#include "kvstore/http/kv_rules.h"
#include "kvstore/http/metadata.h"
#include "kvstore/http/rest_call.h"
#include "kvstore/http/rest_envelope.h"
#include "kvstore/http/rest_multipart.h"
#include "kvstore/http/value_sink.h"

namespace edged::kv_http {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kOperation = "put";
constexpr std::size_t kPieceBytes = 64 * 1024;

// Why a put is not done, as the answer to it.
using Refused = std::optional<http::Response>;

Refused refused(const Status& error) {
  return rest_failure(kOperation, error);
}

Refused refused(std::string_view text) {
  return rest_failure(kOperation, Refusal{400, 10029, std::string(text)});
}

asio::awaitable<Refused> read_plain(RestCall& call, ValueSink& sink) {
  const std::optional<std::uint64_t> length = call.exchange.head().content_length;
  if (length) {
    // The server drops the body before the answer leaves.
    if (const Check too_large = check_value_bytes(*length)) {
      co_return rest_failure(kOperation, *too_large);
    }
  }
  for (;;) {
    Result<std::string> piece = co_await call.exchange.read_body(kPieceBytes);
    if (!piece) co_return refused(piece.error());
    if (piece->empty()) co_return std::nullopt;
    Status stored = co_await sink.append(*std::move(piece));
    if (!stored.ok()) co_return refused(stored);
  }
}

// The parts of a form that matter.
struct Form {
  enum class Part : std::uint8_t { kOther, kValue, kMetadata };

  Part part = Part::kOther;  // the one being read
  bool has_value = false;
  std::optional<std::string> metadata;  // what is above the limit is counted but not kept
  std::size_t metadata_bytes = 0;
};

// What an event but data means for the form.
Refused take(const MultipartEvent& event, Form& form) {
  if (event.kind == MultipartEvent::Kind::kBroken) return refused(event.text);
  if (event.kind != MultipartEvent::Kind::kPart) return std::nullopt;
  form.part = Form::Part::kOther;
  if (event.text == "value") {
    if (std::exchange(form.has_value, true)) return refused("the form has two parts named value");
    form.part = Form::Part::kValue;
  } else if (event.text == "metadata") {
    if (form.metadata) return refused("the form has two parts named metadata");
    form.metadata.emplace();
    form.part = Form::Part::kMetadata;
  }
  return std::nullopt;
}

asio::awaitable<Refused> read_form(RestCall& call,
                                   std::string boundary,
                                   ValueSink& sink,
                                   Form& form) {
  MultipartReader reader(boundary);
  for (;;) {
    MultipartEvent event = reader.next();
    if (event.kind == MultipartEvent::Kind::kEnd) break;
    if (event.kind == MultipartEvent::Kind::kMore) {
      Result<std::string> piece = co_await call.exchange.read_body(kPieceBytes);
      if (!piece) co_return refused(piece.error());
      if (piece->empty()) {
        reader.feed_end();
      } else {
        reader.feed(*piece);
      }
    } else if (event.kind != MultipartEvent::Kind::kData) {
      Refused broken = take(event, form);
      if (broken) co_return broken;
    } else if (form.part == Form::Part::kMetadata) {
      form.metadata_bytes += event.text.size();
      if (form.metadata_bytes <= kMetadataBytesMax) *form.metadata += event.text;
    } else if (form.part == Form::Part::kValue) {
      Status stored = co_await sink.append(std::move(event.text));
      if (!stored.ok()) co_return refused(stored);
    }
  }
  if (!form.has_value) co_return refused("the multipart form has no part named value");
  if (const Check too_large = check_metadata_bytes(form.metadata_bytes)) {
    co_return rest_failure(kOperation, *too_large);
  }
  co_return std::nullopt;
}

// Reads the body into `sink` and `put`.
asio::awaitable<Refused> read_body(RestCall& call, ValueSink& sink, storage::Put& put) {
  const auto& headers = call.exchange.head().headers;
  const auto type = headers.find("content-type");
  const auto boundary = multipart_boundary(type == headers.end() ? "" : type->second);
  if (!boundary) {
    Refused plain = co_await read_plain(call, sink);
    co_return plain;
  }
  if (!*boundary) co_return refused(boundary->error().message());
  Form form;
  Refused broken = co_await read_form(call, **boundary, sink, form);
  if (broken) co_return broken;
  if (form.metadata) {
    Checked<std::string> metadata = parse_metadata(*form.metadata);
    if (const auto* why = std::get_if<Refusal>(&metadata)) {
      // This one is known without the operation's name before it.
      co_return why->code == 10147 ? rest_failure(why->status, why->code, why->text)
                                   : rest_failure(kOperation, *why);
    }
    put.metadata = std::get<std::string>(std::move(metadata));
  }
  co_return std::nullopt;
}

// The key and the expiry that the request asks for.
std::variant<std::string, http::Response> read_target(const RestCall& call, storage::Put& put) {
  Checked<std::string> key = decode_key(call.path.key_segment);
  if (const auto* why = std::get_if<Refusal>(&key)) return rest_failure(kOperation, *why);
  bool bad = false;
  const auto at = call.parameter("expiration", bad);
  const auto ttl = call.parameter("expiration_ttl", bad);
  if (bad) return rest_failure(kOperation, Refusal{400, 10029, "invalid request"});
  const auto expiry = parse_expiry(at, ttl, call.shared.clock.wall_now());
  if (const auto* why = std::get_if<Refusal>(&expiry)) return rest_failure(kOperation, *why);
  put.expires_at = std::get<Expiry>(expiry).at;
  put.ttl = std::get<Expiry>(expiry).ttl;
  return std::get<std::string>(std::move(key));
}

}  // namespace

RestEndpoint rest_put_value(RestCall& call) {
  storage::Put put;
  auto target = read_target(call, put);
  if (auto* why = std::get_if<http::Response>(&target)) {
    co_await rest_send(call, std::move(*why));
    co_return;
  }
  ValueSink sink(call.shared.operations, call.caller, call.ns, std::get<std::string>(target));
  Refused not_read = co_await read_body(call, sink, put);
  if (not_read) {
    co_await rest_send(call, *std::move(not_read));
    co_return;
  }
  if (const Check too_large = check_value_bytes(sink.bytes())) {
    co_await rest_send(call, rest_failure(kOperation, *too_large));
    co_return;
  }
  Status stored = co_await sink.put(std::move(put), storage::Durability::kSync);
  http::Response response = stored.ok() ? rest_success("null") : rest_failure(kOperation, stored);
  co_await rest_send(call, std::move(response));
}

}  // namespace edged::kv_http

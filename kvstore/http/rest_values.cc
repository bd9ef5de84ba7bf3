// SPDX-License-Identifier: Apache-2.0
// Reads and deletes of values. A value above 64 KiB goes from the store to the client in pieces.
#include <utility>

#include "kvstore/http/await_done.h"
#include "kvstore/http/kv_rules.h"
#include "kvstore/http/rest_call.h"
#include "kvstore/http/rest_envelope.h"

namespace edged::kv_http {
namespace {

namespace asio = boost::asio;
using Stream = std::shared_ptr<operations::ValueStream>;
using storage::Entry;
using storage::WriteOutcome;

constexpr std::string_view kGet = "get";
constexpr std::string_view kDelete = "remove key";

std::vector<std::pair<std::string, std::string>> headers_of(const Entry& entry) {
  std::vector<std::pair<std::string, std::string>> headers;
  if (entry.expires_at) {
    headers.emplace_back("expiration", std::to_string(expiration_seconds(*entry.expires_at)));
  }
  return headers;
}

asio::awaitable<Result<std::string>> read_piece(Stream stream) {
  auto start = [&](operations::Done<std::string> done) { stream->read(std::move(done)); };
  co_return co_await await_done<std::string>(start);
}

// Sends a value in pieces. The first is read before anything is sent, so that an error can still be
// told; a later one breaks the connection off.
RestEndpoint send_stream(RestCall& call, Stream stream) {
  Result<std::string> piece = co_await read_piece(stream);
  if (!piece) {
    co_await rest_send(call, rest_failure(kGet, piece.error()));
    co_return;
  }
  http::ResponseHead head;
  head.content_type = "application/octet-stream";
  head.headers = headers_of(stream->entry());
  Status sent = co_await call.exchange.begin(std::move(head), stream->value_bytes());
  while (sent.ok() && piece && !piece->empty()) {
    sent = co_await call.exchange.write(*piece);
    if (!sent.ok()) co_return;
    piece = co_await read_piece(stream);
  }
  if (sent.ok() && piece) (void)co_await call.exchange.end();
}

}  // namespace

RestEndpoint rest_get_value(RestCall& call) {
  const Checked<std::string> key = decode_key(call.path.key_segment);
  if (const auto* refused = std::get_if<Refusal>(&key)) {
    co_await rest_send(call, rest_failure(kGet, *refused));
    co_return;
  }
  const std::string& name = std::get<std::string>(key);
  auto start = [&](operations::Done<Entry> done) {
    call.shared.operations.get(call.caller, call.ns, name, kWholeBytesMax, std::move(done));
  };
  Result<Entry> entry = co_await await_done<Entry>(start);
  if (entry) {
    http::Response response;
    response.content_type = "application/octet-stream";
    response.headers = headers_of(*entry);
    response.body = std::move(entry->value);
    co_await rest_send(call, std::move(response));
    co_return;
  }
  if (entry.code() != Code::kTooLarge) {
    co_await rest_send(call, rest_failure(kGet, entry.error()));
    co_return;
  }
  auto open = [&](operations::Done<Stream> done) {
    call.shared.operations.open_value(call.caller, call.ns, name, std::move(done));
  };
  Result<Stream> stream = co_await await_done<Stream>(open);
  if (stream) {
    co_await send_stream(call, *std::move(stream));
  } else {
    co_await rest_send(call, rest_failure(kGet, stream.error()));
  }
}

RestEndpoint rest_delete_value(RestCall& call) {
  const Checked<std::string> key = decode_key(call.path.key_segment);
  if (const auto* refused = std::get_if<Refusal>(&key)) {
    co_await rest_send(call, rest_failure(kDelete, *refused));
    co_return;
  }
  storage::Delete operation;
  operation.ns = call.ns;
  operation.key = std::get<std::string>(key);
  storage::Write write;
  write.operations.emplace_back(std::move(operation));
  write.durability = storage::Durability::kSync;
  auto start = [&](operations::Done<std::vector<WriteOutcome>> done) {
    call.shared.operations.write(call.caller, std::move(write), std::move(done));
  };
  Result<std::vector<WriteOutcome>> outcomes =
      co_await await_done<std::vector<WriteOutcome>>(start);
  Status status = outcomes ? Status() : outcomes.error();
  // A key that is missing is as good as deleted.
  if (outcomes && outcomes->front().code != Code::kOk &&
      outcomes->front().code != Code::kNotFound) {
    status = Status(outcomes->front().code, outcomes->front().message);
  }
  http::Response response = status.ok() ? rest_success("null") : rest_failure(kDelete, status);
  co_await rest_send(call, std::move(response));
}

}  // namespace edged::kv_http

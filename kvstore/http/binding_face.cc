// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/binding_face.h"

#include <utility>

#include "kvstore/http/await_done.h"
#include "kvstore/http/binding_answer.h"
#include "kvstore/http/binding_request.h"
#include "kvstore/http/bulk_read.h"
#include "kvstore/http/bulk_slots.h"
#include "kvstore/http/key_page.h"
#include "kvstore/http/kv_rules.h"
#include "kvstore/http/value_sink.h"
#include "proto/http/bearer.h"

namespace edged::kv_http {
namespace {

using boost::asio::awaitable;
using storage::Entry;
using storage::WriteOutcome;
using Entries = std::vector<Result<Entry>>;
using Outcomes = std::vector<WriteOutcome>;
using Stream = std::shared_ptr<operations::ValueStream>;

constexpr std::size_t kPieceBytes = 64 * 1024;
// workerd loses an answer that comes before its request was read, so bodies that are too large are
// read to their end up to here, and then refused.
constexpr std::uint64_t kBodyBytesMax = 100 * 1024 * 1024;
// Metadata is a header; workerd repeats the target in another.
constexpr std::size_t kHeaderBytesMax = 32 * 1024;

// What one request works with.
struct Call {
  http::Exchange& exchange;
  operations::Caller caller;
  storage::NamespaceNumber ns;
};

http::ServerOptions adapted(http::ServerOptions options) {
  options.header_bytes_max = kHeaderBytesMax;
  options.is_own_name = [hosts = options.hosts](const std::string& host) {
    return is_binding_host(host, hosts);
  };
  return options;
}

}  // namespace

class BindingFace::Impl {
 public:
  Impl(boost::asio::any_io_executor executor,
       http::ServerOptions options,
       operations::Operations& operations,
       const Clock& clock,
       storage::Durability durability)
      : hosts_(options.hosts),
        operations_(operations),
        clock_(clock),
        durability_(durability),
        bulk_slots_(executor, kBulkSlots),
        server_(std::move(executor), adapted(std::move(options))) {
    server_.route_raw("/",
                      [this](http::Exchange& exchange) { return answer(exchange); },
                      {.body_bytes_max = kBodyBytesMax, .discard_bytes_max = kBodyBytesMax});
  }

  http::Server& server() { return server_; }

 private:
  Result<operations::Caller> identify(const http::Exchange& exchange) const;
  Result<storage::Namespace> find_namespace(const operations::Caller& caller,
                                            const http::RequestHead& head) const;
  awaitable<void> answer(http::Exchange& exchange);
  awaitable<void> get(Call call, std::string key);
  awaitable<void> send_stream(Call call, Stream stream);
  awaitable<void> put(Call call, BindingRequest request);
  awaitable<void> remove(Call call, std::string key);
  awaitable<void> list(Call call, BindingRequest request);
  awaitable<void> bulk_read(Call call);
  awaitable<void> read_values(Call call, BulkRead read);

  const std::vector<std::string> hosts_;
  operations::Operations& operations_;
  const Clock& clock_;
  const storage::Durability durability_;
  BulkSlots bulk_slots_;
  http::Server server_;
};

Result<operations::Caller> BindingFace::Impl::identify(const http::Exchange& exchange) const {
  using operations::Face;
  const auto bearer = http::bearer_of(exchange.head().headers);
  if (!bearer && exchange.own_peer()) return operations_.trusted(Face::kBinding);
  return operations_.identify(Face::kBinding, bearer);
}

Result<storage::Namespace> BindingFace::Impl::find_namespace(const operations::Caller& caller,
                                                             const http::RequestHead& head) const {
  const auto name = binding_namespace(head, hosts_);
  if (!name) {
    return Status(Code::kInvalidArgument,
                  "The request names no KV namespace. Set the header X-KV-Namespace to its id");
  }
  return operations_.find_namespace(caller, *name);
}

awaitable<void> BindingFace::Impl::answer(http::Exchange& exchange) {
  const http::RequestHead& head = exchange.head();
  auto caller = identify(exchange);
  if (!caller) {
    (void)co_await exchange.send(binding_failure(caller.error()));
    co_return;
  }
  const auto in = find_namespace(*caller, head);
  if (!in) {
    (void)co_await exchange.send(binding_failure(in.error()));
    co_return;
  }
  auto parsed = parse_binding_request(head, clock_.wall_now());
  if (const auto* refused = std::get_if<Refusal>(&parsed)) {
    http::Response response = binding_refusal(*refused);
    if (response.status == 405) {
      response.headers.emplace_back("Allow", binding_methods(head.target_path));
    }
    (void)co_await exchange.send(std::move(response));
    co_return;
  }
  BindingRequest& request = std::get<BindingRequest>(parsed);
  Call call{exchange, *std::move(caller), in->number};
  switch (request.call) {
    case BindingCall::kGet:
      co_return co_await get(std::move(call), std::move(request.key));
    case BindingCall::kPut:
      co_return co_await put(std::move(call), std::move(request));
    case BindingCall::kDelete:
      co_return co_await remove(std::move(call), std::move(request.key));
    case BindingCall::kList:
      co_return co_await list(std::move(call), std::move(request));
    case BindingCall::kBulkRead:
      co_return co_await bulk_read(std::move(call));
  }
}

awaitable<void> BindingFace::Impl::get(Call call, std::string key) {
  auto start = [&](operations::Done<Entry> done) {
    operations_.get(call.caller, call.ns, key, kWholeBytesMax, std::move(done));
  };
  Result<Entry> entry = co_await await_done<Entry>(start);
  http::Response response;
  if (entry) {
    response.content_type = "application/octet-stream";
    response.headers = binding_headers(*entry);
    response.body = std::move(entry->value);
  } else if (entry.code() == Code::kTooLarge) {
    auto open = [&](operations::Done<Stream> done) {
      operations_.open_value(call.caller, call.ns, key, std::move(done));
    };
    Result<Stream> stream = co_await await_done<Stream>(open);
    if (stream) {
      co_await send_stream(std::move(call), *std::move(stream));
      co_return;
    }
    response =
        stream.code() == Code::kNotFound ? binding_missing() : binding_failure(stream.error());
  } else {
    response = entry.code() == Code::kNotFound ? binding_missing() : binding_failure(entry.error());
  }
  (void)co_await call.exchange.send(std::move(response));
}

// The first piece is read before anything is sent, so that an error can still be told; a later one
// breaks the connection off.
awaitable<void> BindingFace::Impl::send_stream(Call call, Stream stream) {
  auto read = [&](operations::Done<std::string> done) { stream->read(std::move(done)); };
  Result<std::string> piece = co_await await_done<std::string>(read);
  if (!piece) {
    (void)co_await call.exchange.send(binding_failure(piece.error()));
    co_return;
  }
  http::ResponseHead head;
  head.content_type = "application/octet-stream";
  head.headers = binding_headers(stream->entry());
  Status sent = co_await call.exchange.begin(std::move(head), stream->value_bytes());
  while (sent.ok() && piece && !piece->empty()) {
    sent = co_await call.exchange.write(*piece);
    if (!sent.ok()) co_return;
    piece = co_await await_done<std::string>(read);
  }
  if (sent.ok() && piece) (void)co_await call.exchange.end();
}

awaitable<void> BindingFace::Impl::put(Call call, BindingRequest request) {
  ValueSink sink(operations_, call.caller, call.ns, std::move(request.key));
  Status status;
  for (;;) {
    Result<std::string> piece = co_await call.exchange.read_body(kPieceBytes);
    if (!piece) status = piece.error();
    if (!piece || piece->empty()) break;
    status = co_await sink.append(*std::move(piece));
    if (!status.ok()) break;
  }
  http::Response response;
  if (const Check refused = check_value_bytes(sink.bytes()); refused && status.ok()) {
    (void)co_await call.exchange.send(binding_refusal(*refused));
    co_return;
  }
  if (status.ok()) {
    storage::Put put;
    put.metadata = std::move(request.metadata);
    put.expires_at = request.expiry.at;
    put.ttl = request.expiry.ttl;
    status = co_await sink.put(std::move(put), durability_);
  }
  if (!status.ok()) response = binding_failure(status);
  (void)co_await call.exchange.send(std::move(response));
}

awaitable<void> BindingFace::Impl::remove(Call call, std::string key) {
  storage::Delete operation;
  operation.ns = call.ns;
  operation.key = std::move(key);
  storage::Write write;
  write.operations.emplace_back(std::move(operation));
  write.durability = durability_;
  auto start = [&](operations::Done<Outcomes> done) {
    operations_.write(call.caller, std::move(write), std::move(done));
  };
  Result<Outcomes> outcomes = co_await await_done<Outcomes>(start);
  Status status = outcomes ? Status() : outcomes.error();
  // Deleting a key that is missing is a success.
  if (outcomes && outcomes->front().code != Code::kOk &&
      outcomes->front().code != Code::kNotFound) {
    status = Status(outcomes->front().code, outcomes->front().message);
  }
  http::Response response;
  if (!status.ok()) response = binding_failure(status);
  (void)co_await call.exchange.send(std::move(response));
}

awaitable<void> BindingFace::Impl::list(Call call, BindingRequest request) {
  storage::ListRequest wanted;
  wanted.ns = call.ns;
  wanted.prefix = std::move(request.prefix);
  wanted.start_after = std::move(request.start_after);
  wanted.limit = request.limit;
  Result<KeyPage> page = co_await read_key_page(operations_, call.caller, std::move(wanted));
  http::Response response =
      page ? binding_list(page->items, page->more) : binding_failure(page.error());
  (void)co_await call.exchange.send(std::move(response));
}

awaitable<void> BindingFace::Impl::bulk_read(Call call) {
  std::string body;
  for (;;) {
    Result<std::string> piece = co_await call.exchange.read_body(kPieceBytes);
    if (!piece) {
      (void)co_await call.exchange.send(binding_failure(piece.error()));
      co_return;
    }
    if (piece->empty()) break;
    body.append(*piece);
    if (body.size() > kBulkReadBodyBytesMax) break;  // parse_bulk_read() refuses it
  }
  Checked<BulkRead> read = parse_bulk_read(body);
  if (const auto* refused = std::get_if<Refusal>(&read)) {
    (void)co_await call.exchange.send(binding_refusal(*refused));
    co_return;
  }
  co_await read_values(std::move(call), std::get<BulkRead>(std::move(read)));
}

awaitable<void> BindingFace::Impl::read_values(Call call, BulkRead read) {
  BulkSlots::Slot slot = co_await bulk_slots_.acquire(kBulkPatience);
  if (!slot) {
    const Status busy(Code::kBusy, "too many bulk reads are under way; try again later");
    (void)co_await call.exchange.send(binding_failure(busy));
    co_return;
  }
  auto start = [&](operations::Done<Entries> done) {
    operations_.get_many(call.caller, call.ns, read.keys, kBulkReadBytesMax, std::move(done));
  };
  Result<Entries> entries = co_await await_done<Entries>(start);
  if (!entries) {
    http::Response response = entries.code() == Code::kTooLarge
                                  ? binding_refusal(bulk_read_too_large())
                                  : binding_failure(entries.error());
    (void)co_await call.exchange.send(std::move(response));
    co_return;
  }
  BulkReadAnswer values(std::move(read), *std::move(entries), false);
  if (values.value_bytes() <= kBulkSmallBytes) slot.release();
  const Status error = values.error();
  const Check refused = error.ok() ? values.check() : std::nullopt;
  if (!error.ok() || refused) {
    http::Response response = refused ? binding_refusal(*refused) : binding_failure(error);
    (void)co_await call.exchange.send(std::move(response));
    co_return;
  }
  http::ResponseHead head;
  head.content_type = "application/json";
  Status sent = co_await call.exchange.begin(std::move(head), std::nullopt);
  for (std::string piece = values.next(); sent.ok() && !piece.empty(); piece = values.next()) {
    sent = co_await call.exchange.write(piece);
  }
  if (sent.ok()) (void)co_await call.exchange.end();
}

BindingFace::BindingFace(boost::asio::any_io_executor executor,
                         http::ServerOptions server,
                         operations::Operations& operations,
                         const Clock& clock,
                         storage::Durability durability)
    : impl_(std::make_unique<Impl>(
          std::move(executor), std::move(server), operations, clock, durability)) {}

BindingFace::~BindingFace() = default;

Status BindingFace::listen() {
  return impl_->server().listen();
}

std::string BindingFace::address() const {
  return impl_->server().address();
}

awaitable<void> BindingFace::drain(std::chrono::milliseconds timeout) {
  return impl_->server().drain(timeout);
}

}  // namespace edged::kv_http

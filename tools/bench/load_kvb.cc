// SPDX-License-Identifier: Apache-2.0
// See load_kvb.h.
#include "tools/bench/load_kvb.h"

#include <sys/socket.h>

#include <cstring>

#include "proto/base/check.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"

namespace edged::bench {
namespace {

constexpr std::string_view kTitle = "bench";
constexpr std::size_t kIdAt = 4;

// The next frame of a blocking socket.
Result<wire::Response> ask_blocking(int socket,
                                    const wire::Request& request,
                                    wire::FrameReader& reader) {
  std::string frame;
  wire::append_request(request, frame);
  if (::send(socket, frame.data(), frame.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(frame.size())) {
    return Status(Code::kUnavailable, "could not send to the node");
  }
  while (reader.next() != wire::FrameReader::Event::kFrame) {
    const auto space = reader.prepare();
    const ssize_t got = ::recv(socket, space.data(), space.size(), 0);
    if (got <= 0 || !reader.status().ok()) {
      return Status(Code::kUnavailable, "could not read the node's answer");
    }
    reader.commit(static_cast<std::size_t>(got));
  }
  return wire::decode_response(reader.frame());
}

// Of an answer that cut() found.
wire::Frame frame_of(std::string_view answer) {
  const auto header = wire::decode_header(answer.substr(0, wire::kHeaderBytes));
  KV_CHECK(static_cast<bool>(header));
  return {*header, answer.substr(wire::kHeaderBytes)};
}

}  // namespace

KvbDialect::KvbDialect(const DialectOptions& options, const Keys& keys) : Dialect(options, keys) {
  const std::string key = key_text(0);
  get_ = options.work == Work::kMultiGet ? multi_get_form(key) : form_of(key, "", /*put=*/false);
  put_ = form_of(key, std::string(put_values_.bytes(), ' '), /*put=*/true);
  put_.bytes.resize(put_.key_at + kKeyBytes);
}

Form KvbDialect::form_of(const std::string& key, const std::string& value, bool put) const {
  wire::Request request;
  request.opcode = put ? wire::Opcode::kPut : wire::Opcode::kGet;
  request.ns = options_.ns;
  request.key = key;
  request.value = value;
  if (put && options_.sync) request.flags = wire::kFlagSync;
  if (put && options_.ttl_ms > 0) request.fields.ttl_ms = options_.ttl_ms;
  Form form;
  wire::append_request(request, form.bytes);
  form.key_at = form.bytes.size() - value.size() - key.size();
  return form;
}

Form KvbDialect::multi_get_form(const std::string& key) const {
  wire::Item item;
  item.key = key;
  std::string items;
  for (std::size_t i = 0; i < options_.items; ++i) wire::append_item(item, items);
  wire::Request request;
  request.opcode = wire::Opcode::kMultiGet;
  request.ns = options_.ns;
  request.value = items;
  Form form;
  wire::append_request(request, form.bytes);
  form.stride = wire::item_bytes(item);
  form.count = options_.items;
  form.key_at = form.bytes.size() - items.size() + form.stride - kKeyBytes;
  return form;
}

std::string KvbDialect::greeting() const {
  std::string hello;
  wire::append_hello({}, hello);
  return hello;
}

std::size_t KvbDialect::greeting_answer_bytes() const {
  return wire::kHelloBytes;
}

void KvbDialect::ask(const Exchange& exchange, std::uint32_t id, std::string& out) const {
  const std::size_t start = out.size();
  if (options_.work == Work::kList) {
    wire::Request request;
    request.opcode = wire::Opcode::kList;
    request.flags = wire::kFlagWithValues;
    request.ns = options_.ns;
    request.fields.limit = static_cast<std::uint32_t>(options_.items);
    if (!exchange.cursor.empty()) request.fields.cursor = exchange.cursor;
    wire::append_request(request, out);
  } else if (exchange.operation.put) {
    put_.append(keys_, exchange.operation, out);
    put_values_.append(keys_.key(exchange.operation, 0), out);
  } else {
    get_.append(keys_, exchange.operation, out);
  }
  std::memcpy(out.data() + start + kIdAt, &id, sizeof id);
}

Answer KvbDialect::cut(std::string_view bytes, Scan& /*scan*/) const {
  if (bytes.size() < wire::kHeaderBytes) return {};
  const auto header = wire::decode_header(bytes.substr(0, wire::kHeaderBytes));
  if (!header || header->ext_bytes > header->body_bytes) return {0, {}, true};
  const std::size_t whole = wire::kHeaderBytes + header->body_bytes;
  if (bytes.size() < whole) return {};
  return {whole, header->id, false};
}

Verdict KvbDialect::judge(std::string_view answer, Exchange& exchange) const {
  if (options_.work == Work::kMultiGet) return judge_many(answer, exchange);
  if (options_.work == Work::kList) return judge_page(answer, exchange);
  const wire::Frame frame = frame_of(answer);
  if (static_cast<Code>(frame.header.key_bytes) != Code::kOk) return Verdict::kWrong;
  exchange.items = 1;
  const bool right =
      exchange.operation.put || values_.matches(keys_.key(exchange.operation, 0), frame.value());
  return right ? Verdict::kRight : Verdict::kWrong;
}

Verdict KvbDialect::judge_many(std::string_view answer, Exchange& exchange) const {
  const wire::Frame frame = frame_of(answer);
  if (static_cast<Code>(frame.header.key_bytes) != Code::kOk) return Verdict::kWrong;
  wire::ItemReader reader(frame.value());
  wire::Item item;
  std::size_t count = 0;
  for (; reader.next(item); ++count) {
    const bool right = item.status == Code::kOk && count < options_.items &&
                       values_.matches(keys_.key(exchange.operation, count), item.value);
    if (!right) return Verdict::kWrong;
  }
  exchange.items = count;
  return reader.status().ok() && count == options_.items ? Verdict::kRight : Verdict::kWrong;
}

Verdict KvbDialect::judge_page(std::string_view answer, Exchange& exchange) const {
  const auto response = wire::decode_response(frame_of(answer));
  if (!response || response->status != Code::kOk) return Verdict::kWrong;
  wire::ItemReader reader(response->value);
  wire::Item item;
  std::size_t count = 0;
  for (; reader.next(item); ++count) {
    const auto number = key_number(item.key);
    const bool right = item.status == Code::kOk && number && values_.matches(*number, item.value);
    if (!right) return Verdict::kWrong;
  }
  exchange.items = count;
  const auto& cursor = response->fields.cursor;
  exchange.cursor = cursor ? std::string(*cursor) : std::string();
  return reader.status().ok() && (count > 0 || cursor) ? Verdict::kRight : Verdict::kWrong;
}

std::unique_ptr<Dialect> kvb_dialect(const DialectOptions& options, const Keys& keys) {
  return std::make_unique<KvbDialect>(options, keys);
}

void Form::append(const Keys& keys, const Keys::Operation& operation, std::string& out) const {
  const std::size_t start = out.size();
  out.append(bytes);
  for (std::size_t i = 0; i < count; ++i) {
    write_key(keys.key(operation, i), out.data() + start + key_at + i * stride);
  }
}

Result<std::uint32_t> open_bench_namespace(int socket) {
  std::string hello;
  wire::append_hello({}, hello);
  char answer[wire::kHelloBytes];
  if (::send(socket, hello.data(), hello.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(hello.size()) ||
      ::recv(socket, answer, sizeof answer, MSG_WAITALL) != sizeof answer) {
    return Status(Code::kUnavailable, "could not greet the node");
  }
  wire::FrameReader reader(wire::FrameReader::Peer::kServer, wire::kBodyBytesMax);
  wire::Request request;
  request.opcode = wire::Opcode::kNamespaceCreate;
  request.fields.title = kTitle;
  auto created = ask_blocking(socket, request, reader);
  if (!created) return created.error();
  if (created->status != Code::kOk && created->status != Code::kExists) {
    return Status(created->status, "could not create the namespace \"bench\"");
  }
  request.opcode = wire::Opcode::kOpen;
  request.fields = {};
  request.key = kTitle;
  auto opened = ask_blocking(socket, request, reader);
  if (!opened) return opened.error();
  if (opened->status != Code::kOk || !opened->fields.ns) {
    return Status(opened->status, "could not open the namespace \"bench\"");
  }
  return *opened->fields.ns;
}

}  // namespace edged::bench

// SPDX-License-Identifier: Apache-2.0
// See load_dialect.h.
#include "tools/bench/load_dialect.h"

#include <sys/socket.h>

#include <charconv>
#include <cstring>
#include <random>

#include "proto/wire/frame.h"
#include "proto/wire/message.h"

namespace edged::bench {
namespace {

constexpr std::string_view kKeyPrefix = "section:";
constexpr std::string_view kTitle = "bench";

std::string blank_key() {
  std::string key(kKeyPrefix);
  key.resize(kKeyBytes, '0');
  return key;
}

// Of the sort that compresses to about a half.
std::string value_of(std::size_t bytes) {
  std::mt19937_64 random(1);
  std::string value(bytes, ' ');
  for (char& byte : value) byte = "0123456789abcdef"[random() % 16];
  return value;
}

RequestForm kvb_form(const wire::Request& request) {
  RequestForm form;
  wire::append_request(request, form.bytes);
  form.key_at = form.bytes.size() - request.value.size() - request.key.size();
  form.id_at = 4;
  return form;
}

Answer read_kvb(const Dialect& /*dialect*/, std::string_view bytes) {
  if (bytes.size() < wire::kHeaderBytes) return {};
  const auto header = wire::decode_header(bytes.substr(0, wire::kHeaderBytes));
  if (!header) return {bytes.size(), {}, false};
  const std::size_t whole = wire::kHeaderBytes + header->body_bytes;
  if (bytes.size() < whole) return {};
  return {whole, header->id, static_cast<Code>(header->key_bytes) == Code::kOk};
}

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

// "+OK", "-ERR ...", "$-1" (absent) and "$N" with N bytes behind it.
Answer read_resp(const Dialect& /*dialect*/, std::string_view bytes) {
  const void* newline = std::memchr(bytes.data(), '\n', bytes.size());
  if (newline == nullptr) return {};
  const auto line = static_cast<std::size_t>(static_cast<const char*>(newline) - bytes.data()) + 1;
  if (bytes[0] != '$') return {line, {}, bytes[0] == '+'};
  int length = 0;
  std::from_chars(bytes.data() + 1, bytes.data() + line, length);
  if (length < 0) return {line, {}, false};
  const std::size_t whole = line + static_cast<std::size_t>(length) + 2;
  if (bytes.size() < whole) return {};
  return {whole, {}, true};
}

Answer read_echo(const Dialect& dialect, std::string_view bytes) {
  if (bytes.size() < dialect.answer_bytes) return {};
  return {dialect.answer_bytes, {}, true};
}

// The next frame of a blocking socket.
Result<wire::Response> ask(int socket, const wire::Request& request, wire::FrameReader& reader) {
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

}  // namespace

void RequestForm::append(std::uint64_t key, std::uint32_t id, std::string& out) const {
  const std::size_t start = out.size();
  out.append(bytes);
  for (std::size_t at = start + key_at + kKeyBytes - 1; key != 0; --at, key /= 10) {
    out[at] = static_cast<char>('0' + key % 10);
  }
  if (id_at) std::memcpy(out.data() + start + *id_at, &id, sizeof id);
}

Dialect kvb_dialect(const DialectOptions& options) {
  Dialect dialect;
  wire::append_hello({}, dialect.greeting);
  dialect.greeting_answer_bytes = wire::kHelloBytes;
  const std::string key = blank_key();
  const std::string value = value_of(options.value_bytes);
  wire::Request request;
  request.opcode = wire::Opcode::kGet;
  request.ns = options.ns;
  request.key = key;
  dialect.get = kvb_form(request);
  request.opcode = wire::Opcode::kPut;
  request.flags = options.sync ? wire::kFlagSync : std::uint16_t{0};
  if (options.ttl_ms > 0) request.fields.ttl_ms = options.ttl_ms;
  request.value = value;
  dialect.put = kvb_form(request);
  dialect.read = read_kvb;
  return dialect;
}

Dialect resp_dialect(const DialectOptions& options) {
  Dialect dialect;
  const std::string key = bulk(blank_key());
  const std::size_t key_in_bulk = key.size() - 2 - kKeyBytes;
  const std::string get = "*2\r\n" + bulk("GET");
  dialect.get = {get + key, get.size() + key_in_bulk, {}};
  const std::string put = (options.ttl_ms > 0 ? "*5\r\n" : "*3\r\n") + bulk("SET");
  const std::string ttl =
      options.ttl_ms > 0 ? bulk("PX") + bulk(std::to_string(options.ttl_ms)) : "";
  dialect.put = {
      put + key + bulk(value_of(options.value_bytes)) + ttl, put.size() + key_in_bulk, {}};
  dialect.read = read_resp;
  return dialect;
}

Dialect echo_dialect(const DialectOptions& options) {
  Dialect dialect;
  dialect.get = {std::string(options.echo_bytes, '0'), options.echo_bytes - kKeyBytes, {}};
  dialect.put = dialect.get;
  dialect.read = read_echo;
  dialect.answer_bytes = wire::kHeaderBytes + options.value_bytes;
  return dialect;
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
  auto created = ask(socket, request, reader);
  if (!created) return created.error();
  if (created->status != Code::kOk && created->status != Code::kExists) {
    return Status(created->status, "could not create the namespace \"bench\"");
  }
  request.opcode = wire::Opcode::kOpen;
  request.fields = {};
  request.key = kTitle;
  auto opened = ask(socket, request, reader);
  if (!opened) return opened.error();
  if (opened->status != Code::kOk || !opened->fields.ns) {
    return Status(opened->status, "could not open the namespace \"bench\"");
  }
  return *opened->fields.ns;
}

}  // namespace edged::bench

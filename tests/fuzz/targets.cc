// SPDX-License-Identifier: Apache-2.0
// The table of targets.h, and what each starts from.
#include "tests/fuzz/targets.h"

#include "kvstore/access/token_json.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/wire/message.h"
#include "tests/proto/message_table.h"

namespace edged::fuzz {
namespace {

using Inputs = std::vector<std::string>;

Inputs bytes_of(const std::vector<test::ByteCase>& cases) {
  Inputs inputs;
  for (const test::ByteCase& one : cases) inputs.push_back(test::joined(one.bytes));
  return inputs;
}

std::string all_of(const Inputs& inputs) {
  std::string joined;
  for (const std::string& one : inputs) joined += one;
  return joined;
}

Inputs with_prefix(std::string_view prefix, const Inputs& inputs) {
  Inputs prefixed;
  for (const std::string& one : inputs) prefixed.push_back(std::string(prefix) + one);
  return prefixed;
}

Inputs hello_seeds() {
  return bytes_of(test::hello_cases());
}
Inputs field_seeds() {
  return bytes_of(test::field_cases());
}
Inputs item_seeds() {
  return bytes_of(test::item_cases());
}
Inputs request_seeds() {
  return bytes_of(test::request_cases());
}
Inputs response_seeds() {
  return bytes_of(test::response_cases());
}

Inputs stream_seeds() {
  using namespace std::string_view_literals;
  Inputs clients = request_seeds();
  clients.push_back(all_of(clients));
  for (const test::BrokenCase& one : test::broken_cases())
    clients.push_back(test::joined(one.bytes));
  Inputs servers = response_seeds();
  servers.push_back(all_of(servers));
  Inputs inputs = with_prefix("\x00\x01\x02\x07"sv, clients);
  for (std::string& one : with_prefix("\x01\x01\x02\x07"sv, servers))
    inputs.push_back(std::move(one));
  return inputs;
}

// A request of every operation, as a client would send it.
Inputs operation_seeds() {
  Inputs inputs;
  std::string items;
  wire::Item item;
  item.opcode = wire::Opcode::kPut;
  item.key = "a";
  item.value = "1";
  wire::append_item(item, items);
  for (int opcode = 0; opcode < 256; ++opcode) {
    wire::Request request;
    request.opcode = static_cast<wire::Opcode>(opcode);
    if (wire::opcode_name(request.opcode) == "unknown") continue;
    request.id = static_cast<std::uint32_t>(opcode);
    request.ns = 1;
    request.key = "a";
    request.value = items;
    std::string frame;
    wire::append_request(request, frame);
    request.key = {};
    wire::append_request(request, frame);
    inputs.push_back(std::move(frame));
  }
  return inputs;
}

Inputs server_seeds() {
  Inputs streams = request_seeds();
  for (std::string& one : operation_seeds()) streams.push_back(std::move(one));
  streams.push_back(all_of(streams));
  for (const test::BrokenCase& one : test::broken_cases())
    streams.push_back(test::joined(one.bytes));
  Inputs inputs = with_prefix(std::string_view("\0", 1), streams);
  for (std::string& one : with_prefix("\x01", hello_seeds())) {
    inputs.push_back(one + streams.front());
  }
  return inputs;
}

access::NewToken sample_token() {
  access::Grant grant;
  grant.name = "deploy";
  grant.scopes = access::parse_scopes("read,write").value();
  grant.namespaces = {"default"};
  grant.prefix = "section:";
  grant.expires_at = from_unix_ms(1'800'000'000'000);
  grant.id = "0123456789abcdef";
  access::NewToken made;
  made.secret = "kvt_" + grant.id + "_" + std::string(43, 'x');
  made.token = {grant, from_unix_ms(1'700'000'000'000), access::sha256(made.secret)};
  return made;
}

Inputs token_file_seeds() {
  access::Token open = sample_token().token;
  open.grant = {};
  open.grant.id = std::string(16, '0');
  open.grant.name = "all";
  open.grant.scopes = access::parse_scopes("admin").value();
  return {access::render_file({}), access::render_file({sample_token().token, open}), "{}", ""};
}

Inputs token_message_seeds() {
  const access::NewToken made = sample_token();
  std::string more;
  return {access::render_request(made.token.grant, from_unix_ms(1'700'000'000'000)),
          access::render_id(made.token.grant.id),
          access::render_token(made.token),
          access::render_new_token(made),
          access::render_list({made.token}, "", 10, 4096, more),
          made.secret};
}

// So that a run can be seen to find something: it must fail.
void find_canary(std::string_view bytes) {
  KV_CHECK(bytes.find("canary!") == std::string_view::npos);
}
Inputs canary_seeds() {
  return {"a canari!", "a canbry!"};
}

constexpr Target kTargets[] = {
    {"hello", fuzz_hello, hello_seeds},
    {"stream", fuzz_stream, stream_seeds},
    {"fields", fuzz_fields, field_seeds},
    {"request", fuzz_request, request_seeds},
    {"response", fuzz_response, response_seeds},
    {"items", fuzz_items, item_seeds},
    {"token_file", fuzz_token_file, token_file_seeds},
    {"token_messages", fuzz_token_messages, token_message_seeds},
    {"server", fuzz_server, server_seeds},
    {"http", fuzz_http, http_seeds},
    {"http_request", fuzz_http_request, http_request_seeds},
    {"binding_request", fuzz_binding_request, binding_request_seeds},
    {"config", fuzz_config, config_seeds},
    {"rest_multipart", fuzz_rest_multipart, rest_multipart_seeds},
    {"rest_text", fuzz_rest_text, rest_text_seeds},
    {"canary", find_canary, canary_seeds},
};

}  // namespace

std::span<const Target> targets() {
  return kTargets;
}

const Target* find_target(std::string_view name) {
  for (const Target& target : kTargets) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

}  // namespace edged::fuzz

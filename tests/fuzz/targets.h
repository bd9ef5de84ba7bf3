// SPDX-License-Identifier: Apache-2.0
// What is fuzzed: functions that take any bytes and abort (KV_CHECK) if a promise about them is
// broken. Each comes with inputs to start from. libfuzzer_main.cc hands one of them to clang's
// libFuzzer, mutate_main.cc runs them with any compiler.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edged::fuzz {

struct Target {
  const char* name;
  void (*run)(std::string_view bytes);
  std::vector<std::string> (*seeds)();
};

std::span<const Target> targets();
// Null if there is none of that name.
const Target* find_target(std::string_view name);

// wire_targets.cc
void fuzz_hello(std::string_view bytes);
void fuzz_stream(std::string_view bytes);    // the first 4 bytes say how the rest is split
void fuzz_fields(std::string_view bytes);    // a TLV area
void fuzz_request(std::string_view bytes);   // a frame from a client
void fuzz_response(std::string_view bytes);  // a frame from a server
void fuzz_items(std::string_view bytes);
// access_targets.cc
void fuzz_token_file(std::string_view bytes);
void fuzz_token_messages(std::string_view bytes);
// config_target.cc
void fuzz_config(std::string_view bytes);
std::vector<std::string> config_seeds();
// http_target.cc: an HTTP server in this process, over loopback
void fuzz_http(std::string_view bytes);
std::vector<std::string> http_seeds();
// http_request_targets.cc: requests as bytes and as calls of the binding, without sockets
void fuzz_http_request(std::string_view bytes);  // the first byte says how the rest is split
std::vector<std::string> http_request_seeds();
void fuzz_binding_request(std::string_view bytes);  // "METHOD path?query\nmetadata"
std::vector<std::string> binding_request_seeds();
// rest_target.cc: parsers of the REST face
void fuzz_rest_multipart(std::string_view bytes);  // the first 4 bytes say how the rest is split
std::vector<std::string> rest_multipart_seeds();
void fuzz_rest_text(std::string_view bytes);  // paths, queries, cursors, metadata
std::vector<std::string> rest_text_seeds();
// server_target.cc: a server in this process, over a unix socket
void fuzz_server(std::string_view bytes);  // bit 0 of the first byte: without a hello before

}  // namespace edged::fuzz

// SPDX-License-Identifier: Apache-2.0
// Writes a key into a running node and reads it back. usage: client ADDRESS
#include <cstdio>

#include "proto/net/blocking_client.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  edged::net::ClientOptions options;
  options.address = argv[1];
  edged::net::BlockingClient client(options);
  edged::net::PutItem item;
  item.key = "greeting";
  item.value = "hello from the node";
  const auto version = client.put("default", item);
  if (!version) {
    std::fprintf(stderr, "%s\n", version.error().message().c_str());
    return 1;
  }
  const auto entry = client.get("default", "greeting");
  if (!entry) return 1;
  std::printf("%s\n", entry->value.c_str());
  return 0;
}

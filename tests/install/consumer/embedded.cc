// SPDX-License-Identifier: Apache-2.0
// Writes a key into a store of its own and reads it back. usage: embedded DIRECTORY
#include <chrono>
#include <cstdio>

#include "kvstore/storage/rocks_store.h"

using namespace edged::storage;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  RocksStoreOptions options;
  options.data_dir = argv[1];
  const auto store = open_rocks_store(options);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message().c_str());
    return 1;
  }
  const auto ns = (*store)->create_namespace("consumer", "");
  if (!ns) return 1;
  Put put;
  put.ns = ns->number;
  put.key = "greeting";
  put.value = "hello from the store";
  put.ttl = std::chrono::hours(1);
  const auto outcome = write_and_wait(**store, put, Durability::kSync);
  if (!outcome || outcome->code != edged::Code::kOk) return 1;
  const auto entry = (*store)->get(ns->number, "greeting", ReadTier::kDisk);
  if (!entry) return 1;
  std::printf("%s\n", entry->value.c_str());
  return 0;
}

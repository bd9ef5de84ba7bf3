// SPDX-License-Identifier: Apache-2.0
// The storage library inside another program, without node or network: a page counter and a cache
// with a lease. docs/embedding.md walks through it. usage: embedded_store DIRECTORY
#include <chrono>
#include <iostream>
#include <string>

#include "kvstore/storage/rocks_store.h"

namespace {

using namespace edged::storage;

int fail(const edged::Status& status) {
  std::cerr << "error: " << status.message() << "\n";
  return 1;
}

// The namespace with a title, made if there is none.
edged::Result<Namespace> namespace_titled(Store& store, const std::string& title) {
  auto found = store.find_namespace(title);
  if (found || found.code() != edged::Code::kNamespaceNotFound) return found;
  return store.create_namespace(title, "");
}

// What a cache does: one caller computes a missing value, and a write in between is never
// overwritten by what that caller computed.
edged::Result<std::string> greeting(Store& store, NamespaceNumber ns, const std::string& name) {
  const std::string key = "greeting:" + name;
  const auto found = store.get_or_lease(ns, key, std::chrono::seconds(5), ReadTier::kDisk);
  if (!found) return found.error();
  if (found->entry) return found->entry->value + " (from the store)";
  if (found->lease == 0) return edged::Status(edged::Code::kBusy, "another computes it");
  Put put;
  put.ns = ns;
  put.key = key;
  put.value = "Hello, " + name + "!";
  put.ttl = std::chrono::hours(1);
  put.lease = found->lease;
  const auto written = write_and_wait(store, put, Durability::kWal);
  if (!written) return written.error();
  return put.value;
}

edged::Result<std::int64_t> count_visit(Store& store, NamespaceNumber ns) {
  Add add;
  add.ns = ns;
  add.key = "visits";
  add.delta = 1;
  const auto outcome = write_and_wait(store, add, Durability::kSync);  // survives loss of power
  if (!outcome) return outcome.error();
  if (outcome->code != edged::Code::kOk) return edged::Status(outcome->code, outcome->message);
  return *outcome->number;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: embedded_store DIRECTORY\n";
    return 2;
  }
  RocksStoreOptions options;
  options.data_dir = argv[1];
  options.memory_budget_bytes = 16 << 20;
  const auto store = open_rocks_store(options);
  if (!store) return fail(store.error());
  const auto ns = namespace_titled(**store, "example");
  if (!ns) return fail(ns.error());
  const auto visits = count_visit(**store, ns->number);
  if (!visits) return fail(visits.error());
  const auto text = greeting(**store, ns->number, "world");
  if (!text) return fail(text.error());
  const auto usage = (*store)->usage(ns->number);
  if (!usage) return fail(usage.error());
  std::cout << *text << "\nvisit " << *visits << ", " << usage->keys << " keys, " << usage->bytes
            << " bytes\n";
  return 0;
}

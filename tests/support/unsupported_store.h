// SPDX-License-Identifier: Apache-2.0
// A store that does nothing: every operation is kUnsupported, and there is no namespace. A test
// derives from it and overrides what it asks for. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvstore/storage/store.h"

namespace edged::test {

class UnsupportedStore : public storage::Store {
 public:
  Result<storage::Entry> get(storage::NamespaceNumber,
                             std::string_view,
                             storage::ReadTier,
                             storage::Reader) const override {
    return unsupported();
  }
  Result<storage::ListPage> list(const storage::ListRequest&) const override {
    return unsupported();
  }
  void submit(storage::Write, storage::WriteCallback done) override { done(unsupported()); }
  Result<storage::Namespace> create_namespace(std::string, std::string) override {
    return unsupported();
  }
  std::vector<storage::Namespace> list_namespaces() const override { return {}; }
  std::uint64_t namespaces_version() const override { return 1; }
  Result<storage::Namespace> find_namespace(std::string_view) const override {
    return unsupported();
  }
  storage::StoreStats stats() const override { return {}; }

 private:
  static Status unsupported() { return {Code::kUnsupported, "this store does nothing"}; }
};

}  // namespace edged::test

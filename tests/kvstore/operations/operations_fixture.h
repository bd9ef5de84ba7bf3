// SPDX-License-Identifier: Apache-2.0
// Operations on a real store with a table of tokens, and short ways to call and wait. One thread,
// except where a test says otherwise.
#pragma once

#include <future>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvstore/access/access_table.h"
#include "kvstore/access/token_file.h"
#include "kvstore/operations/operations.h"
#include "tests/kvstore/store_fixture.h"

namespace edged::operations {

// Waits for the answer of a call that takes a Done<T>.
template <class T, class Start>
Result<T> wait_for(Start start) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto answer = promise->get_future();
  start(Done<T>([promise](Result<T> result) { promise->set_value(std::move(result)); }));
  return answer.get();
}

class OperationsFixture : public storage::StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
    table_ = *access::AccessTable::open({access::token_file_in(dir_.path())}, clock_);
    start();
  }
  void TearDown() override { operations_.reset(); }

  void start(OperationsOptions options = {}) {
    operations_.reset();
    registry_ = std::make_unique<MetricsRegistry>();
    operations_ = std::make_unique<Operations>(*store_, table_.get(), *registry_, options);
  }

  // A caller with a new token.
  Caller caller_with(access::Scopes scopes,
                     std::vector<std::string> namespaces = {},
                     std::string prefix = "") {
    access::Grant grant;
    grant.name = "token " + std::to_string(++names_);
    grant.scopes = scopes;
    grant.namespaces = std::move(namespaces);
    grant.prefix = std::move(prefix);
    made_ = *table_->create(grant);
    return *operations_->identify(Face::kRest, made_.secret);
  }
  // Nobody has made a token yet: everything is open.
  Caller anybody() { return *operations_->identify(Face::kRest, std::nullopt); }

  storage::Namespace make_namespace(const std::string& title) {
    return *store_->create_namespace(title, "");
  }

  Result<storage::Entry> get(const Caller& caller, std::string key, std::size_t max = 1 << 20) {
    return get_in(ns_, caller, std::move(key), max);
  }
  Result<storage::Entry> get_in(storage::NamespaceNumber ns,
                                const Caller& caller,
                                std::string key,
                                std::size_t max = 1 << 20) {
    return wait_for<storage::Entry>([&](Done<storage::Entry> done) {
      operations_->get(caller, ns, std::move(key), max, std::move(done));
    });
  }
  Result<std::shared_ptr<ValueStream>> open_value(const Caller& caller, std::string key) {
    return wait_for<std::shared_ptr<ValueStream>>(
        [&](auto done) { operations_->open_value(caller, ns_, std::move(key), std::move(done)); });
  }
  static Result<std::string> read(ValueStream& stream) {
    return wait_for<std::string>([&](auto done) { stream.read(std::move(done)); });
  }
  Result<std::vector<Result<storage::Entry>>> get_many(const Caller& caller,
                                                       std::vector<std::string> keys,
                                                       std::size_t max = 1 << 20) {
    return wait_for<std::vector<Result<storage::Entry>>>([&](auto done) {
      operations_->get_many(caller, ns_, std::move(keys), max, std::move(done));
    });
  }
  Result<storage::ListPage> list(const Caller& caller, storage::ListRequest request) {
    if (request.ns == 0) request.ns = ns_;
    return wait_for<storage::ListPage>(
        [&](auto done) { operations_->list(caller, std::move(request), std::move(done)); });
  }
  Result<storage::ListPage> list(const Caller& caller, std::string prefix) {
    storage::ListRequest request;
    request.prefix = std::move(prefix);
    return list(caller, std::move(request));
  }
  Result<std::vector<storage::WriteOutcome>> write_as(const Caller& caller, storage::Write write) {
    return wait_for<std::vector<storage::WriteOutcome>>(
        [&](auto done) { operations_->write(caller, std::move(write), std::move(done)); });
  }
  // The code of a write of one operation.
  Code write_one(const Caller& caller, storage::Operation operation) {
    storage::Write write;
    write.operations.push_back(std::move(operation));
    const auto written = write_as(caller, std::move(write));
    return written ? written->front().code : written.code();
  }
  Result<std::shared_ptr<Upload>> begin_upload(const Caller& caller, std::string key) {
    return wait_for<std::shared_ptr<Upload>>([&](auto done) {
      operations_->begin_upload(caller, ns_, std::move(key), std::move(done));
    });
  }
  static Code append(Upload& upload, std::string piece) {
    return wait_for<Nothing>([&](auto done) { upload.append(std::move(piece), std::move(done)); })
        .code();
  }
  static Result<storage::WriteOutcome> put_upload(Upload& upload, storage::Put put = {}) {
    return wait_for<storage::WriteOutcome>(
        [&](auto done) { upload.put(std::move(put), storage::Durability::kWal, std::move(done)); });
  }

  std::unique_ptr<access::AccessTable> table_;
  std::unique_ptr<MetricsRegistry> registry_;
  std::unique_ptr<Operations> operations_;
  access::NewToken made_;
  int names_ = 0;
};

}  // namespace edged::operations

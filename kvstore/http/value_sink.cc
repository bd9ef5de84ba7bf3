// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/value_sink.h"

#include <utility>
#include <vector>

#include "kvstore/http/await_done.h"

namespace edged::kv_http {

namespace asio = boost::asio;
using operations::Nothing;
using storage::WriteOutcome;

namespace {

Status status_of(const WriteOutcome& outcome) {
  return outcome.code == Code::kOk ? Status() : Status(outcome.code, outcome.message);
}

}  // namespace

ValueSink::ValueSink(operations::Operations& operations,
                     operations::Caller caller,
                     storage::NamespaceNumber ns,
                     std::string key)
    : operations_(operations), caller_(std::move(caller)), ns_(ns), key_(std::move(key)) {}

asio::awaitable<Status> ValueSink::begin() {
  using Started = std::shared_ptr<operations::Upload>;
  auto start = [&](operations::Done<Started> done) {
    operations_.begin_upload(caller_, ns_, key_, std::move(done));
  };
  Result<Started> begun = co_await await_done<Started>(start);
  if (!begun) co_return begun.error();
  upload_ = *std::move(begun);
  co_return Status();
}

asio::awaitable<Status> ValueSink::upload(std::string piece) {
  auto start = [&](operations::Done<Nothing> done) {
    upload_->append(std::move(piece), std::move(done));
  };
  Result<Nothing> appended = co_await await_done<Nothing>(start);
  co_return appended ? Status() : appended.error();
}

asio::awaitable<Status> ValueSink::append(std::string piece) {
  bytes_ += piece.size();
  if (bytes_ > kValueBytesMax) {
    upload_.reset();
    memory_.clear();
    co_return Status();
  }
  if (!upload_) {
    memory_ += piece;
    if (memory_.size() <= kMemoryBytesMax) co_return Status();
    Status begun = co_await begin();
    if (!begun.ok()) co_return begun;
    piece = std::exchange(memory_, {});
  }
  Status done = co_await upload(std::move(piece));
  co_return done;
}

asio::awaitable<Status> ValueSink::put(storage::Put put, storage::Durability durability) {
  put.ns = ns_;
  put.key = key_;
  if (upload_) {
    auto start = [&](operations::Done<WriteOutcome> done) {
      upload_->put(std::move(put), durability, std::move(done));
    };
    Result<WriteOutcome> outcome = co_await await_done<WriteOutcome>(start);
    co_return outcome ? status_of(*outcome) : outcome.error();
  }
  put.value = std::move(memory_);
  storage::Write write;
  write.operations.emplace_back(std::move(put));
  write.durability = durability;
  using Outcomes = std::vector<WriteOutcome>;
  auto start = [&](operations::Done<Outcomes> done) {
    operations_.write(caller_, std::move(write), std::move(done));
  };
  Result<Outcomes> outcomes = co_await await_done<Outcomes>(start);
  co_return outcomes ? status_of(outcomes->front()) : outcomes.error();
}

}  // namespace edged::kv_http

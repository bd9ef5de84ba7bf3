// SPDX-License-Identifier: Apache-2.0
// Keeps a node's writes waiting, so that the next request meets a node that is too busy: the
// store's writer thread stands still, and one write waits behind it. Its Operations must allow less
// than two such writes under way (kWriteBytesMax).
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kvstore/operations/operations.h"

namespace edged::kv_http {

class BusyWriter {
 public:
  static constexpr std::size_t kWriteBytesMax = 64 * 1024;

  BusyWriter(operations::Operations& operations, storage::NamespaceNumber ns)
      : operations_(operations), ns_(ns) {
    const auto stands = std::make_shared<std::promise<void>>();
    write("first", [stands, go_on = go_on_] {
      stands->set_value();
      go_on->get_future().wait();
    });
    stands->get_future().wait();
    write("second", [done = done_] { done->set_value(); });
  }
  // The writes are over when it returns.
  ~BusyWriter() {
    go_on_->set_value();
    done_->get_future().wait();
  }
  BusyWriter(const BusyWriter&) = delete;
  BusyWriter& operator=(const BusyWriter&) = delete;

 private:
  void write(const char* key, std::function<void()> then) {
    storage::Put put;
    put.ns = ns_;
    put.key = key;
    put.value.assign(kWriteBytesMax / 2, 'v');
    storage::Write write;
    write.operations.emplace_back(std::move(put));
    using Outcomes = std::vector<storage::WriteOutcome>;
    operations_.write(operations_.trusted(operations::Face::kRest),
                      std::move(write),
                      [then](Result<Outcomes>) { then(); });
  }

  operations::Operations& operations_;
  const storage::NamespaceNumber ns_;
  using Event = std::shared_ptr<std::promise<void>>;
  const Event go_on_ = std::make_shared<std::promise<void>>();
  const Event done_ = std::make_shared<std::promise<void>>();
};

}  // namespace edged::kv_http

// SPDX-License-Identifier: Apache-2.0
// Takes a value in pieces from a request and writes it under its key: up to 64 KiB it is kept in
// memory, what is larger goes to the store as it comes. A value above 25 MiB is counted to its end
// but not stored, so that a client can be told its size. One coroutine at a time; the executor's
// thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "kvstore/http/kv_rules.h"
#include "kvstore/operations/operations.h"

namespace edged::kv_http {

class ValueSink {
 public:
  static constexpr std::size_t kMemoryBytesMax = 64 * 1024;

  // `operations` outlives the object.
  ValueSink(operations::Operations& operations,
            operations::Caller caller,
            storage::NamespaceNumber ns,
            std::string key);

  // Errors: those of Operations::begin_upload() and Upload::append().
  boost::asio::awaitable<Status> append(std::string piece);
  // So far; may be above the limit of a value.
  std::uint64_t bytes() const { return bytes_; }
  // Metadata, expiry and condition are those of `put`; namespace, key and value are set here. Call
  // once, last, if the size is allowed. Errors: those of Operations::write() and Upload::put(), and
  // the outcome's.
  boost::asio::awaitable<Status> put(storage::Put put, storage::Durability durability);

 private:
  boost::asio::awaitable<Status> begin();
  boost::asio::awaitable<Status> upload(std::string piece);

  operations::Operations& operations_;
  operations::Caller caller_;
  const storage::NamespaceNumber ns_;
  const std::string key_;
  std::string memory_;
  std::uint64_t bytes_ = 0;
  std::shared_ptr<operations::Upload> upload_;
};

}  // namespace edged::kv_http

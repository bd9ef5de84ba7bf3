// SPDX-License-Identifier: Apache-2.0
// The binary protocol's client for Asio coroutines: one connection, pipelined, reconnecting by
// itself with back-off. docs/protocol.md is the wire; blocking_client.h wraps this for tools.
//
// Namespaces are named by id (32 hexadecimal digits) or title; the client opens each once per
// connection. All calls must be made on the executor's thread (or strand). Every call has a
// deadline, options.call_timeout, which covers connecting; a call that met it is kDeadlineExceeded
// if nothing was sent, kUnknownOutcome if a write was. Reads are repeated once on a new connection
// if theirs broke; writes never are. While the node is unreachable calls fail at once
// (kUnavailable) between attempts to connect, so a dead node costs no time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::net {

struct ClientOptions {
  // "unix:/path/kv.sock" or "127.0.0.1:4780".
  std::string address{};
  std::chrono::milliseconds connect_timeout{1000};
  std::chrono::milliseconds call_timeout{2000};
};

struct KvEntry {
  std::string value{};
  std::string metadata{};
  std::optional<WallTime> expires_at{};
  std::uint64_t version = 0;
};

enum class PutMode { kAlways, kIfAbsent, kIfPresent, kIfVersion };

struct PutItem {
  std::string key{};
  std::string value{};
  std::string metadata{};
  std::optional<std::chrono::milliseconds> ttl{};
  std::optional<WallTime> expires_at{};
  PutMode mode = PutMode::kAlways;
  std::uint64_t if_version = 0;
  bool sync = false;  // durable against power loss before the answer
};

struct KvListRequest {
  std::string prefix{};
  std::string cursor{};  // empty: from the start
  std::uint32_t limit = 1000;
  bool with_values = false;
};

struct KvListItem {
  std::string key{};
  KvEntry entry;  // value empty unless with_values
  std::uint64_t value_bytes = 0;
};

struct KvListPage {
  std::vector<KvListItem> items;
  std::string cursor{};  // empty: complete
};

struct KvNamespace {
  std::string id{};
  std::string title{};
  WallTime created_at{};
};

class Client {
 public:
  Client(boost::asio::any_io_executor executor, ClientOptions options);
  ~Client();  // calls under way end with kUnavailable
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  Awaitable<Status> ping();

  // kNotFound if absent or expired.
  Awaitable<Result<KvEntry>> get(std::string ns, std::string key);
  // One result per key, in order; an absent key is an empty optional. Any number of keys: split
  // into frames by the client.
  Awaitable<Result<std::vector<std::optional<KvEntry>>>> multi_get(std::string ns,
                                                                   std::vector<std::string> keys);
  // The new version. kExists, kNotFound, kVersionMismatch by the item's mode.
  Awaitable<Result<std::uint64_t>> put(std::string ns, PutItem item);
  // One result per item, in order: the new version or why not.
  Awaitable<Result<std::vector<Result<std::uint64_t>>>> multi_put(std::string ns,
                                                                  std::vector<PutItem> items);
  // kOk also if the key was absent; with if_version kNotFound or kVersionMismatch.
  Awaitable<Status> remove(std::string ns,
                           std::string key,
                           std::optional<std::uint64_t> if_version = std::nullopt);
  Awaitable<Result<KvListPage>> list(std::string ns, KvListRequest request);

  Awaitable<Result<KvNamespace>> create_namespace(std::string title, std::string id);
  Awaitable<Result<std::vector<KvNamespace>>> list_namespaces();
  // The node's statistics as one JSON object (docs/protocol.md, STATS).
  Awaitable<Result<std::string>> stats();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace edged::net

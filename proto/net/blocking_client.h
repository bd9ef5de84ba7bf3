// SPDX-License-Identifier: Apache-2.0
// The client for tools: the same operations as net::Client, each blocking the calling thread until
// it is done or its deadline has passed. It runs its own io_context, and only during calls. One
// thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/net/client.h"

namespace edged::net {

class BlockingClient {
 public:
  explicit BlockingClient(ClientOptions options);
  ~BlockingClient();
  BlockingClient(const BlockingClient&) = delete;
  BlockingClient& operator=(const BlockingClient&) = delete;

  // See client.h for each.
  Status ping();
  Result<KvEntry> get(std::string ns, std::string key);
  Result<std::vector<std::optional<KvEntry>>> multi_get(std::string ns,
                                                        std::vector<std::string> keys);
  Result<KvEntry> get(std::string ns, std::string key, ReadBounds bounds);
  Result<std::vector<std::optional<KvEntry>>> multi_get(std::string ns,
                                                        std::vector<std::string> keys,
                                                        ReadBounds bounds);
  Result<std::uint64_t> put(std::string ns, PutItem item);
  Result<std::vector<Result<std::uint64_t>>> multi_put(std::string ns, std::vector<PutItem> items);
  Status remove(std::string ns,
                std::string key,
                std::optional<std::uint64_t> if_version = std::nullopt);
  Status invalidate(std::string ns, std::string key);
  Result<KvLeased> get_or_lease(std::string ns,
                                std::string key,
                                std::chrono::milliseconds duration);
  Result<std::uint64_t> touch(std::string ns, TouchItem item);
  Result<KvEntry> get_and_touch(std::string ns, TouchItem item);
  Result<std::int64_t> add(std::string ns, AddItem item);
  Result<BatchResult> batch(std::string ns, std::vector<BatchItem> items);
  // Its next() is BlockingClient::next. After the client's end it only ends.
  Result<std::shared_ptr<KvWatch>> watch(std::string ns,
                                         std::string prefix,
                                         std::optional<std::uint64_t> after = std::nullopt);
  Result<std::vector<KvChange>> next(KvWatch& watch, std::chrono::milliseconds timeout);
  Result<KvListPage> list(std::string ns, KvListRequest request);
  Result<BatchResult> mirror_batch(std::string ns, std::vector<BatchItem> items, MirrorMark mark);
  Result<std::vector<std::optional<KvEntry>>> mirror_get(std::string ns,
                                                         std::vector<std::string> keys);
  Result<KvListPage> mirror_list(std::string ns, KvListRequest request);
  Result<KvNamespace> create_namespace(std::string title, std::string id);
  Result<std::vector<KvNamespace>> list_namespaces();
  Status rename_namespace(std::string ns, std::string title);
  Status clear_namespace(std::string ns);
  Status delete_namespace(std::string ns);
  Result<std::string> namespace_usage(std::string ns);
  Result<std::string> create_token(std::string request);
  Result<std::vector<std::string>> list_tokens();
  Result<std::string> revoke_token(std::string request);
  Status confirm_clock();
  Result<std::string> stats();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // watches hold it too: their timers belong to its io_context
};

}  // namespace edged::net

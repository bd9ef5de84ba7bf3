// SPDX-License-Identifier: Apache-2.0
// The clients of the Redis face, for CLIENT LIST and CLIENT KILL. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kvstore/redis/pub_sub.h"

namespace edged::redis {

// What CLIENT LIST tells of one client. Its session writes it, anybody reads it.
struct ClientInfo {
  std::uint64_t id = 0;
  std::string address, own_address;
  std::int64_t connected_at_s = 0;
  std::function<void()> kill;  // any thread
  std::shared_ptr<Inbox> inbox;

  std::atomic<int> protocol{2};
  std::atomic<std::size_t> database{0};
  std::atomic<std::int64_t> active_at_s{0};
  std::atomic<const char*> last_command{"NULL"};
  std::mutex mutex;  // guards what follows
  std::string name, library, library_version, user = "default";
};

class ClientList {
 public:
  void add(const std::shared_ptr<ClientInfo>& info) {
    const std::lock_guard lock(mutex_);
    info->id = ++last_id_;
    clients_.emplace(info->id, info);
  }
  void remove(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    clients_.erase(id);
  }
  // The clients, sorted by id.
  std::vector<std::shared_ptr<ClientInfo>> all() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<ClientInfo>> all;
    for (const auto& [id, info] : clients_) all.push_back(info);
    return all;
  }
  // Null: there is no such client.
  std::shared_ptr<Inbox> inbox_of(std::uint64_t id) const {
    const std::lock_guard lock(mutex_);
    const auto found = clients_.find(id);
    return found == clients_.end() ? nullptr : found->second->inbox;
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return clients_.size();
  }
  std::atomic<std::uint64_t> commands{0}, connections{0};  // since start

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<ClientInfo>> clients_;
  std::uint64_t last_id_ = 0;
};

}  // namespace edged::redis

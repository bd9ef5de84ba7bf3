// SPDX-License-Identifier: Apache-2.0
// The watches of one connection: WATCH, CANCEL, and what is pushed (docs/protocol.md, "Watching").
// The connection's reactor only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "kvstore/server/completion.h"
#include "kvstore/server/reply.h"
#include "kvstore/storage/store.h"

namespace edged::server {

class Watches {
 public:
  // `progress` is woken when there is something to push.
  Watches(storage::Store& store, std::weak_ptr<Completion> progress)
      : store_(store), progress_(std::move(progress)) {}

  // Answers WATCH. Appends the response and returns its status.
  Code start(const wire::Request& request, const ReplyTo& to, std::string& out);
  // Ends a watch; nothing of it is pushed after this. False if there is none with this id.
  bool cancel(std::uint32_t id) { return watches_.erase(id) > 0; }
  void clear() { watches_.clear(); }

  // Ends each watch whose request is not `allowed` any more, with a push that says why.
  void judge(const std::function<Status(const wire::Request&)>& allowed, std::string& out);

  // Appends pushes until nothing is new or `out` holds `out_bytes_max` bytes.
  void pump(std::size_t out_bytes_max, std::string& out);

 private:
  struct Entry {
    std::unique_ptr<storage::Watch> watch;
    std::shared_ptr<std::atomic<bool>> ready;
    std::uint16_t flags = 0;
    storage::NamespaceNumber ns = 0;
    std::string prefix;
  };

  static void end(std::uint32_t id, const Entry& entry, const Status& why, std::string& out);

  // False if the watch has ended.
  bool pump_one(std::uint32_t id, Entry& entry, std::size_t out_bytes_max, std::string& out);

  storage::Store& store_;
  const std::weak_ptr<Completion> progress_;
  std::map<std::uint32_t, Entry> watches_;  // by the id of the request
};

}  // namespace edged::server

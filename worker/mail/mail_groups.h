// SPDX-License-Identifier: Apache-2.0
// The requests that were, or may have been, made to an idempotent provider, table
// edged.mail_groups. A request is stored before it is made, so that whoever has one of its letters
// later makes the same request again, under the same key, and the provider takes it once.
//
// Executor's thread; the pool outlives the object, and the object its coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"

namespace edged::mail {

struct MailGroup {
  std::string id;                 // a random UUID: the key of the request
  std::string body;               // as Transport::freeze() made it
  std::vector<std::string> keys;  // of its letters, by their place in the request
};

class MailGroups {
 public:
  // Providers keep a key for 24 hours. An older request is not made again.
  static constexpr std::chrono::hours kRepeatableFor{23};

  MailGroups(db::PgPool& pool, const Clock& clock) : pool_(pool), clock_(clock) {}

  // Requests that may be repeated and hold one of these letters, oldest first.
  // Errors here and below: those of PgPool::execute.
  boost::asio::awaitable<Result<std::vector<MailGroup>>> find(std::vector<std::string> keys);

  // Stores a request; its id. None if one of its letters was accepted meanwhile, or is in another
  // request: the letters must be looked at again.
  boost::asio::awaitable<Result<std::optional<std::string>>> store(std::string body,
                                                                   std::vector<std::string> keys);

  // The request was refused for good: nothing of it was sent, and its letters go their own ways.
  boost::asio::awaitable<Status> dissolve(std::string id);

  // Deletes at most `count` requests that are older than a day, or whose letters all have ended.
  // How many there were.
  boost::asio::awaitable<Result<std::int64_t>> delete_old(int count);

 private:
  db::PgPool& pool_;
  const Clock& clock_;
};

}  // namespace edged::mail

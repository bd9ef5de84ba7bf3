// SPDX-License-Identifier: Apache-2.0
// Commands over all keys of a database: SCAN, KEYS, RANDOMKEY, FLUSHDB and FLUSHALL; and the making
// of databases. They read pages in the order of the keys.
#include <algorithm>
#include <charconv>
#include <random>

#include "kvstore/redis/session.h"
#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

constexpr std::uint32_t kPageKeys = 1000;
// Of one answer to KEYS.
constexpr std::size_t kKeysBytesMax = 32 * 1024 * 1024;
constexpr std::size_t kRandomBytes = 2;

std::mt19937_64& chance() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return generator;
}

}  // namespace

// One command's way through the keys of a namespace.
struct Session::Walk {
  enum class For { kScan, kKeys, kRandom } what = For::kScan;
  std::uint64_t ticket = 0;
  storage::ListRequest request;
  std::string pattern;      // empty: any key
  std::string first_seen;   // of RANDOMKEY: where it began
  bool wrong_type = false;  // SCAN TYPE of something that is no string
  std::vector<std::string> keys;
  std::size_t bytes = 0;
};

void Session::walk(std::shared_ptr<Walk> walk) {
  std::function<void(Result<storage::ListPage>)> then = [this,
                                                         walk](Result<storage::ListPage> page) {
    std::string text;
    Reply reply(text, protocol_);
    if (!page) {
      reply.error(error_text(page.error()));
      return unblock(walk->ticket, text);
    }
    for (storage::ListItem& item : page->items) {
      if (walk->wrong_type) break;
      if (!walk->pattern.empty() && !matches_glob(walk->pattern, item.key)) continue;
      walk->bytes += item.key.size() + 16;
      walk->keys.push_back(std::move(item.key));
    }
    walk->request.start_after = page->next_after;
    if (walk->bytes > kKeysBytesMax) {
      reply.error("ERR the keys are above 32 MiB together: use SCAN");
    } else if (walk->what == Walk::For::kScan) {
      const std::uint64_t next =
          page->complete ? 0 : face_.cursors.keep(walk->request.ns, page->next_after);
      reply.array(2);
      reply.bulk(std::to_string(next));
      reply.array(walk->keys.size());
      for (const std::string& key : walk->keys) reply.bulk(key);
    } else if (walk->what == Walk::For::kRandom) {
      if (walk->keys.empty() && !page->complete) return this->walk(walk);
      // Behind the last key it goes on with the first one.
      if (walk->keys.empty() && !walk->first_seen.empty()) {
        walk->first_seen.clear();
        walk->request.start_after.clear();
        return this->walk(walk);
      }
      if (walk->keys.empty()) {
        reply.null();
      } else {
        reply.bulk(walk->keys[chance()() % walk->keys.size()]);
      }
    } else {
      if (!page->complete) return this->walk(walk);
      reply.array(walk->keys.size());
      for (const std::string& key : walk->keys) reply.bulk(key);
    }
    unblock(walk->ticket, text);
  };
  face_.operations.list(caller_, walk->request, on_reactor<storage::ListPage>(std::move(then)));
}

void Session::handle_scan(Arguments args, Reply& reply) {
  const auto walk = std::make_shared<Walk>();
  // The whole range of 64 bits without a sign, as Redis.
  std::uint64_t cursor = 0;
  const char* const end = args[1].data() + args[1].size();
  const auto [last, error] = std::from_chars(args[1].data(), end, cursor);
  if (error != std::errc() || last != end) return reply.error("ERR invalid cursor");
  std::int64_t count = 10;
  for (std::size_t i = 2; i < args.size(); i += 2) {
    if (i + 1 == args.size()) return reply.error(kSyntaxError);
    if (equals_ignoring_case(args[i], "match")) {
      walk->pattern = args[i + 1];
    } else if (equals_ignoring_case(args[i], "count")) {
      const auto given = to_integer(args[i + 1]);
      if (!given) return reply.error(kNotInteger);
      if (*given < 1) return reply.error(kSyntaxError);
      count = *given;
    } else if (equals_ignoring_case(args[i], "type")) {
      walk->wrong_type = !equals_ignoring_case(args[i + 1], "string");
    } else {
      return reply.error(kSyntaxError);
    }
  }
  walk->request.ns = ns();
  const auto empty = [&] {
    reply.array(2);
    reply.bulk("0");
    reply.array(0);
  };
  if (walk->request.ns == 0) return empty();
  if (cursor != 0) {
    const auto last_key = face_.cursors.find(cursor, walk->request.ns);
    if (!last_key) {
      return reply.error(
          "ERR invalid cursor: it is of another database or a former run of the node, or 4096 "
          "younger ones have replaced it");
    }
    walk->request.start_after = *last_key;
  }
  walk->request.prefix = glob_prefix(walk->pattern);
  if (walk->request.prefix.size() > storage::kKeyBytesMax) return empty();
  walk->request.limit = static_cast<std::uint32_t>(std::min<std::int64_t>(count, kPageKeys));
  walk->ticket = block();
  this->walk(walk);
}

void Session::handle_keys(Arguments args, Reply& reply) {
  const auto walk = std::make_shared<Walk>();
  walk->what = Walk::For::kKeys;
  walk->pattern = args[1] == "*" ? std::string_view() : args[1];
  walk->request.ns = ns();
  walk->request.prefix = glob_prefix(walk->pattern);
  if (walk->request.ns == 0 || args[1].empty() ||
      walk->request.prefix.size() > storage::kKeyBytesMax) {
    return reply.array(0);
  }
  walk->request.limit = kPageKeys;
  walk->ticket = block();
  this->walk(walk);
}

// Some key near a random place: not each is as likely as the other.
void Session::handle_randomkey(Arguments /*args*/, Reply& reply) {
  const auto walk = std::make_shared<Walk>();
  walk->what = Walk::For::kRandom;
  walk->request.ns = ns();
  if (walk->request.ns == 0) return reply.null();
  for (std::size_t i = 0; i < kRandomBytes; ++i) {
    walk->request.start_after += static_cast<char>(' ' + chance()() % ('~' - ' '));
  }
  walk->first_seen = walk->request.start_after;
  walk->request.limit = 100;
  walk->ticket = block();
  this->walk(walk);
}

void Session::handle_flush(Arguments args, Reply& reply) {
  const bool known =
      args.size() == 1 || (args.size() == 2 && (equals_ignoring_case(args[1], "async") ||
                                                equals_ignoring_case(args[1], "sync")));
  if (!known) return reply.error(kSyntaxError);
  auto left = std::make_shared<std::vector<storage::NamespaceNumber>>();
  if (equals_ignoring_case(args[0], "flushall")) {
    for (const storage::NamespaceNumber one : reactor_.databases.numbers()) {
      if (one != 0 && !is_mirrored(one)) left->push_back(one);
    }
  } else if (ns() != 0) {
    if (is_mirrored(ns())) {
      return reply.error("MIRRORED the database holds rows of PostgreSQL: it is not flushed");
    }
    left->push_back(ns());
  }
  std::sort(left->begin(), left->end());
  left->erase(std::unique(left->begin(), left->end()), left->end());
  flush_next(std::move(left), block());
}

bool Session::is_mirrored(storage::NamespaceNumber number) const {
  const auto mirrors = face_.store.mirrors();
  return std::any_of(mirrors.begin(), mirrors.end(), [number](const auto& mirror) {
    return mirror.ns == number && !mirror.rules.empty();
  });
}

void Session::flush_next(std::shared_ptr<std::vector<storage::NamespaceNumber>> left,
                         std::uint64_t ticket) {
  std::string text;
  Reply reply(text, protocol_);
  if (left->empty()) {
    reply.ok();
    return unblock(ticket, text);
  }
  const storage::NamespaceNumber number = left->back();
  left->pop_back();
  std::function<void(Result<operations::Nothing>)> then =
      [this, left, ticket](Result<operations::Nothing> cleared) {
        if (cleared) return flush_next(left, ticket);
        std::string failure;
        Reply(failure, protocol_).error(error_text(cleared.error()));
        unblock(ticket, failure);
      };
  face_.operations.clear_namespace(
      caller_, number, on_reactor<operations::Nothing>(std::move(then)));
}

void Session::create_database(std::size_t database, std::function<void(Status)> then) {
  const std::string title = reactor_.databases.title_to_create(database);
  if (title.empty()) {
    return then({Code::kInvalidArgument,
                 "database " + std::to_string(database) + ": the namespace \"" +
                     reactor_.databases.name(database) +
                     "\" of node.redis_databases does not exist"});
  }
  std::function<void(Result<storage::Namespace>)> done = [then](Result<storage::Namespace> made) {
    // Another client may have made it at the same time.
    then(made || made.code() == Code::kExists ? Status() : made.error());
  };
  face_.operations.create_namespace(
      caller_, title, "", on_reactor<storage::Namespace>(std::move(done)));
}

// Answers after a sync of what was written before: the log is synced with a write behind it, of a
// key that nobody has and that the same write deletes.
void Session::handle_waitaof(Arguments args, Reply& reply) {
  const auto local = to_integer(args[1]), replicas = to_integer(args[2]);
  const auto timeout = to_integer(args[3]);
  if (!local || !replicas || !timeout) return reply.error(kNotInteger);
  if (*local < 0 || *local > 1) {
    return reply.error("ERR value is out of range, must be between 0 and 1");
  }
  if (*timeout < 0) return reply.error("ERR timeout is negative");
  if (ns() == 0) {
    reply.array(2);
    reply.integer(*local);
    return reply.integer(0);
  }
  storage::Write write;
  write.durability = storage::Durability::kSync;
  write.atomic = true;
  storage::Put put;
  put.ns = ns();
  put.key = "edged:waitaof:" + std::to_string(chance()());
  put.condition = storage::Condition::kAbsent;
  storage::Delete removal{put.ns, put.key, storage::Condition::kNone, 0};
  write.operations.emplace_back(std::move(put));
  write.operations.emplace_back(std::move(removal));
  const std::uint64_t ticket = block();
  reactor_.pass.add(caller_,
                    std::move(write),
                    shared_from_this(),
                    [weak = weak_from_this(), ticket](const Pass::Written& done) {
                      const auto self = weak.lock();
                      if (!self || self->closed_) return;
                      std::string text;
                      Reply answer(text, self->protocol_);
                      if (!done) {
                        answer.error(error_text(done.error()));
                      } else {
                        answer.array(2);
                        answer.integer(1);
                        answer.integer(0);
                      }
                      self->unblock(ticket, text);
                    });
}

}  // namespace edged::redis

// SPDX-License-Identifier: Apache-2.0
// See command_table.h. Arity, keys and summaries are those of Redis 7.0.
#include "kvstore/redis/command_table.h"

#include <array>
#include <unordered_map>

#include "kvstore/redis/key_commands.h"
#include "kvstore/redis/session.h"
#include "kvstore/redis/string_commands.h"
#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

constexpr std::uint32_t kW = kWrites, kR = kReads, kP = kWrites | kPassWrite, kA = kWithoutAuth,
                        kRuns = kRunsInMulti, kSub = kWhileSubscribed, kNoMulti = kNotInMulti,
                        kAdmin = kAdministers;
using S = Session;

// name, arity, flags, keys (first, last, step), run, handle
constexpr CommandSpec kCommands[] = {
    {"append", 3, kW, 1, 1, 1, run_append, nullptr},
    {"auth", -2, kA | kRuns, 0, 0, 0, nullptr, &S::handle_auth},
    {"client", -2, 0, 0, 0, 0, nullptr, &S::handle_client},
    {"command", -1, 0, 0, 0, 0, nullptr, &S::handle_command},
    {"config", -2, kAdmin | kNoMulti, 0, 0, 0, nullptr, &S::handle_config},
    {"copy", -3, kW, 1, 2, 1, run_copy, nullptr},
    {"discard", 1, kRuns, 0, 0, 0, nullptr, &S::handle_discard},
    {"dbsize", 1, kR, 0, 0, 0, nullptr, &S::handle_dbsize},
    {"decr", 2, kP, 1, 1, 1, run_incr, nullptr},
    {"decrby", 3, kP, 1, 1, 1, run_incr, nullptr},
    {"del", -2, kP, 1, -1, 1, run_del, nullptr},
    {"delifeq", 3, kW, 1, 1, 1, run_delifeq, nullptr},
    {"echo", 2, 0, 0, 0, 0, nullptr, &S::handle_echo},
    {"edged.fresh", 2, kR, 1, 1, 1, nullptr, &S::handle_edged_fresh},
    {"edged.get", -2, kR | kNoMulti, 1, 1, 1, nullptr, &S::handle_edged_get},
    {"exec", 1, kRuns, 0, 0, 0, nullptr, &S::handle_exec},
    {"exists", -2, kR, 1, -1, 1, run_exists, nullptr},
    {"expire", -3, kP, 1, 1, 1, run_expire, nullptr},
    {"expireat", -3, kP, 1, 1, 1, run_expire, nullptr},
    {"expiretime", 2, kR, 1, 1, 1, run_ttl, nullptr},
    {"flushall", -1, kW | kNoMulti, 0, 0, 0, nullptr, &S::handle_flush},
    {"flushdb", -1, kW | kNoMulti, 0, 0, 0, nullptr, &S::handle_flush},
    {"get", 2, kR, 1, 1, 1, run_get, nullptr},
    {"getdel", 2, kW, 1, 1, 1, run_getdel, nullptr},
    {"getex", -2, kW, 1, 1, 1, run_getex, nullptr},
    {"getrange", 4, kR, 1, 1, 1, run_getrange, nullptr},
    {"getset", 3, kW, 1, 1, 1, run_getset, nullptr},
    {"hello", -1, kA | kNoMulti, 0, 0, 0, nullptr, &S::handle_hello},
    {"incr", 2, kP, 1, 1, 1, run_incr, nullptr},
    {"incrby", 3, kP, 1, 1, 1, run_incr, nullptr},
    {"incrbyfloat", 3, kW, 1, 1, 1, run_incrbyfloat, nullptr},
    {"info", -1, 0, 0, 0, 0, nullptr, &S::handle_info},
    {"keys", 2, kR | kNoMulti, 0, 0, 0, nullptr, &S::handle_keys},
    {"mget", -2, kR, 1, -1, 1, run_mget, nullptr},
    {"mset", -3, kP, 1, -1, 2, run_mset, nullptr},
    {"msetnx", -3, kW, 1, -1, 2, run_msetnx, nullptr},
    {"multi", 1, kRuns, 0, 0, 0, nullptr, &S::handle_multi},
    {"object", -2, kR, 2, 2, 1, run_object, nullptr},
    {"persist", 2, kW, 1, 1, 1, run_persist, nullptr},
    {"pexpire", -3, kP, 1, 1, 1, run_expire, nullptr},
    {"pexpireat", -3, kP, 1, 1, 1, run_expire, nullptr},
    {"pexpiretime", 2, kR, 1, 1, 1, run_ttl, nullptr},
    {"ping", -1, kSub, 0, 0, 0, nullptr, &S::handle_ping},
    {"psetex", 4, kP, 1, 1, 1, run_setex, nullptr},
    {"psubscribe", -2, kSub | kNoMulti, 0, 0, 0, nullptr, &S::handle_subscribe},
    {"pttl", 2, kR, 1, 1, 1, run_ttl, nullptr},
    {"publish", 3, 0, 0, 0, 0, nullptr, &S::handle_publish},
    {"pubsub", -2, 0, 0, 0, 0, nullptr, &S::handle_pubsub},
    {"punsubscribe", -1, kSub | kNoMulti, 0, 0, 0, nullptr, &S::handle_unsubscribe},
    {"quit", -1, kA | kSub | kRuns, 0, 0, 0, nullptr, &S::handle_quit},
    {"randomkey", 1, kR | kNoMulti, 0, 0, 0, nullptr, &S::handle_randomkey},
    {"rename", 3, kW, 1, 2, 1, run_rename, nullptr},
    {"renamenx", 3, kW, 1, 2, 1, run_rename, nullptr},
    {"reset", 1, kA | kSub | kRuns, 0, 0, 0, nullptr, &S::handle_reset},
    {"scan", -2, kR | kNoMulti, 0, 0, 0, nullptr, &S::handle_scan},
    {"select", 2, 0, 0, 0, 0, nullptr, &S::handle_select},
    {"set", -3, kP, 1, 1, 1, run_set, nullptr},
    {"setex", 4, kP, 1, 1, 1, run_setex, nullptr},
    {"setnx", 3, kP, 1, 1, 1, run_setnx, nullptr},
    {"setrange", 4, kW, 1, 1, 1, run_setrange, nullptr},
    {"strlen", 2, kR, 1, 1, 1, run_strlen, nullptr},
    {"subscribe", -2, kSub | kNoMulti, 0, 0, 0, nullptr, &S::handle_subscribe},
    {"substr", 4, kR, 1, 1, 1, run_getrange, nullptr},
    {"time", 1, 0, 0, 0, 0, nullptr, &S::handle_time},
    {"touch", -2, kR, 1, -1, 1, run_exists, nullptr},
    {"ttl", 2, kR, 1, 1, 1, run_ttl, nullptr},
    {"type", 2, kR, 1, 1, 1, run_type, nullptr},
    {"unsubscribe", -1, kSub | kNoMulti, 0, 0, 0, nullptr, &S::handle_unsubscribe},
    {"unwatch", 1, 0, 0, 0, 0, nullptr, &S::handle_unwatch},
    {"unlink", -2, kP, 1, -1, 1, run_del, nullptr},
    {"wait", 3, kNoMulti, 0, 0, 0, nullptr, &S::handle_wait},
    {"watch", -2, kRuns, 1, -1, 1, nullptr, &S::handle_watch},
    {"waitaof", 4, kNoMulti, 0, 0, 0, nullptr, &S::handle_waitaof},
};

struct Subcommand {
  std::string_view parent, name;
  int arity;  // of the words with the parent's name
};
constexpr Subcommand kSubcommands[] = {
    {"client", "caching", 3},   {"client", "getname", 2},      {"client", "getredir", 2},
    {"client", "id", 2},        {"client", "info", 2},         {"client", "kill", -3},
    {"client", "list", -2},     {"client", "no-evict", 3},     {"client", "no-touch", 3},
    {"client", "setinfo", 4},   {"client", "setname", 3},      {"client", "tracking", -3},
    {"command", "count", 2},    {"client", "trackinginfo", 2}, {"command", "docs", -2},
    {"command", "info", -2},    {"command", "list", -2},       {"config", "get", -3},
    {"config", "resetstat", 2}, {"config", "set", -4},         {"object", "encoding", 3},
    {"object", "help", 2},      {"object", "refcount", 3},     {"pubsub", "channels", -2},
    {"pubsub", "numpat", 2},    {"pubsub", "numsub", -2},
};

struct Family {
  std::string_view name;
  std::string_view commands;  // with a blank before and behind each
};
constexpr Family kMissing[] = {
    {"lists",
     " blmove blmpop blpop brpop brpoplpush lindex linsert llen lmove lmpop lpop lpos lpush lpushx "
     "lrange lrem lset ltrim rpop rpoplpush rpush rpushx sort sort_ro "},
    {"hashes",
     " hdel hexists hexpire hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hpersist "
     "hrandfield hscan hset hsetnx hstrlen httl hvals "},
    {"sets",
     " sadd scard sdiff sdiffstore sinter sintercard sinterstore sismember smembers smismember "
     "smove spop srandmember srem sscan sunion sunionstore "},
    {"sorted sets",
     " bzmpop bzpopmax bzpopmin zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard "
     "zinterstore zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex "
     "zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank zremrangebyscore "
     "zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore "},
    {"streams",
     " xack xadd xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup "
     "xrevrange xsetid xtrim "},
    {"bitmaps", " bitcount bitfield bitfield_ro bitop bitpos getbit setbit "},
    {"geo indexes",
     " geoadd geodist geohash geopos georadius georadius_ro georadiusbymember "
     "georadiusbymember_ro geosearch geosearchstore "},
    {"HyperLogLogs", " pfadd pfcount pfdebug pfmerge pfselftest "},
    {"Lua scripts and functions",
     " eval eval_ro evalsha evalsha_ro fcall fcall_ro function script "},
    {"modules", " module "},
    {"cluster", " asking cluster readonly readwrite spublish ssubscribe sunsubscribe "},
    {"replication", " failover psync replconf replicaof role slaveof sync "},
    {"snapshots: kvctl makes backups", " bgrewriteaof bgsave dump lastsave migrate restore save "},
    {"access lists: tokens are made with kvctl", " acl "},
    {"debugging commands of Redis",
     " debug latency memory monitor slowlog swapdb lolwut lcs move "},
};

constexpr std::size_t kNameBytesMax = 32;

// What WATCH reads its keys by. Clients cannot send it.
constexpr CommandSpec kReadWatched{"watch", -2, kReads, 1, -1, 1, run_watched, nullptr};

}  // namespace

bool fits(int arity, Arguments args) {
  const auto count = static_cast<int>(args.size());
  return arity > 0 ? count == arity : count >= -arity;
}

const CommandSpec* find_command(std::string_view name) {
  static const auto* const by_name = [] {
    auto* const made = new std::unordered_map<std::string_view, const CommandSpec*>();
    for (const CommandSpec& spec : kCommands) made->emplace(spec.name, &spec);
    return made;
  }();
  if (name.size() > kNameBytesMax) return nullptr;
  std::array<char, kNameBytesMax> lower;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    lower[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  const auto found = by_name->find({lower.data(), name.size()});
  return found == by_name->end() ? nullptr : found->second;
}

const CommandSpec& command_to_watch() {
  return kReadWatched;
}

std::span<const CommandSpec> all_commands() {
  return kCommands;
}

std::string check_subcommand(const CommandSpec& spec, Arguments args) {
  bool has_some = false;
  for (const Subcommand& one : kSubcommands) {
    if (one.parent != spec.name) continue;
    has_some = true;
    if (args.size() < 2 || !equals_ignoring_case(args[1], one.name)) continue;
    if (fits(one.arity, args)) return {};
    std::string text = "ERR wrong number of arguments for '";
    return text.append(spec.name).append("|").append(one.name).append("' command");
  }
  if (!has_some || args.size() < 2) return {};
  std::string parent(spec.name);
  for (char& c : parent) c = static_cast<char>(c - 'a' + 'A');
  std::string text = "ERR unknown subcommand '";
  text.append(args[1].substr(0, 128)).append("'. Try ").append(parent).append(" HELP.");
  return text;
}

std::string_view missing_family(std::string_view name) {
  std::string word = " ";
  word.append(name).append(" ");
  for (const Family& family : kMissing) {
    if (name.find(' ') == std::string_view::npos && !name.empty() &&
        family.commands.find(word) != std::string_view::npos) {
      return family.name;
    }
  }
  return {};
}

void append_keys(const CommandSpec& spec,
                 Arguments args,
                 std::size_t database,
                 std::vector<CommandKey>& keys) {
  if (spec.first_key == 0) return;
  const auto count = static_cast<int>(args.size());
  const int last = spec.last_key < 0 ? count + spec.last_key : spec.last_key;
  for (int i = spec.first_key; i <= last && i < count; i += spec.key_step) {
    keys.push_back({database, args[static_cast<std::size_t>(i)]});
  }
  if (spec.run != run_copy) return;
  // COPY's second key may be in another database.
  for (std::size_t i = 3; i + 1 < args.size(); ++i) {
    if (!equals_ignoring_case(args[i], "db")) continue;
    const auto number = to_integer(args[i + 1]);
    if (number && *number >= 0 && *number < static_cast<std::int64_t>(kDatabases)) {
      keys.back().database = static_cast<std::size_t>(*number);
    }
  }
}

}  // namespace edged::redis

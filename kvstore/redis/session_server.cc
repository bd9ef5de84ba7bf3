// SPDX-License-Identifier: Apache-2.0
// Commands about the server: INFO, CONFIG, COMMAND, DBSIZE, TIME, WAIT.
#include <unistd.h>

#include <algorithm>

#include "kvstore/redis/change_watcher.h"
#include "kvstore/redis/client_text.h"
#include "kvstore/redis/command_docs.h"
#include "kvstore/redis/session.h"
#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

void flag_names(const CommandSpec& spec, Reply& reply) {
  std::vector<std::string_view> names;
  if (spec.has(kWrites)) names.push_back("write");
  if (spec.has(kReads)) names.push_back("readonly");
  if (spec.has(kAdministers)) names.push_back("admin");
  if (spec.has(kNotInMulti)) names.push_back("noscript");
  if (spec.has(kWithoutAuth)) names.push_back("no_auth");
  if (spec.run != nullptr) names.push_back("fast");
  reply.set(names.size());
  for (const std::string_view name : names) reply.simple(name);
}

void describe(const CommandSpec& spec, Reply& reply) {
  reply.array(10);
  reply.bulk(spec.name);
  reply.integer(spec.arity);
  flag_names(spec, reply);
  reply.integer(spec.first_key);
  reply.integer(spec.last_key);
  reply.integer(spec.key_step);
  reply.set(1);
  std::string group = "@";
  group.append(doc_of(spec.name).group);
  reply.simple(group);
  reply.array(0);  // tips
  reply.array(0);  // key specifications
  reply.array(0);  // subcommands
}

void document(const CommandSpec& spec, Reply& reply) {
  reply.bulk(spec.name);
  reply.map(3);
  const CommandDoc doc = doc_of(spec.name);
  reply.bulk("summary");
  reply.bulk(doc.summary);
  reply.bulk("since");
  reply.bulk(doc.since);
  reply.bulk("group");
  reply.bulk(doc.group);
}

// A pair of INFO.
void line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(":").append(value).append("\r\n");
}
void line(std::string& out, std::string_view name, std::uint64_t value) {
  line(out, name, std::to_string(value));
}

struct Setting {
  std::string_view name;
  std::string value;
};

std::vector<Setting> settings(const RedisOptions& options,
                              const NotificationFlags& notifications,
                              std::uint16_t port) {
  return {
      {"appendonly", "yes"},
      {"appendfsync", options.durability == storage::Durability::kSync ? "always" : "everysec"},
      {"databases", std::to_string(kDatabases)},
      {"maxclients", std::to_string(options.limits.connections_max)},
      {"maxmemory", "0"},
      {"maxmemory-policy", "noeviction"},
      {"notify-keyspace-events", notifications.text()},
      {"port", std::to_string(port)},
      {"proto-max-bulk-len", std::to_string(storage::kValueBytesMax)},
      {"save", ""},
      {"timeout", std::to_string(options.limits.idle_timeout.count() / 1000)},
  };
}

}  // namespace

void Session::handle_time(Arguments /*args*/, Reply& reply) {
  const std::int64_t ms = to_unix_ms(now());
  reply.array(2);
  reply.bulk_number(ms / 1000);
  reply.bulk_number(ms % 1000 * 1000);
}

// There is no replica.
void Session::handle_wait(Arguments args, Reply& reply) {
  const auto replicas = to_integer(args[1]), timeout = to_integer(args[2]);
  if (!replicas || !timeout) return reply.error(kNotInteger);
  if (*timeout < 0) return reply.error("ERR timeout is negative");
  reply.integer(0);
}

void Session::handle_command(Arguments args, Reply& reply) {
  const auto all = all_commands();
  if (args.size() == 1) {
    reply.array(all.size());
    for (const CommandSpec& spec : all) describe(spec, reply);
    return;
  }
  if (equals_ignoring_case(args[1], "count") && args.size() == 2) {
    return reply.integer(static_cast<std::int64_t>(all.size()));
  }
  if (equals_ignoring_case(args[1], "list") && args.size() == 2) {
    reply.array(all.size());
    for (const CommandSpec& spec : all) reply.bulk(spec.name);
    return;
  }
  const bool docs = equals_ignoring_case(args[1], "docs");
  if (!docs && !equals_ignoring_case(args[1], "info")) return reply.error(kSyntaxError);
  std::vector<const CommandSpec*> wanted;
  for (const std::string_view name : args.subspan(2)) wanted.push_back(find_command(name));
  if (args.size() == 2) {
    for (const CommandSpec& spec : all) wanted.push_back(&spec);
  }
  if (docs) {
    std::erase(wanted, nullptr);
    reply.map(wanted.size());
    for (const CommandSpec* spec : wanted) document(*spec, reply);
    return;
  }
  reply.array(wanted.size());
  for (const CommandSpec* spec : wanted) {
    if (spec == nullptr) {
      reply.null_array();
    } else {
      describe(*spec, reply);
    }
  }
}

void Session::handle_dbsize(Arguments /*args*/, Reply& reply) {
  const storage::NamespaceNumber in = ns();
  if (in == 0) return reply.integer(0);
  const auto usage = face_.operations.usage(caller_, in);
  if (!usage) return reply.error(error_text(usage.error()));
  reply.integer(static_cast<std::int64_t>(usage->keys));
}

void Session::handle_config(Arguments args, Reply& reply) {
  const std::vector<Setting> known = settings(face_.options, face_.notifications, face_.port);
  if (equals_ignoring_case(args[1], "get") && args.size() > 2) {
    std::vector<const Setting*> found;
    for (const Setting& setting : known) {
      const bool wanted = std::any_of(args.begin() + 2, args.end(), [&](std::string_view pattern) {
        std::string lower(pattern);
        std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
          return static_cast<char>(std::tolower(c));
        });
        return matches_glob(lower, setting.name);
      });
      if (wanted) found.push_back(&setting);
    }
    reply.map(found.size());
    for (const Setting* setting : found) {
      reply.bulk(setting->name);
      reply.bulk(setting->value);
    }
    return;
  }
  if (equals_ignoring_case(args[1], "resetstat") && args.size() == 2) return reply.ok();
  if (equals_ignoring_case(args[1], "set") && args.size() == 4 &&
      equals_ignoring_case(args[2], "notify-keyspace-events")) {
    return set_notifications(args[3], reply);
  }
  if (equals_ignoring_case(args[1], "set") && args.size() >= 4 && args.size() % 2 == 0) {
    std::string text = "ERR CONFIG SET failed: '";
    text.append(args[2]).append("' is set in the configuration of the node, not by its clients");
    return reply.error(text);
  }
  reply.error(kSyntaxError);
}

// The setting is for all clients of this address.
void Session::set_notifications(std::string_view letters, Reply& reply) {
  const Status allowed = face_.operations.judge(caller_, operations::Kind::kWatch, ns(), "");
  if (!allowed.ok()) return reply.error(error_text(allowed));
  if (!face_.notifications.set(letters)) {
    return reply.error(
        "ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid "
        "event class character. Use 'Ag$lshzxeKEtmdn'.");
  }
  answer_when_watching();
}

// Figures of the store need the scope metrics, and keys of a database admin; without them those
// lines are left out.
void Session::handle_info(Arguments args, Reply& reply) {
  const auto wants = [&](std::string_view section) {
    if (args.size() == 1) return true;
    return std::any_of(args.begin() + 1, args.end(), [&](std::string_view one) {
      return equals_ignoring_case(one, section) || equals_ignoring_case(one, "all") ||
             equals_ignoring_case(one, "default") || equals_ignoring_case(one, "everything");
    });
  };
  std::string out;
  const auto begin = [&](const char* title) {
    out.append(out.empty() ? "# " : "\r\n# ").append(title).append("\r\n");
  };
  const auto stats = face_.operations.stats(caller_);
  if (wants("server")) {
    begin("Server");
    line(out, "redis_version", kRedisVersion);
    line(out, "server_name", "edged");
    line(out, "edged_version", face_.options.version);
    line(out, "redis_mode", "standalone");
    line(out, "process_id", static_cast<std::uint64_t>(::getpid()));
    line(out, "tcp_port", face_.port);
    const auto up = face_.clock.boot_now() - face_.started_at;
    line(out, "uptime_in_seconds", static_cast<std::uint64_t>(up.count() / 1000));
    line(out, "uptime_in_days", static_cast<std::uint64_t>(up.count() / 86'400'000));
    if (stats) line(out, "store_engine", stats->engine);
  }
  if (wants("clients")) {
    begin("Clients");
    line(out, "connected_clients", face_.clients.size());
    line(out, "maxclients", face_.options.limits.connections_max);
  }
  if (wants("memory") && stats) {
    begin("Memory");
    line(out, "used_memory", stats->memory_bytes);
    line(out, "used_memory_dataset", stats->hot_bytes);
    line(out, "maxmemory", 0);
    line(out, "maxmemory_policy", "noeviction");
  }
  if (wants("persistence")) {
    begin("Persistence");
    line(out, "loading", 0);
    line(out, "aof_enabled", 1);
    if (stats) line(out, "disk_bytes", stats->disk_bytes);
    if (stats) line(out, "aof_last_write_status", stats->refuses_writes ? "err" : "ok");
  }
  if (wants("stats")) {
    begin("Stats");
    line(out, "total_connections_received", face_.clients.connections.load());
    line(out, "total_commands_processed", face_.clients.commands.load());
    if (stats) line(out, "keyspace_hits", stats->hot_hits);
    if (stats) line(out, "keyspace_misses", stats->hot_misses);
    if (stats) line(out, "expired_keys", stats->expired_reclaimed);
    line(out, "evicted_keys", 0);
  }
  if (wants("replication")) {
    begin("Replication");
    line(out, "role", "master");
    line(out, "connected_slaves", 0);
  }
  if (wants("keyspace")) {
    begin("Keyspace");
    const DatabaseNumbers& numbers = reactor_.databases.numbers();
    for (std::size_t i = 0; i < kDatabases; ++i) {
      if (numbers[i] == 0) continue;
      const auto usage = face_.operations.usage(caller_, numbers[i]);
      if (!usage || usage->keys == 0) continue;
      std::uint64_t expiring = 0;
      for (const auto& bucket : usage->by_expiry) expiring += bucket.until ? bucket.keys : 0;
      std::string counts = "keys=" + std::to_string(usage->keys);
      counts.append(",expires=").append(std::to_string(expiring)).append(",avg_ttl=0");
      line(out, "db" + std::to_string(i), counts);
    }
  }
  reply.text(out);
}

}  // namespace edged::redis

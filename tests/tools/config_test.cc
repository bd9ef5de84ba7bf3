// SPDX-License-Identifier: Apache-2.0
// What a configuration means, and what is wrong with others.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/tools/config_fixture.h"

namespace edged::config {
namespace {

TEST_F(ConfigTest, ReadsEveryKey) {
  environment_ = {{"DATABASE_URL", "postgres://db"}, {"CRON_SECRET", "secret"}};
  const Loaded loaded = load(R"({
    "$schema": "x", "log_level": "debug",
    "node": { "data_dir": "/d", "durability": "wal", "memory_budget": "64MiB", "hot_cache": "4MiB", "disk_quota": "10GiB", "disk_reserve": "1GiB",
              "listen": ["127.0.0.1:1", "[::1]:2"], "unix": "/u.sock", "http": "localhost:3",
              "binding": "unix:/b.sock",
              "io_threads": 2, "expiry_grace": "1m" },
    "kv_namespaces": [ { "binding": "KV", "id": "0f2ac74b498b48028cb68387c421e279",
                         "preview_id": "06779da6940b431db6e566b4846d64db" } ],
    "postgres": { "url": "${DATABASE_URL}", "listen_url": "host=direct", "pool_size": 7, "connect_timeout": "1s",
                  "statement_timeout": "2s", "session_state": false },
    "triggers": { "crons": ["5 * * * *"] },
    "jobs": { "class-monitor": { "crons": ["@hourly"], "time_zone": "UTC", "misfire": "last",
              "overlap": "forbid", "jitter": "3s", "touch_last_checked": false, "past_term_after": "30d",
              "instructor_placeholders": ["To Be Named"] } },
    "worker": { "http": "127.0.0.1:4", "state_dir": "/s", "node": "127.0.0.1:5",
                "node_timeout": "300ms", "cron_secret": "x${CRON_SECRET}y",
                "public_url": "https://p" },
    "upstream": { "type": "scraper", "url": "http://u", "token": "t", "concurrency": 3,
                  "retries": 0, "timeout": "9s" },
    "mail": { "transport": "maildir", "path": "/m", "url": "unused", "from": "a@b",
              "valid_for": "10m" },
    "queues": { "producers": [ { "queue": "email", "binding": "Q" } ],
                "consumers": [ { "queue": "email", "max_batch_size": 9, "max_batch_timeout": 5,
                                 "max_retries": 3, "dead_letter_queue": "dlq" } ] },
    "mirror": { "mode": "logical", "namespace": "KV", "url": "postgres://direct", "slot": "s_1", "publication": "P",
                "temporary_slot": true, "heartbeat": "2s", "rules": [
      { "table": "t", "key": "k:{a}", "value": { "row": true }, "ttl": "1h" },
      { "table": "s.u", "key": "l:{b}", "value": { "const": "" }, "expires": "e" },
      { "table": "v", "key": "m:{b}", "value": { "column": "c" } } ] },
  })");
  ASSERT_EQ(complaints(loaded), "");
  const Config& config = loaded.config;
  EXPECT_EQ(config.log_level, log::Level::kDebug);
  EXPECT_EQ(config.node.data_dir, "/d");
  EXPECT_EQ(config.node.memory_budget_bytes, 64ULL << 20);
  EXPECT_EQ(config.node.hot_cache_bytes, 4ULL << 20);
  EXPECT_EQ(config.node.disk_quota_bytes, 10ULL << 30);
  EXPECT_EQ(config.node.disk_reserve_bytes, 1ULL << 30);
  EXPECT_EQ(config.node.listen, (std::vector<std::string>{"127.0.0.1:1", "[::1]:2"}));
  EXPECT_EQ(config.unix_path(), "/u.sock");
  EXPECT_EQ(config.node.http, "localhost:3");
  EXPECT_EQ(config.node.binding, "unix:/b.sock");
  EXPECT_EQ(config.node.io_threads, 2);
  EXPECT_EQ(config.node.expiry_grace, std::chrono::minutes(1));
  EXPECT_EQ(config.postgres.url, "postgres://db");
  EXPECT_EQ(config.postgres.pool_size, 7);
  EXPECT_EQ(config.postgres.connect_timeout, std::chrono::seconds(1));
  EXPECT_EQ(config.postgres.statement_timeout, std::chrono::seconds(2));
  EXPECT_FALSE(config.postgres.session_state);
  EXPECT_EQ(config.mirror.url, "postgres://direct");
  EXPECT_EQ(config.postgres.listen_url, "host=direct");
  EXPECT_EQ(config.class_monitor.past_term_after, std::chrono::days(30));
  EXPECT_EQ(config.class_monitor_crons(), std::vector<std::string>{"@hourly"});
  EXPECT_EQ(config.class_monitor.misfire, "last");
  EXPECT_EQ(config.class_monitor.jitter, std::chrono::seconds(3));
  EXPECT_FALSE(config.class_monitor.touch_last_checked);
  EXPECT_EQ(config.class_monitor.instructor_placeholders, std::vector<std::string>{"To Be Named"});
  EXPECT_EQ(config.worker.cron_secret, "xsecrety");
  EXPECT_EQ(config.node_address(), "127.0.0.1:5");
  EXPECT_EQ(config.worker.node_timeout, std::chrono::milliseconds(300));
  EXPECT_EQ(config.upstream.concurrency, 3);
  EXPECT_EQ(config.upstream.retries, 0);
  EXPECT_EQ(config.upstream.timeout, std::chrono::seconds(9));
  EXPECT_EQ(config.maildir_path(), "/m");
  EXPECT_EQ(config.mail.valid_for, std::chrono::minutes(10));
  ASSERT_EQ(config.queue_consumers.size(), 1U);
  EXPECT_EQ(config.queue_consumers[0].max_batch_size, 9);
  ASSERT_EQ(config.mirror.rules.size(), 3U);
  EXPECT_TRUE(config.mirror.rules[0].row);
  EXPECT_EQ(config.mirror.rules[0].ttl, std::chrono::hours(1));
  EXPECT_EQ(config.mirror.rules[1].table, "s.u");
  EXPECT_EQ(config.mirror.rules[1].constant, "");
  EXPECT_EQ(config.mirror.rules[1].expires, "e");
  EXPECT_EQ(config.mirror.rules[2].column, "c");
  EXPECT_EQ(config.mirror.mode, "logical");
  EXPECT_EQ(config.mirror.slot, "s_1");
  EXPECT_EQ(config.mirror.publication, "P");
  EXPECT_TRUE(config.mirror.temporary_slot);
  EXPECT_EQ(config.mirror.heartbeat, std::chrono::seconds(2));
  EXPECT_EQ(config.worker_namespace_id(), "0f2ac74b498b48028cb68387c421e279");
  EXPECT_EQ(loaded.warnings.size(), 0U);
}

TEST_F(ConfigTest, FillsDefaults) {
  const Loaded loaded = load(with_worker(R"("node": { "data_dir": "/d" })"));
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_EQ(loaded.config.unix_path(), "/d/kv.sock");
  EXPECT_EQ(loaded.config.node_address(), "unix:/d/kv.sock");
  EXPECT_EQ(loaded.config.maildir_path(), "/var/lib/edged/worker/maildir");
  EXPECT_EQ(loaded.config.class_monitor_crons(), std::vector<std::string>{"0 * * * *"});
  EXPECT_EQ(loaded.config.worker_namespace_id(), "");
}

TEST_F(ConfigTest, HistoryIsADurationOrForever) {
  const auto history_of = [this](const std::string& text) {
    const Loaded loaded = load(with_worker(R"("jobs": { "class-monitor": { )" + text + " } }"));
    EXPECT_EQ(complaints(loaded), "");
    return loaded.config.class_monitor.history;
  };
  EXPECT_EQ(history_of(""), std::chrono::days(90));
  EXPECT_EQ(history_of(R"("history": "24h")"), std::chrono::hours(24));
  EXPECT_EQ(history_of(R"("history": "forever")"), std::nullopt);
}

TEST_F(ConfigTest, ComplainsWithLineColumnAndPath) {
  struct Case {
    const char* name;
    std::string text;  // begins on line 2, after what a worker needs
    std::string complaint;
  };
  const std::string id = "0f2ac74b498b48028cb68387c421e279";
  const Case cases[] = {
      {"choice",
       R"("node": { "durability": "foo" })",
       "edged.jsonc:4:11: node.durability: \"foo\" is not one of wal, sync\n"},
      {"unknown key on top", R"("nodes": {})", "edged.jsonc:4:1: nodes: unknown key. Known here: "},
      {"unknown key below",
       R"("mail": { "form": "x" })",
       "edged.jsonc:4:11: mail.form: unknown key. Known here: transport, path, url, "},
      {"string for number",
       R"("node": { "io_threads": "2" })",
       "edged.jsonc:4:11: node.io_threads: expected a whole number, found a string\n"},
      {"number for duration",
       R"("mail": { "valid_for": 5 })",
       "edged.jsonc:4:11: mail.valid_for: expected a string with a unit, such as \"5s\", found a "
       "whole number\n"},
      {"number above 64 bits",
       R"("node": { "io_threads": 18446744073709551616 })",
       "edged.jsonc:4:11: node.io_threads: expected a whole number that fits 64 bits"},
      {"number with an exponent",
       R"("node": { "io_threads": 1e0 })",
       "edged.jsonc:4:11: node.io_threads: expected a whole number that fits 64 bits"},
      {"number out of range",
       R"("node": { "io_threads": 65 })",
       "edged.jsonc:4:11: node.io_threads: 65 is out of range: 0 to 64 is allowed\n"},
      {"section of another kind",
       R"("node": [])",
       "edged.jsonc:4:1: node: expected an object, found an array\n"},
      {"a history that forgets claims",
       R"("jobs": { "class-monitor": { "history": "23h" } })",
       "jobs.class-monitor.history: is less than 24h, the time for which a notification is not "
       "sent again\n"},
      {"a history that is no duration",
       R"("jobs": { "class-monitor": { "history": "always" } })",
       "jobs.class-monitor.history: \"always\" is not a duration such as \"250ms\", \"5s\" or "
       "\"1h\". The word \"forever\" is allowed too\n"},
      {"duration without unit",
       R"("mail": { "valid_for": "5" })",
       "edged.jsonc:4:11: mail.valid_for: \"5\" has no unit of time. Write \"5s\" for seconds; the "
       "units are ms, s, m, h and d\n"},
      {"size",
       R"("node": { "memory_budget": "many" })",
       "edged.jsonc:4:11: node.memory_budget: \"many\""},
      {"too little memory",
       R"("node": { "memory_budget": "1MiB" })",
       "edged.jsonc:4:11: node.memory_budget: is less than 8MiB\n"},
      {"too much for the hot cache",
       R"("node": { "memory_budget": "16MiB", "hot_cache": "9MiB" })",
       "edged.jsonc:4:37: node.hot_cache: leaves less than 8MiB of node.memory_budget\n"},
      {"unset variable",
       R"("mail": { "from": "${NOBODY}" })",
       "edged.jsonc:4:11: mail.from: the environment variable NOBODY is not set. Set it, or write "
       "the value here\n"},
      {"open variable",
       R"("mail": { "from": "${NOBODY" })",
       "edged.jsonc:4:11: mail.from: \"${\" begins an environment variable: write \"${NAME}\"\n"},
      {"list element",
       R"("jobs": { "class-monitor": { "crons": ["@hourly", 5] } })",
       "jobs.class-monitor.crons[1]: expected a string, found a whole number\n"},
      {"schedule",
       R"("jobs": { "class-monitor": { "crons": ["@hourly", "61 * * * *"] } })",
       "edged.jsonc:4:51: jobs.class-monitor.crons[1]: could not read schedule \"61 * * * *\""},
      {"time zone",
       R"("jobs": { "class-monitor": { "time_zone": "Mars/Base" } })",
       "edged.jsonc:4:30: jobs.class-monitor.time_zone: "},
      {"overlap",
       R"("jobs": { "class-monitor": { "overlap": "allow" } })",
       "jobs.class-monitor.overlap: \"allow\" is not one of forbid\n"},
      {"namespace without id",
       R"("kv_namespaces": [ { "binding": "KV" } ])",
       "kv_namespaces[0].id: is missing\n"},
      {"namespace id",
       R"("kv_namespaces": [ { "binding": "KV", "id": "abc123" } ])",
       "edged.jsonc:4:39: kv_namespaces[0].id: \"abc123\" is not 32 lower-case hexadecimal "
       "digits\n"},
      {"binding twice",
       R"("kv_namespaces": [ { "binding": "A", "id": ")" + id +
           R"(" }, { "binding": "A", "id": ")" + id + R"(" } ])",
       "kv_namespaces[1].binding: \"A\" is used twice\n"},
      {"address",
       R"("node": { "listen": ["here"] })",
       "edged.jsonc:4:22: node.listen[0]: \"here\" is not HOST:PORT"},
      {"address not loopback",
       R"("node": { "http": "0.0.0.0:80" })",
       "edged.jsonc:4:11: node.http: \"0.0.0.0:80\" is not a loopback address"},
      {"smtp",
       R"("mail": { "transport": "smtp" })",
       "mail.url: the transport \"smtp\" needs smtp://HOST[:PORT], or smtps:// for TLS from the "
       "first byte\n"},
      {"smtp with a user in the URL",
       R"("mail": { "transport": "smtp", "url": "smtp://me:secret@mail" })",
       "mail.url: holds a user. Write mail.user, and mail.password or mail.password_file\n"},
      {"resend without a token",
       R"("mail": { "transport": "resend" })",
       "mail.token: is missing. The transport \"resend\" needs it, or mail.token_file\n"},
      {"a sender without brackets",
       R"("mail": { "from": "PickMyClass notify@example.org" })",
       "edged.jsonc:4:11: mail.from: invalid mail address \"PickMyClass notify@example.org\": the "
       "part "
       "before '@' holds a blank. Write ADDRESS or \"NAME <ADDRESS>\"\n"},
      {"a sender whose bracket is not closed",
       R"("mail": { "from": "PickMyClass <notify@example.org" })",
       "edged.jsonc:4:11: mail.from: invalid mail address"},
      {"a sender without a domain",
       R"("mail": { "from": "notify@" })",
       "edged.jsonc:4:11: mail.from: invalid mail address"},
      {"mirror's namespace",
       R"("mirror": { "namespace": "KV" })",
       "edged.jsonc:4:13: mirror.namespace: no entry of kv_namespaces has the binding \"KV\"\n"},
      {"mirror's rule",
       R"("mirror": { "rules": [ { "table": "t", "key": "k" } ] })",
       "mirror.rules[0].value: is missing\n"},
      {"mirror's table",
       R"("mirror": { "rules": [ { "table": "a.b.c", "key": "k:{a}", "value": { "row": true } } ] })",
       "mirror.rules[0].table: \"a.b.c\" is not a table name: write TABLE or SCHEMA.TABLE\n"},
      {"mirror's key",
       R"("mirror": { "rules": [ { "table": "t", "key": "k", "value": { "row": true } } ] })",
       "mirror.rules[0].key: the key template \"k\" names no column"},
      {"mirror's value, of two kinds",
       R"("mirror": { "rules": [ { "table": "t", "key": "{k}", "value": { "row": true, "const": "" } } ] })",
       "mirror.rules[0].value: must be one of"},
      {"mirror's value, of none",
       R"("mirror": { "rules": [ { "table": "t", "key": "{k}", "value": { "row": false } } ] })",
       "mirror.rules[0].value: must be one of"},
      {"mirror's rules without a namespace",
       R"("mirror": { "mode": "logical", "rules": [ { "table": "t", "key": "k:{a}", "value": { "row": true } } ] })",
       "mirror: needs an entry of kv_namespaces\n"},
      {"mirror's rules that meet",
       R"("mirror": { "rules": [ { "table": "t", "key": "k:{a}", "value": { "row": true } },
                                 { "table": "u", "key": "k:a:{a}", "value": { "row": true } } ] })",
       "mirror.rules: the rules for public.t and public.u may write the same keys"},
      {"TLS without a certificate",
       R"("node": { "listen": "tls:127.0.0.1:1" })",
       "\"tls:127.0.0.1:1\" needs a certificate: set node.tls.certificate and node.tls.key\n"},
      {"a certificate without its key",
       R"("node": { "tls": { "certificate": "a.pem" } })",
       "node.tls: names only one of certificate and key. TLS needs both\n"},
      {"a mirror of nothing",
       R"("mirror": { "mode": "logical" })",
       "mirror.rules: is missing or empty\n"},
      {"mirror's keys, which would be all",
       R"("mirror": { "rules": [ { "table": "t", "key": "{k}", "value": { "row": true } } ] })",
       "mirror.rules[0].key: must begin with text"},
      {"mirror's slot",
       R"("mirror": { "slot": "My-Slot" })",
       "mirror.slot: \"My-Slot\" is not 1 to 54 of a-z, 0-9 and _\n"},
      {"mirror's heartbeat",
       R"("mirror": { "heartbeat": "1ms" })",
       "mirror.heartbeat: is not between 10ms and 1m\n"},
      {"log level",
       R"("log_level": "loud")",
       "edged.jsonc:4:1: log_level: \"loud\" is not one of debug, info, warn, error, off\n"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    // kWorkerBasics has two lines and the case begins the fourth.
    const std::string all = complaints(load(with_worker("\n" + one.text)));
    EXPECT_NE(all.find(one.complaint), std::string::npos) << all;
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 1) << all;
  }
}

TEST_F(ConfigTest, RefusesTimeLimitsOfNothing) {
  const std::string all = complaints(load(R"({
    "postgres": { "url": "postgres://db", "connect_timeout": "0s", "statement_timeout": "0ms" },
    "upstream": { "url": "http://up", "timeout": "0h" }, "worker": { "node_timeout": "0s" } })"));
  for (const char* path : {"postgres.connect_timeout",
                           "postgres.statement_timeout",
                           "upstream.timeout",
                           "worker.node_timeout"}) {
    EXPECT_NE(all.find(std::string(path) + ": must be more than 0\n"), std::string::npos) << all;
  }
}

TEST_F(ConfigTest, NamesWhatAWorkerMisses) {
  EXPECT_EQ(complaints(load("{}")),
            "edged.jsonc: postgres.url: is missing\nedged.jsonc: upstream.url: is missing\n");
}

TEST_F(ConfigTest, ANodeStartsWithoutTheWorkersVariablesAndFeatures) {
  const std::string text =
      R"({ "postgres": { "url": "${DATABASE_URL}" }, "mail": { "transport": "smtp" } })";
  EXPECT_EQ(complaints(load(text, Scope::kNode)), "");
  EXPECT_NE(complaints(load(text, Scope::kWorker)), "");
  // Mistakes in keys are told all the same.
  EXPECT_NE(complaints(load(R"({ "postgres": { "uri": "x" } })", Scope::kNode)), "");
}

TEST_F(ConfigTest, DevUsesPreviewIds) {
  request_.overrides.dev = true;
  const Loaded loaded = load(R"({ "kv_namespaces": [ { "binding": "A",
      "id": "0f2ac74b498b48028cb68387c421e279", "preview_id": "06779da6940b431db6e566b4846d64db" } ] })",
                             Scope::kNode);
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_EQ(loaded.config.worker_namespace_id(), "06779da6940b431db6e566b4846d64db");
}

TEST_F(ConfigTest, InsecureAllowsOtherAddresses) {
  request_.overrides.insecure = true;
  EXPECT_EQ(complaints(load(R"({ "node": { "http": "0.0.0.0:80" } })", Scope::kNode)), "");
}

TEST_F(ConfigTest, ReadsThreeKeysOfAWranglerFile) {
  write("wrangler.jsonc", R"({ "name": "app", "main": "x.ts",
    "kv_namespaces": [ { "binding": "KV", "id": "0f2ac74b498b48028cb68387c421e279", "remote": true } ],
    "triggers": { "crons": ["7 * * * *"] } })");
  const Loaded loaded = load(R"({ "wrangler": "wrangler.jsonc" })", Scope::kNode);
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_EQ(loaded.config.worker_namespace_id(), "0f2ac74b498b48028cb68387c421e279");
  EXPECT_EQ(loaded.config.triggers_crons, std::vector<std::string>{"7 * * * *"});
  EXPECT_EQ(loaded.warnings.size(), 0U);
  EXPECT_EQ(loaded.ignored_keys,
            directory_.path() +
                "/wrangler.jsonc: edged does not use these keys and ignores them: "
                "kv_namespaces[0].remote, name, main");
}

// The file as `wrangler init` leaves it: a comment above the first brace, CRLF, a byte order mark.
TEST_F(ConfigTest, SaysThatAWranglerFileInTomlIsNotRead) {
  write("wrangler.toml", "name = \"app\"");
  EXPECT_NE(complaints(load(R"({ "wrangler": "wrangler.toml" })", Scope::kNode))
                .find("edged.jsonc:1:3: wrangler: \"wrangler.toml\" is TOML"),
            std::string::npos);
}

TEST_F(ConfigTest, RefusesWhatStandsInBothFiles) {
  write("wrangler.jsonc", R"({})");
  EXPECT_EQ(
      complaints(load(R"({ "wrangler": "wrangler.jsonc", "triggers": {} })", Scope::kNode)),
      "edged.jsonc:1:33: triggers: is also read from the wrangler file. Keep one of the two\n");
}

TEST_F(ConfigTest, TellsWhyAFileCannotBeRead) {
  request_.file = directory_.path() + "/absent.jsonc";
  const Loaded loaded = load_config(request_);
  EXPECT_EQ(complaints(loaded),
            "absent.jsonc: could not read configuration: No such file or directory\n");
  EXPECT_EQ(complaints(load(R"({ "wrangler": "none.jsonc" })", Scope::kNode)),
            "none.jsonc: could not read configuration: No such file or directory\n");
}

}  // namespace
}  // namespace edged::config

// SPDX-License-Identifier: Apache-2.0
// The whole configuration of edged as plain values with their defaults, as docs/configuration.md
// lists them. config_parse.h fills it from a file, options.h turns it into each module's options.
// Value types; any thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/log.h"
#include "tools/edged/machine_memory.h"
#include "worker/upstream/json_fields.h"

namespace edged::config {

inline constexpr int kIoThreadsMax = 64;
inline constexpr std::string_view kBindingDefault = "127.0.0.1:4782";
inline constexpr std::string_view kBindingOff = "off";

struct KvNamespace {
  std::string binding;
  std::string id;          // 32 lower-case hexadecimal digits
  std::string preview_id;  // the same, or empty
};

struct Node {
  std::string data_dir = "/var/lib/edged";
  std::string durability = "wal";
  std::string recovery = "strict";
  std::uint64_t memory_budget_bytes = default_memory_budget_bytes();
  // Of memory_budget_bytes. Absent: half of it, as far as that leaves the engine its least.
  std::optional<std::uint64_t> hot_cache_bytes;
  std::uint64_t disk_quota_bytes = 0;  // 0: none
  std::uint64_t disk_reserve_bytes = 64ULL << 20;
  std::vector<std::string> listen{"127.0.0.1:4780"};
  std::string unix_path;  // empty: <data_dir>/kv.sock
  std::string http = "127.0.0.1:4781";
  // Of the Workers binding: HOST:PORT, tls:HOST:PORT or unix:PATH; "off": none; empty:
  // kBindingDefault, unless another process has it.
  std::string binding;
  // Of the Redis protocol: HOST:PORT, tls:HOST:PORT or unix:PATH; empty: none.
  std::string redis;
  std::vector<std::string> redis_databases;  // bindings, ids or titles by the number; "": default
  std::vector<std::string> http_hosts;       // names that requests to it may be for
  std::string account_id;                    // the only one of the REST API; empty: any
  // Where requests for queues are passed on to, "HOST:PORT" or "https://HOST"; see
  // worker_of_node(). The secret is the worker's queue_secret.
  std::string worker_http;
  std::string worker_secret, worker_secret_file;
  std::string tls_certificate;  // PEM files; empty: no TLS
  std::string tls_key;
  int io_threads = 0;  // 0: cores, at most 4
  std::chrono::milliseconds expiry_grace{10 * 60'000};
};

struct Postgres {
  std::string url;
  std::string listen_url;  // for notifications alone; empty: see listen_options()
  int pool_size = 4;
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds statement_timeout{5'000};
  bool session_state = true;  // false: a pooler in transaction mode stands between
  bool prepared_statements = true;
};

struct ClassMonitorJob {
  std::vector<std::string> crons;  // empty: triggers.crons
  std::string time_zone = "UTC";
  std::string misfire = "none";    // none, last
  std::string overlap = "forbid";  // forbid
  std::chrono::milliseconds jitter{0};
  std::optional<std::chrono::milliseconds> history{std::chrono::days(90)};  // absent: forever
  bool touch_last_checked = true;
  std::chrono::milliseconds past_term_after{std::chrono::days(180)};  // 0: never
  std::vector<std::string> instructor_placeholders;  // beside those that are built in
};

// What `worker.roles` may name.
inline constexpr const char* kRoleMirror = "mirror";
inline constexpr const char* kRoleCron = "cron";
inline constexpr const char* kRoleMail = "mail";
inline constexpr const char* kRoleQueue = "queue";

struct Worker {
  std::vector<std::string> roles{kRoleMirror, kRoleCron, kRoleMail, kRoleQueue};
  std::string http = "127.0.0.1:4783";
  std::vector<std::string> http_hosts;  // names that requests to it may be for
  std::string state_dir = "/var/lib/edged/worker";
  std::string node;        // "unix:PATH", HOST:PORT, tls:HOST:PORT; empty: the node's unix socket
  std::string tls_ca;      // PEM file, for a tls: node; empty: the system's authorities
  std::string token_file;  // for a node that wants one; empty: none
  std::chrono::milliseconds node_timeout{2'000};
  std::string cron_secret;        // empty: POST /cron/NAME is refused
  std::string cron_secret_file;   // instead: a file whose first line is the secret
  std::string queue_secret;       // of the Queues API; empty: nobody is let in
  std::string queue_secret_file;  // instead: a file whose first line is the secret
  std::string public_url;         // empty: mails carry no link

  bool has_role(std::string_view role) const {
    return std::find(roles.begin(), roles.end(), role) != roles.end();
  }
};

struct Upstream {
  std::string type = "scraper";
  std::string url;
  std::string token;
  std::string token_file;              // instead: a file whose first line is the token
  std::string tls_ca;                  // PEM file; empty: the system's authorities
  std::vector<std::string> redirects;  // HOST or HOST:PORT, beside the one of `url`
  std::string proxy;  // empty: what the environment says (https_proxy, http_proxy, no_proxy)
  upstream::JsonFields fields;      // of type "json"
  upstream::JsonDefaults defaults;  // the same
  upstream::ZeroWords zero_words;
  std::vector<std::string> cancelled_values;  // of type "json", with fields.status
  int concurrency = 10;
  int retries = 2;
  std::chrono::milliseconds timeout{90'000};
};

struct Mail {
  std::string transport = "maildir";
  std::string path;  // of the maildir; empty: <worker.state_dir>/maildir
  std::string url;   // smtp://, smtps://; of resend: empty: Resend's own
  std::string user;  // of smtp
  std::string password, password_file;
  std::string token, token_file;  // of resend
  std::string tls = "auto";       // "required", "off"; auto: required, but on loopback off
  std::string tls_ca;             // PEM file; empty: the system's authorities
  int concurrency = 4;            // connections of smtp
  int rate = 0;                   // mails a second; 0: no limit
  std::string unsubscribe_secret, unsubscribe_secret_file;
  std::string from = "edged <edged@localhost>";
  std::chrono::milliseconds valid_for{30 * 60'000};
};

// A consumer of a queue, as wrangler.jsonc has it.
struct QueueProducer {
  std::string queue;
  int delivery_delay = 0;  // seconds
};

struct QueueConsumer {
  std::string queue;
  std::string type = "worker";  // worker, http_pull
  int max_batch_size = 10;
  int max_batch_timeout = 5;  // seconds
  int max_retries = 3;
  int retry_delay = 0;  // seconds
  std::string dead_letter_queue;
  int max_concurrency = 1;
  int visibility_timeout_ms = 30'000;  // of http_pull
};

// The queue that mails are sent from. This program consumes it itself.
inline constexpr const char* kEmailQueue = "email";

// A URL that consumes a queue by signed HTTP requests.
struct QueuePush {
  std::string queue;
  std::string url;
  std::string secret;
  std::string secret_file;  // instead: a file whose first line is the secret
  std::string tls_ca;       // PEM file; empty: the system's authorities
  std::chrono::milliseconds timeout{30'000};
};

struct MirrorRule {
  std::string table;
  std::string key;
  bool row = false;                     // the value is the whole row,
  std::optional<std::string> column;    // one column's text,
  std::optional<std::string> constant;  // or this
  std::chrono::milliseconds ttl{0};
  std::string expires;
};

struct Mirror {
  bool configured = false;
  std::string mode = "auto";
  std::string kv_namespace;  // a binding
  std::string url;           // PostgreSQL for replication; empty: postgres.url
  std::string slot;          // empty: edged_<namespace id>
  std::string publication;   // empty: as the slot
  bool temporary_slot = false;
  std::chrono::milliseconds heartbeat{1'000};
  std::vector<MirrorRule> rules;
};

struct Config {
  std::string file;  // empty: no file was read
  log::Level log_level = log::Level::kInfo;
  bool dev = false;
  // With --dev: the name of the database that the worker may change; empty: it changes none.
  std::string dev_database;
  bool insecure = false;
  Node node;
  std::vector<KvNamespace> kv_namespaces;
  Postgres postgres;
  std::vector<std::string> triggers_crons;
  ClassMonitorJob class_monitor;
  Worker worker;
  Upstream upstream;
  Mail mail;
  std::vector<QueueProducer> queue_producers;
  std::vector<QueueConsumer> queue_consumers;
  std::vector<QueuePush> queue_push;
  Mirror mirror;

  std::string unix_path() const {
    return node.unix_path.empty() ? node.data_dir + "/kv.sock" : node.unix_path;
  }
  std::string node_address() const {
    return worker.node.empty() ? "unix:" + unix_path() : worker.node;
  }
  // Under --dev without --dev-database nothing is done to the database.
  bool leaves_database_alone() const { return dev && dev_database.empty(); }
  std::string maildir_path() const {
    return mail.path.empty() ? worker.state_dir + "/maildir" : mail.path;
  }
  const std::vector<std::string>& class_monitor_crons() const {
    return class_monitor.crons.empty() ? triggers_crons : class_monitor.crons;
  }
  // The id in use: preview_id with --dev, if there is one.
  const std::string& id_of(const KvNamespace& kv) const {
    return dev && !kv.preview_id.empty() ? kv.preview_id : kv.id;
  }
  // The namespace of class states: mirror.namespace's binding, else the binding "KV", else the
  // first one. Empty: none is configured, and the worker runs from PostgreSQL alone.
  std::string worker_namespace_id() const {
    const std::string wanted = mirror.kv_namespace.empty() ? "KV" : mirror.kv_namespace;
    for (const KvNamespace& kv : kv_namespaces) {
      if (kv.binding == wanted) return id_of(kv);
    }
    return kv_namespaces.empty() ? std::string() : id_of(kv_namespaces.front());
  }
};

}  // namespace edged::config

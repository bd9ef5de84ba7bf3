// SPDX-License-Identifier: Apache-2.0
// The configuration that `edged init` begins with: comments for the person who edits it later, and
// empty values for what is asked. Keys that stay empty are removed.
#pragma once

namespace edged {

inline constexpr const char* kInitTemplate =
    R"(// The configuration of edged, begun by "edged init". docs/configuration.md lists every key.
// "edged check-config" finds mistakes, "edged doctor" checks the whole deployment.
// ${NAME} in a string is the environment variable NAME.
{
  // The key-value node. It listens on loopback only: 127.0.0.1:4780 (binary protocol), 4781
  // (REST API, health, metrics), 4782 (Workers binding) and <data_dir>/kv.sock.
  "node": {
    "data_dir": "",
    // "memory_budget": "256MiB",
    // "disk_quota": "10GiB",
  },
  // As in wrangler.jsonc. The worker keeps what it knows of sections in "KV".
  "kv_namespaces": [],
  "postgres": {
    // A URL of libpq. With a password in it nobody else may read this file; ${DATABASE_URL} works too.
    "url": "",
    // Behind a pooler in transaction mode: "session_state": false, and "listen_url" past it.
  },
  // When class-monitor runs: minute, hour, day of month, month, day of week; in UTC, unless
  // jobs.class-monitor.time_zone says more.
  "triggers": {
    "crons": [],
  },
  "worker": {
    "state_dir": "",
    // The address of the application, for the links in mails.
    "public_url": "",
    // For POST /cron/NAME and the Queues API: "cron_secret_file", "queue_secret_file".
  },
  // The service that knows the seats of a section.
  "upstream": {
    "type": "",
    "url": "",
  },
  // How mails leave: maildir, smtp or resend.
  "mail": {
    "transport": "",
    "from": "",
  },
}
)";

// The keys above that may be empty.
inline constexpr const char* kInitKeys[] = {"node.data_dir",
                                            "postgres.url",
                                            "worker.state_dir",
                                            "worker.public_url",
                                            "upstream.type",
                                            "upstream.url",
                                            "mail.transport",
                                            "mail.from"};

// The tables of class-monitor, as docs/mirror.md has them.
inline constexpr const char* kInitMirror = R"({
    // PostgreSQL's logical replication keeps these tables in the node, if the server allows it.
    "mode": "auto",
    "namespace": "KV",
    "rules": [
      { "table": "public.class_states", "key": "class_state:{class_nbr}", "value": { "row": true },
        "ttl": "1h" },
      { "table": "public.notifications_sent", "key": "notif:{class_watch_id}:{notification_type}",
        "value": { "const": "sent" }, "expires": "expires_at" },
    ],
  })";

}  // namespace edged

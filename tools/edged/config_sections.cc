// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/config_sections.h"

#include <string>

#include "tools/edged/config_needs.h"
#include "tools/edged/config_queues.h"

namespace edged::config {
namespace {

void read_node(const Json& json, ReadContext& context, bool lenient, Node& node) {
  ObjectReader reader(json, "node", context, lenient);
  reader.text("data_dir", node.data_dir);
  reader.choice("durability", {"wal", "sync"}, node.durability);
  reader.choice("recovery", {"strict", "cache"}, node.recovery);
  reader.size("memory_budget", node.memory_budget_bytes);
  if (json.find("hot_cache") != nullptr) {
    reader.size("hot_cache", node.hot_cache_bytes.emplace(0));
  } else {
    reader.ignore("hot_cache");  // known all the same
  }
  reader.size("disk_quota", node.disk_quota_bytes);
  reader.size("disk_reserve", node.disk_reserve_bytes);
  const Json* listen = json.find("listen");
  if (listen != nullptr && listen->kind == Json::Kind::kString) {
    node.listen.assign(1, "");
    reader.text("listen", node.listen.front());
  } else {
    reader.text_list("listen", node.listen);
  }
  reader.text("unix", node.unix_path);
  reader.text("http", node.http);
  reader.text("binding", node.binding);
  reader.text("redis", node.redis);
  reader.text_list("redis_databases", node.redis_databases);
  reader.text_list("http_hosts", node.http_hosts);
  reader.text("account_id", node.account_id);
  reader.text("worker_http", node.worker_http);
  reader.text("worker_secret", node.worker_secret);
  reader.text("worker_secret_file", node.worker_secret_file);
  if (const Json* found = reader.object("tls")) {
    ObjectReader tls(*found, reader.path_of("tls"), context, lenient);
    tls.text("certificate", node.tls_certificate);
    tls.text("key", node.tls_key);
    tls.finish();
  }
  reader.integer("io_threads", 0, kIoThreadsMax, node.io_threads);
  reader.duration("expiry_grace", node.expiry_grace);
  reader.finish();
}

void read_postgres(const Json& json, ReadContext& context, bool lenient, Postgres& postgres) {
  ObjectReader reader(json, "postgres", context, lenient);
  reader.text("url", postgres.url);
  reader.text("listen_url", postgres.listen_url);
  reader.integer("pool_size", 1, 64, postgres.pool_size);
  reader.duration("connect_timeout", postgres.connect_timeout);
  reader.duration("statement_timeout", postgres.statement_timeout);
  reader.boolean("session_state", postgres.session_state);
  reader.boolean("prepared_statements", postgres.prepared_statements);
  reader.finish();
}

void read_jobs(const Json& json, ReadContext& context, bool lenient, ClassMonitorJob& job) {
  ObjectReader jobs(json, "jobs", context, lenient);
  if (const Json* found = jobs.object("class-monitor")) {
    ObjectReader reader(*found, jobs.path_of("class-monitor"), context, lenient);
    reader.text_list("crons", job.crons);
    reader.text("time_zone", job.time_zone);
    reader.choice("misfire", {"none", "last"}, job.misfire);
    reader.choice("overlap", {"forbid"}, job.overlap);
    reader.duration("jitter", job.jitter);
    reader.duration_or("history", "forever", job.history);
    reader.boolean("touch_last_checked", job.touch_last_checked);
    reader.duration("past_term_after", job.past_term_after);
    reader.text_list("instructor_placeholders", job.instructor_placeholders);
    reader.finish();
  }
  jobs.finish();
}

void read_worker(const Json& json, ReadContext& context, Scope scope, Worker& worker) {
  ObjectReader reader(json, "worker", context, !uses_worker_section(scope));
  reader.text_list("roles", worker.roles);
  const UsedSections used = used_sections(scope, worker);
  reader.text("http", worker.http);
  reader.text_list("http_hosts", worker.http_hosts);
  reader.text("state_dir", worker.state_dir);
  reader.text("node", worker.node);
  reader.text("tls_ca", worker.tls_ca);
  reader.text("token_file", worker.token_file);
  reader.duration("node_timeout", worker.node_timeout);
  reader.text_if_used(used.cron_http, "cron_secret", worker.cron_secret);
  reader.text_if_used(used.cron_http, "cron_secret_file", worker.cron_secret_file);
  reader.text_if_used(used.queue, "queue_secret", worker.queue_secret);
  reader.text_if_used(used.queue, "queue_secret_file", worker.queue_secret_file);
  reader.text_if_used(used.mail, "public_url", worker.public_url);
  reader.finish();
}

void read_json_fields(const Json& json,
                      ReadContext& context,
                      bool lenient,
                      upstream::JsonFields& fields) {
  ObjectReader reader(json, "upstream.fields", context, lenient);
  reader.text("list", fields.list);
  reader.text("class_nbr", fields.class_nbr);
  reader.text("term", fields.term);
  reader.text("subject", fields.subject);
  reader.text("catalog_nbr", fields.catalog_nbr);
  reader.text("title", fields.title);
  reader.text("instructor", fields.instructor);
  reader.text("location", fields.location);
  reader.text("meeting_times", fields.meeting_times);
  reader.text("seats_available", fields.seats_available);
  reader.text("seats_capacity", fields.seats_capacity);
  reader.text("seats_taken", fields.seats_taken);
  reader.text("non_reserved_seats", fields.non_reserved_seats);
  reader.text("status", fields.status);
  reader.finish();
}

void read_zero_words(const Json& json,
                     ReadContext& context,
                     bool lenient,
                     upstream::ZeroWords& words) {
  ObjectReader reader(json, "upstream.zero_words", context, lenient);
  reader.text_list("seats_available", words.seats_available);
  reader.text_list("seats_capacity", words.seats_capacity);
  reader.text_list("seats_taken", words.seats_taken);
  reader.text_list("non_reserved_seats", words.non_reserved_seats);
  reader.finish();
}

void read_json_defaults(const Json& json,
                        ReadContext& context,
                        bool lenient,
                        upstream::JsonDefaults& defaults) {
  ObjectReader reader(json, "upstream.defaults", context, lenient);
  const auto read = [&](const char* key, std::optional<std::string>& value) {
    if (json.find(key) == nullptr) return reader.ignore(key);  // known all the same
    reader.text(key, value.emplace());
  };
  read("subject", defaults.subject);
  read("catalog_nbr", defaults.catalog_nbr);
  read("title", defaults.title);
  read("instructor", defaults.instructor);
  read("location", defaults.location);
  read("meeting_times", defaults.meeting_times);
  reader.finish();
}

void read_upstream(const Json& json, ReadContext& context, bool lenient, Upstream& upstream) {
  ObjectReader reader(json, "upstream", context, lenient);
  reader.choice("type", {"scraper", "json"}, upstream.type);
  reader.text("url", upstream.url);
  reader.text("token", upstream.token);
  reader.text("token_file", upstream.token_file);
  reader.text("tls_ca", upstream.tls_ca);
  reader.text("proxy", upstream.proxy);
  reader.text_list("redirects", upstream.redirects);
  if (const Json* fields = reader.object("fields")) {
    read_json_fields(*fields, context, lenient, upstream.fields);
  }
  if (const Json* defaults = reader.object("defaults")) {
    read_json_defaults(*defaults, context, lenient, upstream.defaults);
  }
  if (const Json* words = reader.object("zero_words")) {
    read_zero_words(*words, context, lenient, upstream.zero_words);
  }
  reader.text_list("cancelled_values", upstream.cancelled_values);
  reader.integer("concurrency", 1, 10'000, upstream.concurrency);
  reader.integer("retries", 0, 10, upstream.retries);
  reader.duration("timeout", upstream.timeout);
  reader.finish();
}

void read_mail(const Json& json, ReadContext& context, bool lenient, Mail& mail) {
  ObjectReader reader(json, "mail", context, lenient);
  reader.choice("transport", {"maildir", "smtp", "resend"}, mail.transport);
  reader.text("path", mail.path);
  reader.text("url", mail.url);
  reader.text("user", mail.user);
  reader.text("password", mail.password);
  reader.text("password_file", mail.password_file);
  reader.text("token", mail.token);
  reader.text("token_file", mail.token_file);
  reader.choice("tls", {"auto", "required", "off"}, mail.tls);
  reader.text("tls_ca", mail.tls_ca);
  reader.integer("concurrency", 1, 100, mail.concurrency);
  reader.integer("rate", 0, 10'000, mail.rate);
  reader.text("unsubscribe_secret", mail.unsubscribe_secret);
  reader.text("unsubscribe_secret_file", mail.unsubscribe_secret_file);
  reader.text("from", mail.from);
  reader.duration("valid_for", mail.valid_for);
  reader.finish();
}

MirrorRule read_mirror_rule(ObjectReader& reader, ReadContext& context, bool lenient) {
  MirrorRule rule;
  for (const char* key : {"table", "key", "value"}) reader.require(key);
  reader.text("table", rule.table);
  reader.text("key", rule.key);
  reader.duration("ttl", rule.ttl);
  reader.text("expires", rule.expires);
  if (const Json* json = reader.object("value")) {
    ObjectReader value(*json, reader.path_of("value"), context, lenient);
    std::string text;
    value.boolean("row", rule.row);
    value.text("column", text);
    if (value.has("column")) rule.column = text;
    text.clear();
    value.text("const", text);
    if (value.has("const")) rule.constant = text;
    value.finish();
    const int kinds = (rule.row ? 1 : 0) + (rule.column ? 1 : 0) + (rule.constant ? 1 : 0);
    if (kinds != 1) {
      context.complain(reader.path_of("value"),
                       "must be one of {\"row\": true}, {\"column\": NAME} and {\"const\": TEXT}");
    }
  }
  return rule;
}

void read_mirror(const Json& json, ReadContext& context, bool lenient, Mirror& mirror) {
  mirror.configured = true;
  ObjectReader reader(json, "mirror", context, lenient);
  reader.choice("mode", {"auto", "logical", "cache-aside"}, mirror.mode);
  reader.text("namespace", mirror.kv_namespace);
  reader.text("url", mirror.url);
  reader.text("slot", mirror.slot);
  reader.text("publication", mirror.publication);
  reader.boolean("temporary_slot", mirror.temporary_slot);
  reader.duration("heartbeat", mirror.heartbeat);
  if (const Json* array = reader.array("rules")) {
    for_each_object(*array, "mirror.rules", context, lenient, false, [&](ObjectReader& element) {
      mirror.rules.push_back(read_mirror_rule(element, context, lenient));
    });
  }
  reader.finish();
}

}  // namespace

void read_shared_keys(ObjectReader& top, ReadContext& context, bool tolerant, Config& config) {
  if (const Json* array = top.array("kv_namespaces")) {
    for_each_object(*array, "kv_namespaces", context, false, tolerant, [&](ObjectReader& reader) {
      KvNamespace kv;
      reader.require("binding");
      if (!tolerant) reader.require("id");
      reader.text("binding", kv.binding);
      reader.text("id", kv.id);
      reader.text("preview_id", kv.preview_id);
      config.kv_namespaces.push_back(std::move(kv));
    });
  }
  if (const Json* object = top.object("triggers")) {
    ObjectReader reader(*object, "triggers", context);
    reader.text_list("crons", config.triggers_crons);
    reader.finish(tolerant);
  }
  if (const Json* queues = top.object("queues")) read_queues(*queues, context, tolerant, config);
}

std::string read_document(const Json& document, Scope scope, ReadContext& context, Config& config) {
  ObjectReader top(document, "", context);
  std::string wrangler;
  std::string level = "info";
  top.ignore("$schema");
  // First: the worker's roles decide which sections are used.
  if (const Json* json = top.object("worker")) read_worker(*json, context, scope, config.worker);
  const UsedSections used = used_sections(scope, config.worker);
  if (const Json* json = top.object("node")) read_node(*json, context, !used.node, config.node);
  read_shared_keys(top, context, false, config);
  if (const Json* json = top.object("postgres")) {
    read_postgres(*json, context, !used.postgres, config.postgres);
  }
  if (const Json* json = top.object("jobs")) {
    read_jobs(*json, context, !used.jobs, config.class_monitor);
  }
  if (const Json* json = top.object("upstream")) {
    read_upstream(*json, context, !used.upstream, config.upstream);
  }
  if (const Json* json = top.object("mail")) read_mail(*json, context, !used.mail, config.mail);
  if (const Json* json = top.array("queue_push")) {
    read_queue_push(*json, context, !used.queue, config);
  }
  if (const Json* json = top.object("mirror")) {
    read_mirror(*json, context, !used.mirror, config.mirror);
  }
  top.choice("log_level", {"debug", "info", "warn", "error", "off"}, level);
  log::parse_level(level, config.log_level);
  top.text("wrangler", wrangler);
  for (const char* key : {"kv_namespaces", "triggers", "queues"}) {
    if (!wrangler.empty() && top.has(key)) {
      context.complain(key, "is also read from the wrangler file. Keep one of the two");
    }
  }
  top.finish();
  return wrangler;
}

}  // namespace edged::config

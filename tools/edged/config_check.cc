// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/config_check.h"

#include <algorithm>
#include <array>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <set>

#include "proto/base/read_file.h"
#include "proto/base/secret_file.h"
#include "proto/http/own_host.h"
#include "proto/net/tls.h"
#include "tools/edged/answer_words_check.h"
#include "tools/edged/config_addresses.h"
#include "tools/edged/config_mail.h"
#include "tools/edged/config_needs.h"
#include "tools/edged/config_queues.h"
#include "worker/cron/schedule.h"
#include "worker/mirror/rule.h"

namespace edged::config {
namespace {

constexpr std::uint64_t kMemoryBudgetBytesMin = 8ULL << 20;  // storage's own lower bound
// A log and the tables it becomes must fit.
constexpr std::uint64_t kDiskQuotaBytesMin = 64ULL << 20;
// As long as a claim of notifications_sent lasts.
constexpr std::chrono::hours kHistoryMin{24};
constexpr std::size_t kPemBytesMax = 16 << 20;

std::string quoted(const std::string& text) {
  return "\"" + text + "\"";
}

// Cloudflare's are 32 hexadecimal digits; a node may call its account as it likes.
bool is_account_id(const std::string& text) {
  return text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_';
         });
}

void check_namespaces(const Config& config, ReadContext& context) {
  std::set<std::string> bindings;
  for (std::size_t i = 0; i < config.kv_namespaces.size(); ++i) {
    const KvNamespace& kv = config.kv_namespaces[i];
    const std::string path = "kv_namespaces[" + std::to_string(i) + "]";
    if (kv.binding.empty()) context.complain(path + ".binding", "is empty");
    if (!bindings.insert(kv.binding).second) {
      context.complain(path + ".binding", quoted(kv.binding) + " is used twice");
    }
    if (!is_namespace_id(kv.id)) {
      context.complain(path + ".id", quoted(kv.id) + " is not 32 lower-case hexadecimal digits");
    }
    if (!kv.preview_id.empty() && !is_namespace_id(kv.preview_id)) {
      context.complain(path + ".preview_id",
                       quoted(kv.preview_id) + " is not 32 lower-case hexadecimal digits");
    }
  }
}

void check_node(const Config& config, ReadContext& context) {
  const Node& node = config.node;
  if (node.data_dir.empty()) context.complain("node.data_dir", "is empty");
  if (node.memory_budget_bytes < kMemoryBudgetBytesMin) {
    context.complain("node.memory_budget", "is less than 8MiB");
  }
  if (node.hot_cache_bytes &&
      *node.hot_cache_bytes + kMemoryBudgetBytesMin > node.memory_budget_bytes) {
    context.complain("node.hot_cache", "leaves less than 8MiB of node.memory_budget");
  }
  if (node.disk_quota_bytes != 0 && node.disk_quota_bytes < kDiskQuotaBytesMin) {
    context.complain("node.disk_quota", "is less than 64MiB");
  }
  for (std::size_t i = 0; i < node.listen.size(); ++i) {
    check_address("node.listen[" + std::to_string(i) + "]", node.listen[i], config, &node, context);
  }
  check_address("node.http", node.http, config, &node, context);
  check_binding(config, context);
  check_redis(config, context);
  check_http_hosts("node.http_hosts", node.http_hosts, context);
  if (!is_account_id(node.account_id)) {
    context.complain("node.account_id",
                     quoted(node.account_id) +
                         " is not an account id: at most 64 letters, digits, \"-\" and \"_\"");
  }
  if (node.tls_certificate.empty() != node.tls_key.empty()) {
    context.complain("node.tls", "names only one of certificate and key. TLS needs both");
  }
  check_unix_path("node.unix", config.unix_path(), context);
  check_secret("node.worker_secret", node.worker_secret, node.worker_secret_file, context);
  check_worker_http(config, context);
}

void check_crons(const Config& config, bool expects_worker, ReadContext& context) {
  const ClassMonitorJob& job = config.class_monitor;
  const auto zone = worker::TimeZone::load(job.time_zone);
  if (!zone) {
    context.complain("jobs.class-monitor.time_zone", zone.error().message());
    return;
  }
  const std::string path = job.crons.empty() ? "triggers.crons" : "jobs.class-monitor.crons";
  const std::vector<std::string>& crons = config.class_monitor_crons();
  for (std::size_t i = 0; i < crons.size(); ++i) {
    const auto schedule = worker::Schedule::parse(crons[i], *zone);
    const std::string place = path + "[" + std::to_string(i) + "]";
    if (!schedule) context.complain(place, schedule.error().message());
    if (schedule && !schedule->warning().empty()) {
      context.warnings.push_back(place + ": " + schedule->warning());
    }
  }
  if (job.history && *job.history < kHistoryMin) {
    context.complain("jobs.class-monitor.history",
                     "is less than 24h, the time for which a notification is not sent again");
  }
  if (crons.empty() && expects_worker) {
    context.warnings.push_back(
        "jobs.class-monitor: no crons are configured, so it runs only when it is triggered");
  }
}

// Nothing may be left of it that curl would complain of, since that holds the password.
bool is_proxy_url(const std::string& text) {
  constexpr std::array kSchemes{"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
  const auto url = boost::urls::parse_uri(text);
  if (!url || url->host().empty()) return false;
  if (url->has_port() && !is_host_port("h:" + std::string(url->port()))) return false;
  const bool bare =
      (url->path().empty() || url->path() == "/") && !url->has_query() && !url->has_fragment();
  return bare && std::find(kSchemes.begin(), kSchemes.end(), url->scheme()) != kSchemes.end();
}

void check_redirects(const std::vector<std::string>& hosts, ReadContext& context) {
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (http::parse_authority(hosts[i])) continue;
    context.complain("upstream.redirects[" + std::to_string(i) + "]",
                     quoted(hosts[i]) + " is neither HOST nor HOST:PORT");
  }
}

void check_upstream(const Config& config, ReadContext& context) {
  const std::string& address = config.upstream.url;
  if (!address.empty() && !is_http_url(address)) {
    context.complain("upstream.url", "is not an http or https URL");
  }
  check_secret("upstream.token", config.upstream.token, config.upstream.token_file, context);
  if (config.upstream.type == "json" && !address.empty()) {
    const std::string fields = upstream::check_json_fields(config.upstream.fields);
    if (!fields.empty()) context.complain("upstream.fields", fields);
    const std::string url = upstream::check_url_template(config.upstream.url);
    if (!url.empty()) context.complain("upstream.url", url);
  }
  check_answer_words(config.upstream, context);
  check_redirects(config.upstream.redirects, context);
  const std::string& ca = config.upstream.tls_ca;
  const auto ca_file = ca.empty() ? FileContent() : read_small_file(ca, kPemBytesMax);
  if (!ca_file) {
    context.complain("upstream.tls_ca",
                     "could not read " + quoted(ca) + ": " + ca_file.error().message());
  }
  if (!config.upstream.proxy.empty() && !is_proxy_url(config.upstream.proxy)) {
    context.complain("upstream.proxy",
                     "is not a proxy's URL, as http://HOST:PORT or socks5h://HOST:PORT; in user "
                     "and password %, /, #, ? and blanks are percent-encoded");
  }
}

// As PostgreSQL takes them for slots.
bool is_slot_name(const std::string& name) {
  const bool plain =
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  return plain && name.size() <= 54;  // of 63; a temporary slot adds 9
}

void check_mirror_names(const Mirror& mirror, ReadContext& context) {
  if (!is_slot_name(mirror.slot)) {
    context.complain("mirror.slot", quoted(mirror.slot) + " is not 1 to 54 of a-z, 0-9 and _");
  }
  if (mirror.publication.size() > 63) {
    context.complain("mirror.publication", "is longer than 63 bytes");
  }
  if (mirror.heartbeat < std::chrono::milliseconds(10) ||
      mirror.heartbeat > std::chrono::minutes(1)) {
    context.complain("mirror.heartbeat", "is not between 10ms and 1m");
  }
}

void check_mirror(const Config& config, ReadContext& context) {
  const Mirror& mirror = config.mirror;
  std::vector<mirror::Rule> rules;
  for (std::size_t i = 0; i < mirror.rules.size(); ++i) {
    const MirrorRule& rule = mirror.rules[i];
    const std::string path = "mirror.rules[" + std::to_string(i) + "].";
    const auto table = mirror::parse_table_name(rule.table);
    const auto key = mirror::KeyTemplate::parse(rule.key);
    if (!table) context.complain(path + "table", table.error().message());
    if (!key) context.complain(path + "key", key.error().message());
    if (rule.column && rule.column->empty()) context.complain(path + "value.column", "is empty");
    if (table && key) rules.push_back({*table, *key, {}, rule.ttl, rule.expires});
  }
  const Status together = mirror::check_rules_together(rules);
  if (!together.ok()) context.complain("mirror.rules", together.message());
  check_mirror_names(mirror, context);
  if (mirror.mode == "logical" && mirror.rules.empty()) {
    context.complain("mirror.rules", "is missing or empty");
  }
  if (mirror.mode == "logical" && !config.postgres.session_state && mirror.url.empty()) {
    context.complain(
        "mirror.url",
        "is missing: postgres.session_state is false, which means a pooler, and a pooler "
        "does not pass replication on. Write the URL of PostgreSQL itself");
  }
  if (mirror.mode == "logical" && !mirror.rules.empty() && config.worker_namespace_id().empty()) {
    context.complain("mirror", "needs an entry of kv_namespaces");
  }
  for (std::size_t i = 0; i < rules.size() && mirror.mode != "cache-aside"; ++i) {
    if (!rules[i].key.prefix().empty()) continue;
    context.complain("mirror.rules[" + std::to_string(i) + "].key",
                     "must begin with text: it marks the keys that belong to the mirror");
  }
  const auto is_named = [&](const KvNamespace& kv) { return kv.binding == mirror.kv_namespace; };
  if (!mirror.kv_namespace.empty() &&
      std::none_of(config.kv_namespaces.begin(), config.kv_namespaces.end(), is_named)) {
    context.complain("mirror.namespace",
                     "no entry of kv_namespaces has the binding " + quoted(mirror.kv_namespace));
  }
}

void check_timeouts(const Config& config, const UsedSections& used, ReadContext& context) {
  struct Timeout {
    bool used;
    const char* path;
    std::chrono::milliseconds value;
  };
  for (const Timeout& timeout :
       {Timeout{used.postgres, "postgres.connect_timeout", config.postgres.connect_timeout},
        Timeout{used.postgres, "postgres.statement_timeout", config.postgres.statement_timeout},
        Timeout{used.worker, "worker.node_timeout", config.worker.node_timeout},
        Timeout{used.upstream, "upstream.timeout", config.upstream.timeout}}) {
    if (timeout.used && timeout.value.count() == 0) {
      context.complain(timeout.path, "must be more than 0");
    }
  }
}

// What libpq would refuse later, with the URL in its message.
void check_postgres_url(const std::string& path, const std::string& url, ReadContext& context) {
  if (url.empty() || !context.check_postgres_url) return;
  const std::string wrong = context.check_postgres_url(url);
  if (!wrong.empty()) context.complain(path, wrong);
}

void check_worker(const Config& config,
                  const UsedSections& used,
                  bool expects_worker,
                  ReadContext& context) {
  const Worker& worker = config.worker;
  check_roles(config, context);
  check_address("worker.http", worker.http, config, nullptr, context);
  check_http_hosts("worker.http_hosts", worker.http_hosts, context);
  if (worker.state_dir.empty()) context.complain("worker.state_dir", "is empty");
  if (!worker.node.empty() && worker.node.rfind("unix:", 0) != 0 &&
      !is_host_port(net::split_transport(worker.node).host_port)) {
    context.complain("worker.node",
                     quoted(worker.node) + " is neither unix:PATH nor HOST:PORT nor tls:HOST:PORT");
  }
  if (!worker.public_url.empty() && !is_http_url(worker.public_url)) {
    context.complain("worker.public_url", "is not an http or https URL");
  }
  if (used.cron_http && worker.has_role(kRoleCron)) {
    check_secret("worker.cron_secret", worker.cron_secret, worker.cron_secret_file, context);
    if (expects_worker && worker.cron_secret.empty() && worker.cron_secret_file.empty()) {
      context.warnings.push_back("worker.cron_secret: is not set; POST /cron/NAME is refused");
    }
  }
  if (used.queue && worker.has_role(kRoleQueue)) {
    check_secret("worker.queue_secret", worker.queue_secret, worker.queue_secret_file, context);
  }
}

}  // namespace

bool is_namespace_id(std::string_view text) {
  return text.size() == 32 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_http_url(const std::string& url) {
  return url.rfind("http://", 0) == 0 || url.rfind("https://", 0) == 0;
}

void check_secret(const std::string& path,
                  const std::string& inline_secret,
                  const std::string& file,
                  ReadContext& context) {
  if (file.empty()) return;
  if (!inline_secret.empty()) {
    context.complain(path + "_file", "and " + path + " exclude each other. Keep one of the two");
    return;
  }
  const Result<std::string> secret = read_secret_file(file);
  if (!secret) context.complain(path + "_file", secret.error().message());
}

void check_config(const Config& config, Scope scope, ReadContext& context) {
  check_namespaces(config, context);
  const UsedSections used = used_sections(scope, config.worker);
  check_timeouts(config, used, context);
  if (used.node) check_node(config, context);
  if (used.postgres) check_postgres_url("postgres.url", config.postgres.url, context);
  // The configuration of a node alone is not warned of what a worker would miss.
  const bool expects_worker = scope != Scope::kCheck || missing_for(Scope::kWorker, config).empty();
  if (used.worker) check_worker(config, used, expects_worker, context);
  if (used.jobs && config.worker.has_role(kRoleCron)) {
    check_crons(config, expects_worker, context);
  }
  if (used.upstream) check_upstream(config, context);
  if (used.mail) check_mail(config, context);
  if (used.queue) {
    check_queues(config, context);
    check_postgres_url("postgres.listen_url", config.postgres.listen_url, context);
  }
  if (used.mirror) {
    check_postgres_url("mirror.url", config.mirror.url, context);
    check_mirror(config, context);
  }
  for (const MissingKey& key : missing_for(scope, config)) context.complain(key.path, key.message);
}

}  // namespace edged::config

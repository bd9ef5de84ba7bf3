// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/start_summary.h"

#include <algorithm>

#include "tools/edged/config_addresses.h"

namespace edged::config {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text.append(text.empty() ? "" : ", ").append(part);
  return text;
}

// The node's addresses for peers that are not on the unix socket.
std::vector<std::string> addresses_of(const Config& config) {
  std::vector<std::string> all = config.node.listen;
  all.push_back(config.node.http);
  const std::string& binding = config.node.binding;
  if (binding != kBindingOff && !binding.starts_with("unix:")) {
    all.push_back(binding.empty() ? std::string(kBindingDefault) : binding);
  }
  const std::string& redis = config.node.redis;
  if (!redis.empty() && !redis.starts_with("unix:")) all.push_back(redis);
  return all;
}

bool is_outside(const std::string& address) {
  return !is_loopback(address.starts_with("tls:") ? address.substr(4) : address);
}

std::string what_node_does(const Config& config) {
  const Node& node = config.node;
  std::string text = "node: data in " + node.data_dir + "; binary protocol on " +
                     joined(node.listen) + " and unix:" + config.unix_path();
  text.append("; dashboard, REST API, health and metrics on ").append(node.http);
  if (!node.redis.empty()) text.append("; Redis protocol on ").append(node.redis);
  const std::string& binding = node.binding;
  if (binding == kBindingOff) return text + "; no Workers binding";
  text += "; Workers binding on ";
  return text + (binding.empty() ? std::string(kBindingDefault) : binding);
}

std::string what_worker_does(const Config& config) {
  const Worker& worker = config.worker;
  std::string text =
      std::string("worker: roles ") + joined(worker.roles) + "; HTTP on " + worker.http;
  text.append("; state in ").append(worker.state_dir);
  if (worker.has_role(kRoleCron)) {
    const std::vector<std::string>& crons = config.class_monitor_crons();
    text += crons.empty() ? "; no schedule" : "; class-monitor runs at ";
    for (std::size_t i = 0; i < crons.size(); ++i) {
      text.append(i == 0 ? "\"" : ", \"").append(crons[i]).append("\"");
    }
  }
  if (worker.has_role(kRoleMail)) {
    text += config.mail.transport == "maildir"
                ? std::string("; mails are written to ") + config.maildir_path()
                : "; mails leave by " + config.mail.transport;
  }
  return text;
}

std::string who_reaches(const Config& config, const StartFacts& facts) {
  std::vector<std::string> addresses;
  if (facts.runs != Runs::kWorker) addresses = addresses_of(config);
  if (facts.runs != Runs::kNode) addresses.push_back(config.worker.http);
  std::vector<std::string> open, encrypted;
  for (const std::string& address : addresses) {
    if (!is_outside(address)) continue;
    (address.starts_with("tls:") ? encrypted : open).push_back(address);
  }
  std::string text = "exposed: ";
  if (open.empty() && encrypted.empty()) {
    text += "nothing; only programs of this machine reach these addresses";
  }
  if (!open.empty()) text += std::string("other machines reach ") + joined(open) + " without TLS";
  if (!encrypted.empty()) {
    text.append(open.empty() ? "" : ", and ");
    text.append("other machines reach ").append(joined(encrypted)).append(" with TLS");
  }
  if (facts.runs == Runs::kWorker) return text;
  return text + (facts.has_tokens
                     ? "; clients of the node need a token"
                     : "; there is no token, so who reaches the node may do everything");
}

std::vector<std::string> missing_of_worker(const Config& config) {
  const Worker& worker = config.worker;
  std::vector<std::string> missing;
  if (worker.has_role(kRoleCron)) {
    if (config.class_monitor_crons().empty()) {
      missing.emplace_back("triggers.crons (class-monitor runs only when it is triggered)");
    }
    if (worker.cron_secret.empty() && worker.cron_secret_file.empty()) {
      missing.emplace_back("worker.cron_secret_file (POST /cron/NAME is refused)");
    }
  }
  if (worker.has_role(kRoleMail)) {
    if (config.mail.transport == "maildir") {
      missing.emplace_back("a mail.transport that leaves this machine");
    }
    if (worker.public_url.empty()) {
      missing.emplace_back("worker.public_url (mails carry no link)");
    }
    if (config.upstream.url.empty()) {
      missing.emplace_back("upstream.url (late mails are judged by PostgreSQL alone)");
    }
  }
  if (config.kv_namespaces.empty()) {
    missing.emplace_back("kv_namespaces (class states are kept in PostgreSQL alone)");
  }
  if (worker.has_role(kRoleMirror) && !config.mirror.configured) {
    missing.emplace_back("mirror (no tables are kept in the node)");
  }
  return missing;
}

}  // namespace

std::vector<std::string> start_summary(const Config& config, const StartFacts& facts) {
  std::vector<std::string> lines;
  if (facts.runs != Runs::kWorker) lines.push_back(what_node_does(config));
  if (facts.runs != Runs::kNode) {
    lines.push_back(config.leaves_database_alone() ? "worker: HTTP on " + config.worker.http +
                                                         "; --dev: it leaves the database alone"
                                                   : what_worker_does(config));
  }
  lines.push_back(who_reaches(config, facts));
  if (facts.runs == Runs::kNode || config.leaves_database_alone()) return lines;
  const std::vector<std::string> missing = missing_of_worker(config);
  if (!missing.empty()) lines.push_back(std::string("not configured: ") + joined(missing));
  return lines;
}

}  // namespace edged::config

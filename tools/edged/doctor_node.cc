// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/doctor_node.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "kvstore/access/token_file.h"
#include "proto/net/blocking_client.h"
#include "proto/net/tls.h"
#include "tools/edged/config_addresses.h"
#include "tools/edged/doctor_machine.h"

namespace edged::doctor {
namespace {

using std::chrono::hours;

constexpr hours kTokenNotice{7 * 24}, kCertificateNotice{14 * 24};

std::string quoted(const std::string& text) {
  return "\"" + text + "\"";
}

// One address that a node listens on.
struct Face {
  std::string key;
  std::string address;
};

std::vector<Face> faces_of(const config::Config& config) {
  std::vector<Face> faces;
  for (const std::string& address : config.node.listen) faces.push_back({"node.listen", address});
  faces.push_back({"node.http", config.node.http});
  const std::string& binding = config.node.binding;
  if (binding != config::kBindingOff && !binding.starts_with("unix:")) {
    faces.push_back(
        {"node.binding", binding.empty() ? std::string(config::kBindingDefault) : binding});
  }
  const std::string& redis = config.node.redis;
  if (!redis.empty() && !redis.starts_with("unix:")) faces.push_back({"node.redis", redis});
  return faces;
}

bool has_tokens(const config::Config& config) {
  const auto tokens = access::read_token_file(access::token_file_in(config.node.data_dir));
  return tokens && !tokens->empty();
}

void tell_token(const access::Token& token,
                const std::string& data_dir,
                WallTime now,
                Report& report) {
  const access::Grant& grant = token.grant;
  if (!grant.expires_at || *grant.expires_at - now > kTokenNotice) return;
  const auto left = std::chrono::duration_cast<hours>(*grant.expires_at - now).count();
  const std::string revoke = "kvctl token --data " + data_dir + " revoke " + grant.id;
  if (grant.expired(now)) {
    report.warn("tokens",
                std::string("token ") + quoted(grant.name) + " has expired: it opens nothing",
                revoke);
    return;
  }
  report.warn(
      "tokens",
      std::string("token ") + quoted(grant.name) + " expires in " + std::to_string(left) + " hours",
      "create another one, give it to its user, then: " + revoke);
}

// The worker's view: it shows its token, and asks for a page of its namespace.
net::ClientOptions client_options(const config::Config& config) {
  net::ClientOptions options;
  options.address = config.node_address();
  options.tls_ca_file = config.worker.tls_ca;
  options.credential_file = config.worker.token_file;
  options.call_timeout = std::max(config.worker.node_timeout, std::chrono::milliseconds(2'000));
  return options;
}

void tell_failure(const config::Config& config, const Status& failure, Report& report) {
  const std::string at = std::string("the node at ") + config.node_address();
  const std::string& file = config.worker.token_file;
  if (failure.code() == Code::kUnauthenticated) {
    report.error("node",
                 at + (file.empty() ? " wants a token, and worker.token_file is not set"
                                    : " does not take the token in worker.token_file"),
                 "kvctl token create worker --scope read,write,delete,list,admin; put the secret "
                 "into a file that only the worker's user can read, and name it in "
                 "worker.token_file");
    return;
  }
  if (failure.code() == Code::kDenied) {
    report.error("node",
                 at + " does not allow what the worker asks for: " + failure.message(),
                 "kvctl token create worker --scope read,write,delete,list,admin");
    return;
  }
  report.warn("node",
              std::string("no node answers at ") + config.node_address() + ": " + failure.message(),
              config.file.empty() ? "edged node" : "edged serve -c " + config.file);
}

void check_namespaces(const config::Config& config, net::BlockingClient& client, Report& report) {
  for (const config::KvNamespace& kv : config.kv_namespaces) {
    net::KvListRequest request;
    request.limit = 1;
    const auto page = client.list(config.id_of(kv), std::move(request));
    if (page.code() == Code::kNamespaceNotFound || page.code() == Code::kNotFound) {
      report.error("node",
                   std::string("namespace ") + config.id_of(kv) + " (binding " +
                       quoted(kv.binding) + ") does not exist in the node",
                   "kvctl namespace create " + kv.binding + " --id " + config.id_of(kv));
    } else if (!page && page.code() != Code::kStale) {
      tell_failure(config, page.error(), report);
      return;
    }
  }
}

}  // namespace

void check_tokens(const config::Config& config, WallTime now, Report& report) {
  const std::string path = access::token_file_in(config.node.data_dir);
  const auto tokens = access::read_token_file(path);
  if (tokens.code() == Code::kNotFound) {
    report.note("tokens", "there are none: who reaches an address of the node may do everything");
    return;
  }
  if (!tokens) {
    report.error("tokens",
                 tokens.error().message(),
                 tokens.code() == Code::kDenied ? "chmod 600 " + path : "kvctl token --help");
    return;
  }
  for (const access::Token& token : *tokens) tell_token(token, config.node.data_dir, now, report);
  report.ok("tokens", std::to_string(tokens->size()) + " in " + path);
}

void check_certificate(const config::Config& config, WallTime now, Report& report) {
  if (config.node.tls_certificate.empty() || config.node.tls_key.empty()) return;
  const auto tls = net::ServerTls::load({config.node.tls_certificate, config.node.tls_key});
  if (!tls) {
    report.error("certificate",
                 tls.error().message(),
                 "see node.tls.certificate and node.tls.key; then: edged check-config");
    return;
  }
  const auto until = std::chrono::time_point_cast<std::chrono::milliseconds>((*tls)->expires_at());
  const auto left = until - now;
  const std::string days = std::to_string(std::chrono::duration_cast<hours>(left).count() / 24);
  const std::string fix = "replace " + config.node.tls_certificate + " and " + config.node.tls_key +
                          ", then send SIGHUP to the node";
  if (left.count() <= 0) {
    report.error("certificate", "it has expired: clients refuse it", fix);
  } else if (left < kCertificateNotice) {
    report.warn("certificate", "it expires in " + days + " days", fix);
  } else {
    report.ok("certificate", "it is valid for " + days + " days");
  }
}

void check_exposure(const config::Config& config, Report& report) {
  const bool tokens = has_tokens(config);
  for (const Face& face : faces_of(config)) {
    const bool tls = face.address.starts_with("tls:");
    const std::string host_port = tls ? face.address.substr(4) : face.address;
    const std::string named = face.key + " " + face.address;
    if (config::is_loopback(host_port)) {
      report.ok("exposure", named + " is for programs of this machine");
      continue;
    }
    if (!tls) {
      report.warn("exposure",
                  named +
                      " can be reached by other machines without TLS: keys, values and tokens "
                      "are readable on the way",
                  "set " + face.key + " to \"tls:" + host_port +
                      "\" and node.tls to certificate and key; or to a loopback address");
    }
    if (!tokens) {
      report.error("exposure",
                   named + " can be reached by other machines, and there is no token",
                   "kvctl token create NAME --scope admin --data " + config.node.data_dir);
    }
    if (tls && tokens) report.ok("exposure", named + " speaks TLS and wants a token");
  }
}

void check_worker_exposure(const config::Config& config, Report& report) {
  const std::string& address = config.worker.http;
  const bool triggers =
      !config.worker.cron_secret.empty() || !config.worker.cron_secret_file.empty();
  if (config::is_loopback(address)) {
    report.ok(
        "exposure",
        "worker.http " + address + " is for programs of this machine" +
            (triggers ? "" : "; POST /cron/NAME is refused, because there is no cron_secret"));
    return;
  }
  report.warn("exposure",
              "worker.http " + address + " can be reached by other machines without TLS",
              "set worker.http to a loopback address, with a proxy before it that speaks TLS");
}

void check_running_node(const config::Config& config, Report& report) {
  net::BlockingClient client(client_options(config));
  const Status answer = client.ping();
  if (!answer.ok()) {
    tell_failure(config, answer, report);
    return;
  }
  const std::size_t before = report.findings().size();
  check_namespaces(config, client, report);
  if (report.findings().size() == before) {
    report.ok("node",
              std::string("answers at ") + config.node_address() +
                  " and has the namespaces of the "
                  "configuration");
  }
}

void check_node(const config::Config& config, const Clock& clock, Report& report) {
  check_node_disk(config, report);
  check_descriptors(report);
  check_tokens(config, clock.wall_now(), report);
  check_certificate(config, clock.wall_now(), report);
  check_exposure(config, report);
  check_running_node(config, report);
}

}  // namespace edged::doctor

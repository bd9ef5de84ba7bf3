// SPDX-License-Identifier: Apache-2.0
// The addresses of the configuration: which forms they may have, and which need TLS. Pure; any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/edged/config.h"
#include "tools/edged/config_reader.h"

namespace edged::config {

// "127.0.0.1:4780", "[::1]:0", "localhost:80": false if there is no host or the port is none.
bool is_host_port(std::string_view address);
// True for an address of this machine's loopback only.
bool is_loopback(std::string_view host_port);

// These complain in `context`; `path` is the key.
// `tls` null: TLS is not spoken there at all.
void check_address(const std::string& path,
                   const std::string& address,
                   const Config& config,
                   const Node* tls,
                   ReadContext& context);
void check_http_hosts(const std::string& path,
                      const std::vector<std::string>& hosts,
                      ReadContext& context);
void check_unix_path(const std::string& path, const std::string& value, ReadContext& context);
void check_binding(const Config& config, ReadContext& context);
void check_redis(const Config& config, ReadContext& context);
void check_worker_http(const Config& config, ReadContext& context);

// The worker whose Queues API the node passes requests on to.
struct WorkerOfNode {
  std::string url;                  // "http://HOST:PORT", "https://HOST": no slash at its end
  std::string secret, secret_file;  // one of them is empty
  std::string file_key;             // what names secret_file: "node.worker_secret_file"
};
// Address and secret are those of the section `node`; what is not there is taken from a worker of
// the same file that serves queues. Nothing: no secret is configured, or no address is known.
std::optional<WorkerOfNode> worker_of_node(const Config& config);

}  // namespace edged::config

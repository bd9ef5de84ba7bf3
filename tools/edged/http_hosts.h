// SPDX-License-Identifier: Apache-2.0
// The names under which the programs' HTTP addresses may be asked (proto/http/own_host.h): those
// that the configuration has. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "tools/edged/config.h"

namespace edged::config {

// node.http_hosts, and the host of node.http.
std::vector<std::string> node_http_hosts(const Config& config);
// node.http_hosts, and the host of node.binding.
std::vector<std::string> node_binding_hosts(const Config& config);
// worker.http_hosts, and the hosts of worker.http and worker.public_url.
std::vector<std::string> worker_http_hosts(const Config& config);

}  // namespace edged::config

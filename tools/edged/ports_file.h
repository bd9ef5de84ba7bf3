// SPDX-License-Identifier: Apache-2.0
// <data_dir>/ports.json: the addresses a running node can be reached at. Blocks on disk.
#pragma once

#include <string>
#include <vector>

#include "proto/base/status.h"

namespace edged {

struct NodePorts {
  std::vector<std::string> listen;
  std::string unix_path;
  std::string http;
  std::string binding;  // empty: none
  std::string redis;    // empty: none
};

// {"listen":["127.0.0.1:4780"],"unix":"/var/lib/edged/kv.sock","http":"127.0.0.1:4781",
//  "binding":"127.0.0.1:4782"}
std::string render_ports(const NodePorts& ports);

// Replaces `path` in one step. Errors: kIoError.
Status write_ports_file(const std::string& path, const NodePorts& ports);

}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/ports_file.h"

#include <boost/json.hpp>

#include "proto/base/atomic_file.h"
#include "proto/json/write_json.h"

namespace edged {

std::string render_ports(const NodePorts& ports) {
  boost::json::array listen;
  for (const std::string& address : ports.listen) listen.emplace_back(address);
  boost::json::object object;
  object["listen"] = std::move(listen);
  object["unix"] = ports.unix_path;
  object["http"] = ports.http;
  if (!ports.binding.empty()) object["binding"] = ports.binding;
  if (!ports.redis.empty()) object["redis"] = ports.redis;
  return write_json(object);
}

Status write_ports_file(const std::string& path, const NodePorts& ports) {
  return replace_file(path, render_ports(ports) + "\n");
}

}  // namespace edged

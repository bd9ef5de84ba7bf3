// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/ports_file.h"

#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace edged {

std::string render_ports(const NodePorts& ports) {
  boost::json::array listen;
  for (const std::string& address : ports.listen) listen.emplace_back(address);
  boost::json::object object;
  object["listen"] = std::move(listen);
  object["unix"] = ports.unix_path;
  object["http"] = ports.http;
  return boost::json::serialize(object);
}

Status write_ports_file(const std::string& path, const NodePorts& ports) {
  const std::string temporary = path + ".new";
  std::ofstream file(temporary, std::ios::trunc);
  file << render_ports(ports) << '\n';
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return {Code::kIoError, "could not write \"" + path + "\": " + std::strerror(errno)};
  }
  return {};
}

}  // namespace edged

// SPDX-License-Identifier: Apache-2.0
#include "proto/http/host_port.h"

#include <charconv>

namespace edged::http {

Result<HostPort> split_host_port(const std::string& address) {
  const Status bad(Code::kInvalidArgument,
                   "could not listen on \"" + address + "\": the address must be HOST:PORT");
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return bad;
  HostPort result;
  result.host = address.substr(0, colon);
  if (result.host.front() == '[' && result.host.back() == ']') {
    result.host = result.host.substr(1, result.host.size() - 2);
  } else if (result.host.find(':') != std::string::npos) {
    return bad;
  }
  const char* end = address.data() + address.size();
  const auto parsed = std::from_chars(address.data() + colon + 1, end, result.port);
  if (parsed.ec != std::errc() || parsed.ptr != end || result.host.empty()) return bad;
  return result;
}

}  // namespace edged::http

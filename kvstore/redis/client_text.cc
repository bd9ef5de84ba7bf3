// SPDX-License-Identifier: Apache-2.0
// See client_text.h.
#include "kvstore/redis/client_text.h"

#include <algorithm>

#include "kvstore/redis/command_context.h"
#include "kvstore/redis/text_numbers.h"

namespace edged::redis {

std::string client_line(ClientInfo& info, std::int64_t now_s) {
  const std::lock_guard lock(info.mutex);
  std::string line = "id=" + std::to_string(info.id);
  line.append(" addr=").append(info.address).append(" laddr=").append(info.own_address);
  line.append(" fd=0 name=").append(info.name);
  line.append(" age=").append(
      std::to_string(std::max<std::int64_t>(0, now_s - info.connected_at_s)));
  line.append(" idle=").append(std::to_string(std::max<std::int64_t>(0, now_s - info.active_at_s)));
  line.append(" flags=N db=").append(std::to_string(info.database.load()));
  line.append(" sub=0 psub=0 ssub=0 multi=-1 cmd=").append(info.last_command.load());
  line.append(" user=").append(info.user).append(" resp=").append(std::to_string(info.protocol));
  line.append(" lib-name=").append(info.library);
  line.append(" lib-ver=").append(info.library_version).append("\n");
  return line;
}

bool ClientFilter::holds(ClientInfo& info) const {
  if (!ids.empty() && std::find(ids.begin(), ids.end(), info.id) == ids.end()) return false;
  if (address && info.address != *address) return false;
  if (own_address && info.own_address != *own_address) return false;
  const std::lock_guard lock(info.mutex);
  return normal_only && (!user || info.user == *user);
}

namespace {

bool read_ids(Arguments options, std::size_t& i, ClientFilter& filter) {
  for (++i; i < options.size(); ++i) {
    const auto id = to_integer(options[i]);
    if (!id || *id <= 0) return !filter.ids.empty();
    filter.ids.push_back(static_cast<std::uint64_t>(*id));
  }
  return !filter.ids.empty();
}

}  // namespace

std::string read_client_filter(Arguments options, ClientFilter& filter) {
  for (std::size_t i = 0; i < options.size();) {
    const std::string_view option = options[i];
    if (i + 1 == options.size()) return std::string(kSyntaxError);
    if (equals_ignoring_case(option, "id")) {
      if (!read_ids(options, i, filter)) return "ERR client-id should be greater than 0";
      continue;
    }
    const std::string_view value = options[i + 1];
    if (equals_ignoring_case(option, "addr")) {
      filter.address = value;
    } else if (equals_ignoring_case(option, "laddr")) {
      filter.own_address = value;
    } else if (equals_ignoring_case(option, "user")) {
      filter.user = value;
    } else if (equals_ignoring_case(option, "skipme")) {
      filter.skip_me = equals_ignoring_case(value, "yes");
    } else if (equals_ignoring_case(option, "type")) {
      filter.normal_only = equals_ignoring_case(value, "normal");
    } else {
      return std::string(kSyntaxError);
    }
    i += 2;
  }
  return {};
}

}  // namespace edged::redis

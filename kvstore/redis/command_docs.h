// SPDX-License-Identifier: Apache-2.0
// What COMMAND DOCS says of each command. Constant; any thread.
#pragma once

#include <string_view>

namespace edged::redis {

struct CommandDoc {
  std::string_view name;  // in lower case
  std::string_view group;
  std::string_view since;  // the version of Redis, or of Valkey, that has it
  std::string_view summary;
};

// What is said of a command of the table. Only the name is set if nothing is said.
CommandDoc doc_of(std::string_view name);

}  // namespace edged::redis

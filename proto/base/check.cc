// SPDX-License-Identifier: Apache-2.0
#include "proto/base/check.h"

#include <cstdlib>
#include <string>

#include "proto/base/log.h"

namespace edged::internal {

void check_failed(const char* condition, const char* file, int line) {
  log::print(std::string(file) + ":" + std::to_string(line) + ": broken invariant: " + condition);
  std::abort();  // which waits for the log
}

}  // namespace edged::internal

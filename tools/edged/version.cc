// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/version.h"

#include "tools/edged/commit.gen.h"

namespace edged {

std::string_view version() {
  return EDGED_VERSION;
}

std::string version_text(std::string_view program, std::string_view engine) {
  std::string text(program);
  text.append(" ").append(version()).append("\ncommit ").append(kCommit);
  if (!engine.empty()) text.append("\nengine ").append(engine);
  return text;
}

}  // namespace edged

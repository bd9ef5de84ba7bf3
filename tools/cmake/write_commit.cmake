# SPDX-License-Identifier: Apache-2.0
# Writes OUTPUT, a header with the commit as a constant, at build time for edged_commit_header().
# Arguments: OUTPUT, SOURCE (the tree), COMMIT (empty: ask git). Without either it is "unknown".
if(NOT COMMIT)
  # In an unpacked tarball below somebody else's clone, git would name that clone's commit.
  execute_process(COMMAND git rev-parse --show-toplevel WORKING_DIRECTORY ${SOURCE}
    OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  get_filename_component(source "${SOURCE}" REALPATH)
  if(failed EQUAL 0 AND top STREQUAL source)
    execute_process(COMMAND git rev-parse --short=12 HEAD WORKING_DIRECTORY ${SOURCE}
      OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
if(NOT COMMIT)
  set(COMMIT unknown)
endif()
file(WRITE "${OUTPUT}" "// Generated; do not edit.
#pragma once

#include <string_view>

namespace edged {

inline constexpr std::string_view kCommit = \"${COMMIT}\";

}  // namespace edged
")

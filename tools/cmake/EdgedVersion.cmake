# SPDX-License-Identifier: Apache-2.0
# The version is that of project(); the commit is read from the clone when HEAD has moved, so that
# --version names what was built. EDGED_COMMIT replaces it where there is no clone.
set(EDGED_COMMIT "" CACHE STRING "Commit that --version names; empty: the one of the clone")

# edged_commit_header(TARGET): makes "tools/edged/commit.gen.h" with kCommit for TARGET.
function(edged_commit_header target)
  set(header ${PROJECT_BINARY_DIR}/generated/tools/edged/commit.gen.h)
  set(script ${PROJECT_SOURCE_DIR}/tools/cmake/write_commit.cmake)
  set(moved)
  find_package(Git QUIET)
  if(GIT_FOUND)
    # Every commit, checkout and rebase writes a line to this file.
    execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --git-path logs/HEAD
      WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
      OUTPUT_VARIABLE moved OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(moved)
      get_filename_component(moved "${moved}" ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
    endif()
    if(NOT EXISTS "${moved}")
      set(moved)
    endif()
  endif()
  add_custom_command(OUTPUT ${header}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${header} -DSOURCE=${PROJECT_SOURCE_DIR}
            -DCOMMIT=${EDGED_COMMIT} -P ${script}
    DEPENDS ${script} ${moved} VERBATIM)
  target_sources(${target} PRIVATE ${header})
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()

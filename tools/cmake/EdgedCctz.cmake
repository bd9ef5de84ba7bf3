# SPDX-License-Identifier: Apache-2.0
# cctz::cctz: Google's time zone library. Debian's package (libcctz-dev) has no CMake files.
find_path(CCTZ_INCLUDE_DIR cctz/time_zone.h)
find_library(CCTZ_LIBRARY cctz)
if(NOT CCTZ_INCLUDE_DIR OR NOT CCTZ_LIBRARY)
  message(FATAL_ERROR "cctz was not found. Install the Debian package libcctz-dev: tools/setup installs all of them")
endif()
add_library(cctz::cctz UNKNOWN IMPORTED)
set_target_properties(cctz::cctz PROPERTIES
  IMPORTED_LOCATION ${CCTZ_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${CCTZ_INCLUDE_DIR})

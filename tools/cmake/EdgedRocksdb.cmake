# SPDX-License-Identifier: Apache-2.0
# Chooses the storage engine. Two can be there:
#   system   Debian 12's RocksDB 7.8.3, shared, its assertions on
#   shipped  RocksDB 9.10, static, built by tools/build_rocksdb.sh into its cache directory
# EDGED_ROCKSDB says which; `auto` is the shipped one if it is built and no sanitizer is set, for
# the sanitizers' suppressions name the shared library. Everything links edged_rocksdb. The targets
# edged_rocksdb_system and edged_rocksdb_shipped (if built) are for what compares the engines.
# A program must compile against the headers of the engine that it links: the shipped engine's
# directory is searched before /usr/include, and EngineTest (tests/kvstore) compares the two.

set(EDGED_ROCKSDB auto CACHE STRING "Storage engine: auto, system or shipped")
set_property(CACHE EDGED_ROCKSDB PROPERTY STRINGS auto system shipped)

if(NOT EDGED_ROCKSDB STREQUAL "shipped")
  find_package(RocksDB CONFIG REQUIRED)
else()
  find_package(RocksDB CONFIG QUIET)  # only what compares the engines needs it
endif()
if(RocksDB_FOUND)
  add_library(edged_rocksdb_system INTERFACE)
  target_link_libraries(edged_rocksdb_system INTERFACE RocksDB::rocksdb-shared)
endif()

execute_process(COMMAND ${PROJECT_SOURCE_DIR}/tools/build_rocksdb.sh --print-prefix
                OUTPUT_VARIABLE edged_shipped_prefix OUTPUT_STRIP_TRAILING_WHITESPACE
                COMMAND_ERROR_IS_FATAL ANY)
set(edged_shipped_complete ${edged_shipped_prefix}/.complete)
if(EXISTS ${edged_shipped_complete})
  # Not by find_package: its targets would have the names that the system's have already.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${edged_shipped_complete})
  add_library(edged_rocksdb_shipped_archive STATIC IMPORTED)
  set_target_properties(edged_rocksdb_shipped_archive PROPERTIES
    IMPORTED_LOCATION ${edged_shipped_prefix}/lib/librocksdb.a
    INTERFACE_INCLUDE_DIRECTORIES ${edged_shipped_prefix}/include)
  # What build_rocksdb.sh switched on.
  set(edged_shipped_libraries snappy lz4 zstd z Threads::Threads ${CMAKE_DL_LIBS})
  target_link_libraries(edged_rocksdb_shipped_archive INTERFACE ${edged_shipped_libraries})
  add_library(edged_rocksdb_shipped INTERFACE)
  target_link_libraries(edged_rocksdb_shipped INTERFACE edged_rocksdb_shipped_archive)
endif()

if(EDGED_ROCKSDB STREQUAL "auto")
  set(edged_engine system)
  if(TARGET edged_rocksdb_shipped AND NOT EDGED_SANITIZE)
    set(edged_engine shipped)
  endif()
elseif(EDGED_ROCKSDB MATCHES "^(system|shipped)$")
  set(edged_engine ${EDGED_ROCKSDB})
else()
  message(FATAL_ERROR "EDGED_ROCKSDB is \"${EDGED_ROCKSDB}\". It must be auto, system or shipped")
endif()
if(NOT TARGET edged_rocksdb_${edged_engine})
  message(FATAL_ERROR
    "EDGED_ROCKSDB=shipped, but \"${edged_shipped_prefix}\" is not built. Run tools/build_rocksdb.sh")
endif()
add_library(edged_rocksdb ALIAS edged_rocksdb_${edged_engine})
if(edged_engine STREQUAL "system")
  message(STATUS "Storage engine: system (Debian's RocksDB ${RocksDB_VERSION})")
else()
  message(STATUS "Storage engine: shipped (${edged_shipped_prefix})")
endif()

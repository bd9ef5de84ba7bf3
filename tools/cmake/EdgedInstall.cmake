# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` installs, by component:
#   edged   the program edged
#   kvctl   the program kvctl
#   dev     find_package(edged): edged::storage, the embedded store; edged::net, the C++ client
# The headers of `dev` are those that a user of the two includes, directly or through others;
# tests/install builds a project against them.
include(CMakePackageConfigHelpers)

install(TARGETS edged RUNTIME COMPONENT edged)
install(TARGETS kvctl RUNTIME COMPONENT kvctl)

set(edged_headers
  kvstore/storage/engine/disk_guard.h kvstore/storage/operation.h kvstore/storage/rocks_store.h
  kvstore/storage/store.h kvstore/storage/engine/store_clock.h
  proto/base/check.h proto/base/clock.h proto/base/status.h
  proto/net/blocking_client.h proto/net/client.h)
foreach(header IN LISTS edged_headers)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/edged/${folder} COMPONENT dev)
endforeach()

set(edged_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/edged)
foreach(name base wire net store storage options asio)
  set_target_properties(edged_${name} PROPERTIES EXPORT_NAME ${name})
endforeach()
install(TARGETS edged_base edged_wire edged_net edged_store edged_storage edged_options edged_asio
  EXPORT edged ARCHIVE COMPONENT dev)
install(EXPORT edged FILE edgedTargets.cmake NAMESPACE edged:: DESTINATION ${edged_package_dir}
  COMPONENT dev)
if(edged_engine STREQUAL "shipped")
  install(FILES ${edged_shipped_prefix}/lib/librocksdb.a
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/edged COMPONENT dev)
endif()
set(edged_engine_archive ${CMAKE_INSTALL_LIBDIR}/edged/librocksdb.a)
configure_package_config_file(tools/cmake/edgedConfig.cmake.in ${PROJECT_BINARY_DIR}/edgedConfig.cmake
  INSTALL_DESTINATION ${edged_package_dir} PATH_VARS edged_engine_archive)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/edgedConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/edgedConfig.cmake ${PROJECT_BINARY_DIR}/edgedConfigVersion.cmake
  DESTINATION ${edged_package_dir} COMPONENT dev)

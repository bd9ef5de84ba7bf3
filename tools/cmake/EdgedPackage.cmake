# SPDX-License-Identifier: Apache-2.0
# The Debian package, which tools/package builds from the preset "package". The component `package` is
# what it has beside the programs: units, configuration, copyright.
set(edged_deploy ${PROJECT_SOURCE_DIR}/tools/deploy)
install(FILES ${edged_deploy}/edged.service ${edged_deploy}/edged-node.service
  DESTINATION /usr/lib/systemd/system COMPONENT package)
install(FILES ${edged_deploy}/edged.jsonc DESTINATION /etc/edged COMPONENT package
  PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
install(DIRECTORY DESTINATION /etc/edged/credentials COMPONENT package
  DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
install(FILES ${edged_deploy}/debian/copyright DESTINATION /usr/share/doc/edged COMPONENT package)

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)  # for /etc and /usr/lib/systemd
set(CPACK_PACKAGE_NAME edged)
set(CPACK_PACKAGE_CONTACT "The edged authors <edged@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "key-value node and worker for scheduled jobs, mail and queues")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"edged is one self-hosted program in the place of the services that an
application rents at an edge: a durable key-value cache with TTLs, rows of
PostgreSQL that appear in it by themselves, scheduled jobs, queues and
notifications by mail. kvctl is its command-line client.")
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL edged kvctl package)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, tzdata")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "postgresql, bash-completion")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${edged_deploy}/debian/postinst ${edged_deploy}/debian/prerm ${edged_deploy}/debian/postrm
  ${edged_deploy}/debian/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DEBUGINFO_PACKAGE ON)  # edged-dbgsym, for gdb and for core dumps
include(CPack)

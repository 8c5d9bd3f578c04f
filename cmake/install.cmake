# What `cmake --install` puts where, find_package(dunlin), the .pc file, and the Debian package.
# A project that adds this one as a folder gets the same names, and installs nothing of it.
set(dun_tls_target)
set(dun_tls_pair)
if(TARGET dunlin_tls_mbedtls)
    set(dun_tls_target tls_mbedtls)
    set(dun_tls_pair dunlin_tls_mbedtls=tls_mbedtls)
endif()
foreach(name core mqtt link_posix ${dun_tls_target})
    add_library(dunlin::${name} ALIAS dunlin_${name})
endforeach()
if(NOT PROJECT_IS_TOP_LEVEL)
    return()
endif()

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(dun_headers ${CMAKE_INSTALL_INCLUDEDIR}/dunlin)
set(dun_libraries ${CMAKE_INSTALL_LIBDIR}/dunlin)
set(dun_package ${CMAKE_INSTALL_LIBDIR}/cmake/dunlin)
set(dun_shared ${CMAKE_INSTALL_DATADIR}/dunlin)

# The library. nanopb and the generated code come along: they were built for each other.
foreach(pair nanopb=nanopb dun_proto=proto dun_warnings=warnings dunlin_core=core
        dunlin_mqtt=mqtt dunlin_link_posix=link_posix ${dun_tls_pair})
    string(REPLACE "=" ";" pair ${pair})
    list(GET pair 0 target)
    list(GET pair 1 name)
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
    target_include_directories(${target} INTERFACE $<INSTALL_INTERFACE:${dun_headers}>)
    install(TARGETS ${target} EXPORT dunlin ARCHIVE DESTINATION ${dun_libraries})
endforeach()
install(EXPORT dunlin NAMESPACE dunlin:: FILE dunlinTargets.cmake DESTINATION ${dun_package})
file(GLOB dun_public ${PROJECT_SOURCE_DIR}/src/*.h ${PROJECT_SOURCE_DIR}/transport/*.h
    ${NANOPB_SOURCE_DIR}/pb*.h)
list(FILTER dun_public EXCLUDE REGEX "log_(format|internal)\\.h$")
install(FILES ${dun_public} ${PROJECT_SOURCE_DIR}/boards/node.h
    ${PROJECT_SOURCE_DIR}/boards/node_uplink.h
    ${PROJECT_BINARY_DIR}/generated/telemetry.pb.h DESTINATION ${dun_headers})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/transport/mqtt DESTINATION ${dun_headers}
    FILES_MATCHING PATTERN *.h)
# node.c is compiled by each user, with a profile.h of its own.
install(FILES ${PROJECT_SOURCE_DIR}/boards/node.c DESTINATION ${dun_shared})
install(FILES ${PROJECT_SOURCE_DIR}/boards/template/profile.h
    DESTINATION ${dun_shared}/template)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/dunlinConfig.cmake.in
    ${PROJECT_BINARY_DIR}/dunlinConfig.cmake INSTALL_DESTINATION ${dun_package}
    PATH_VARS dun_shared)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/dunlinConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/dunlinConfig.cmake
    ${PROJECT_BINARY_DIR}/dunlinConfigVersion.cmake DESTINATION ${dun_package})
configure_file(${CMAKE_CURRENT_LIST_DIR}/dunlin.pc.in ${PROJECT_BINARY_DIR}/dunlin.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/dunlin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The contract, for consumers that load it: tools/examples/ name this folder.
install(FILES ${PROJECT_SOURCE_DIR}/proto/telemetry.proto ${PROJECT_BINARY_DIR}/telemetry.desc
    DESTINATION ${dun_shared}/proto)

# The programs.
if(TARGET dunlin)
    install(TARGETS dunlin RUNTIME)
endif()
if(TARGET dunlind)
    set(DUN_INSTALL_CONFIG ${CMAKE_INSTALL_FULL_SYSCONFDIR}/dunlin/dunlind.ini)
    configure_file(${PROJECT_SOURCE_DIR}/boards/linux/dunlind.service.in
        ${PROJECT_BINARY_DIR}/dunlind.service @ONLY)
    install(TARGETS dunlind RUNTIME)
    install(FILES ${PROJECT_BINARY_DIR}/dunlind.service
        DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
    # A configuration that somebody edited is never written over.
    install(CODE "
        if(NOT EXISTS \"\$ENV{DESTDIR}${DUN_INSTALL_CONFIG}\")
            file(INSTALL \"${PROJECT_SOURCE_DIR}/boards/linux/dunlind.ini\"
                DESTINATION \"${CMAKE_INSTALL_FULL_SYSCONFDIR}/dunlin\")
        endif()")
endif()

# The gateway's daemon is a package of its own, so that nobody else gets its libraries.
if(DUN_BOARD STREQUAL gateway)
    install(TARGETS dunlind-gateway RUNTIME)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_PACKAGE_CONTACT "the dunlin authors <dunlin@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "telemetry agent that loses nothing, and its tools")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
file(WRITE ${PROJECT_BINARY_DIR}/conffiles "/etc/dunlin/dunlind.ini\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/conffiles)
include(CPack)

# What every board with an operating system shares: configuration, sensors, log lines, the daemon.
include_guard(GLOBAL)
find_path(INIH_INCLUDE_DIR ini.h REQUIRED)
find_library(INIH_LIBRARY inih REQUIRED)

set(hosted ${CMAKE_CURRENT_LIST_DIR})
# What a host without POSIX has in other files of its board.
if(NOT DEFINED hosted_system)
    set(hosted_system
        ${hosted}/filesystem_posix.c
        ${hosted}/flash_host_posix.c
        ${hosted}/notify.c
        ${hosted}/sensor_process.c
        ${hosted}/system_posix.c)
endif()
add_library(dunlin_hosted STATIC
    ${hosted_system}
    ${hosted}/config.c
    ${hosted}/config_file.c
    ${hosted}/config_files.c
    ${hosted}/config_keys.c
    ${hosted}/config_limits.c
    ${hosted}/config_options.c
    ${hosted}/config_sections.c
    ${hosted}/daemon.c
    ${hosted}/flash_file.c
    ${hosted}/lines.c
    ${hosted}/notices.c
    ${hosted}/say.c
    ${hosted}/secure.c
    ${hosted}/sensor_cpu.c
    ${hosted}/sensor_disk.c
    ${hosted}/sensor_file.c
    ${hosted}/sensor_filesystem.c
    ${hosted}/sensor_load.c
    ${hosted}/sensor_memory.c
    ${hosted}/sensor_network.c
    ${hosted}/sensor_self.c
    ${hosted}/sensor_temperature.c
    ${hosted}/sensors.c
    ${hosted}/shelf_file.c
    ${hosted}/system.c
    ${hosted}/value.c
    ${hosted}/value_real.c)
target_include_directories(dunlin_hosted PUBLIC ${hosted} ${PROJECT_SOURCE_DIR}/transport)
# No clock is believed that is behind it. SOURCE_DATE_EPOCH is honoured.
string(TIMESTAMP dun_build_time %s UTC)
set_source_files_properties(${hosted}/secure.c PROPERTIES
    COMPILE_DEFINITIONS DUN_BUILD_TIME=${dun_build_time})
target_include_directories(dunlin_hosted SYSTEM PRIVATE ${INIH_INCLUDE_DIR})
target_link_libraries(dunlin_hosted PUBLIC dunlin_core ${INIH_LIBRARY} PRIVATE dun_warnings)

# TLS of a board whose uplink runs over links, or the lack of it.
if(DUN_TLS)
    add_library(dunlin_tls_host STATIC ${hosted}/key_file.c ${hosted}/tls_host.c)
    target_link_libraries(dunlin_tls_host PUBLIC dunlin_tls_mbedtls)
else()
    add_library(dunlin_tls_host STATIC ${hosted}/tls_none.c)
endif()
target_link_libraries(dunlin_tls_host PUBLIC dunlin_hosted PRIVATE dun_warnings)

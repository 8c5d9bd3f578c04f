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
    ${hosted}/system.c
    ${hosted}/value.c)
target_include_directories(dunlin_hosted PUBLIC ${hosted})
target_include_directories(dunlin_hosted SYSTEM PRIVATE ${INIH_INCLUDE_DIR})
target_link_libraries(dunlin_hosted PUBLIC dunlin_core ${INIH_LIBRARY} PRIVATE dun_warnings)

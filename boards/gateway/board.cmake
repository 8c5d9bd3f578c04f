# The gateway: the daemon `dunlind-gateway`, whose uplink is Eclipse Paho. It is built beside the
# linux board where Paho's library is installed, and alone with -DDUN_BOARD=gateway.
include_guard(GLOBAL)
include(${PROJECT_SOURCE_DIR}/boards/hosted/hosted.cmake)
include(${PROJECT_SOURCE_DIR}/boards/template/board.cmake)
if(NOT TARGET dunlin_paho)
    if(DUN_BOARD STREQUAL gateway)
        message(FATAL_ERROR
            "Paho is not here: install libpaho-mqtt-dev, or run ./tools/setup")
    endif()
    message(STATUS "No dunlind-gateway: libpaho-mqtt-dev is not installed")
    return()
endif()

set(gateway_profile ${CMAKE_CURRENT_LIST_DIR}/profile.h)
if(DUN_PROFILE AND DUN_BOARD STREQUAL gateway)
    set(gateway_profile ${DUN_PROFILE})
endif()
configure_file(${gateway_profile} ${PROJECT_BINARY_DIR}/profile_gateway/profile.h COPYONLY)

add_executable(dunlind-gateway ${CMAKE_CURRENT_LIST_DIR}/board.c
    ${PROJECT_SOURCE_DIR}/boards/node.c)
# This folder first: its node_uplink.h is the one that counts.
target_include_directories(dunlind-gateway PRIVATE ${CMAKE_CURRENT_LIST_DIR}
    ${PROJECT_BINARY_DIR}/profile_gateway ${PROJECT_SOURCE_DIR}/boards)
target_link_libraries(dunlind-gateway PRIVATE dunlin_hosted dunlin_paho dun_warnings)

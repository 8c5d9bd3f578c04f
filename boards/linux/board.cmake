# The Linux host: composition root, and the daemon `dunlind`.
include(${PROJECT_SOURCE_DIR}/boards/hosted/hosted.cmake)
include(${PROJECT_SOURCE_DIR}/boards/template/board.cmake)

# The profile is included as profile.h, whatever the file that was chosen is called.
set(profile ${CMAKE_CURRENT_LIST_DIR}/profile.h)
if(DUN_PROFILE)
    set(profile ${DUN_PROFILE})
endif()
configure_file(${profile} ${PROJECT_BINARY_DIR}/profile/profile.h COPYONLY)

add_executable(dunlind ${CMAKE_CURRENT_LIST_DIR}/board.c ${PROJECT_SOURCE_DIR}/boards/node.c)
target_include_directories(dunlind PRIVATE ${PROJECT_BINARY_DIR}/profile
    ${PROJECT_SOURCE_DIR}/boards)
target_link_libraries(dunlind PRIVATE dunlin_tls_host dunlin_mqtt dunlin_link_posix
    dun_warnings)

include(${PROJECT_SOURCE_DIR}/boards/gateway/board.cmake)

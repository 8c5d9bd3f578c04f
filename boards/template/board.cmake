# The board to copy. It is built and run in every build, so that it stays true.
include_guard(GLOBAL)
add_executable(dunlin_template ${CMAKE_CURRENT_LIST_DIR}/board.c
    ${PROJECT_SOURCE_DIR}/boards/node.c ${PROJECT_SOURCE_DIR}/boards/selftest.c)
target_include_directories(dunlin_template PRIVATE ${PROJECT_SOURCE_DIR}/boards
    ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(dunlin_template PRIVATE dunlin_mqtt dunlin_link_null dun_warnings)
if(CMAKE_SYSTEM_NAME STREQUAL Generic AND DUN_TESTS)
    include(${PROJECT_SOURCE_DIR}/tests/cortex_m3.cmake)
endif()

# What tools/bench needs built: a counter of heap calls, and the samples that callgrind counts.
add_library(count_heap MODULE bench/count_heap.c)
target_link_libraries(count_heap PRIVATE dun_warnings)
set_target_properties(count_heap PROPERTIES PREFIX "" C_EXTENSIONS ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
add_executable(samples bench/samples.c)
target_link_libraries(samples PRIVATE dunlin_core dun_warnings)
add_executable(encode_trace bench/encode_trace.c bench/cost_none.c)
target_link_libraries(encode_trace PRIVATE dunlin_core dun_warnings)

# The log and a rival on the same counted flash: the figures of `tools/bench log`, and the bounds as
# a test: it counts and does not time, so it runs with the others.
add_library(log_workload OBJECT bench/log_device.c bench/log_rival.c bench/log_workload.c)
target_include_directories(log_workload PUBLIC bench)
target_link_libraries(log_workload PUBLIC dunlin_core PRIVATE dun_warnings)
add_executable(log_figures bench/log_figures.c)
target_link_libraries(log_figures PRIVATE log_workload dun_warnings)
add_executable(log_bounds bench/log_bounds.c)
target_link_libraries(log_bounds PRIVATE log_workload dun_test_support dun_warnings)
add_test(NAME bench.log_bounds COMMAND log_bounds)
set_tests_properties(bench.log_bounds PROPERTIES TIMEOUT 120)

# The compact client, its rivals and the long line between them and a broker: `tools/bench
# throughput` and `uplink`.
find_library(MOSQUITTO mosquitto REQUIRED)
find_library(PAHO_ASYNC paho-mqtt3a)
find_package(Threads REQUIRED)
add_library(bench_publish OBJECT bench/publish.c)
target_include_directories(bench_publish PUBLIC bench)
target_link_libraries(bench_publish PRIVATE dun_warnings)
add_executable(delay_proxy bench/delay_proxy.c)
set_target_properties(delay_proxy PROPERTIES C_EXTENSIONS ON)
target_link_libraries(delay_proxy PRIVATE dun_warnings)
add_executable(publish_dunlin bench/publish_dunlin.c)
target_link_libraries(publish_dunlin PRIVATE bench_publish dunlin_mqtt dunlin_link_posix
    dun_warnings)
add_executable(publish_mosquitto bench/publish_mosquitto.c)
target_link_libraries(publish_mosquitto PRIVATE bench_publish ${MOSQUITTO} dun_warnings)
add_custom_target(bench_clients DEPENDS publish_dunlin publish_mosquitto)
if(PAHO_ASYNC)
    add_executable(publish_paho bench/publish_paho.c)
    target_link_libraries(publish_paho PRIVATE bench_publish ${PAHO_ASYNC} Threads::Threads
        dun_warnings)
    add_dependencies(bench_clients publish_paho)
endif()
add_test(NAME bench.clients
    COMMAND ${PYTHON_OF_SYSTEM} ${CMAKE_CURRENT_SOURCE_DIR}/bench/test_clients.py)
set_tests_properties(bench.clients PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77
    ENVIRONMENT "DUNLIN_BUILD=${CMAKE_BINARY_DIR}")

# A fleet whose broker comes back: counts, in virtual time, and a bound that is a test.
add_executable(storm bench/storm.c ${PROJECT_SOURCE_DIR}/boards/node.c)
target_include_directories(storm PRIVATE ${PROJECT_SOURCE_DIR}/boards
    ${PROJECT_SOURCE_DIR}/boards/template)
target_link_libraries(storm PRIVATE dunlin_mqtt dun_warnings)
add_test(NAME bench.storm COMMAND storm)
set_tests_properties(bench.storm PROPERTIES TIMEOUT 120)

# What tools/bench needs built: a counter of heap calls, and the samples that callgrind counts.
add_library(count_heap MODULE bench/count_heap.c)
target_link_libraries(count_heap PRIVATE dun_warnings)
set_target_properties(count_heap PROPERTIES PREFIX "" C_EXTENSIONS ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
add_executable(samples bench/samples.c)
target_link_libraries(samples PRIVATE dunlin_core dun_warnings)

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

# A fleet whose broker comes back: counts, in virtual time, and a bound that is a test.
add_executable(storm bench/storm.c ${PROJECT_SOURCE_DIR}/boards/node.c)
target_include_directories(storm PRIVATE ${PROJECT_SOURCE_DIR}/boards
    ${PROJECT_SOURCE_DIR}/boards/template)
target_link_libraries(storm PRIVATE dunlin_mqtt dun_warnings)
add_test(NAME bench.storm COMMAND storm)
set_tests_properties(bench.storm PROPERTIES TIMEOUT 120)

# What tools/bench needs built: a counter of heap calls, and the samples that callgrind counts.
add_library(count_heap MODULE bench/count_heap.c)
target_link_libraries(count_heap PRIVATE dun_warnings)
set_target_properties(count_heap PROPERTIES PREFIX "" C_EXTENSIONS ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
add_executable(samples bench/samples.c)
target_link_libraries(samples PRIVATE dunlin_core dun_warnings)

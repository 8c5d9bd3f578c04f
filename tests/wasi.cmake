# The tests that run inside a WASI runtime: unit tests as components, and the component end to end.
# They are what `ctest --preset wasi` runs.
enable_testing()
set(tests ${PROJECT_SOURCE_DIR}/tests)
find_program(PYTHON_OF_SYSTEM python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
find_program(WASMTIME wasmtime HINTS ${DUN_WASI_DIR}/bin)

if(NOT WASMTIME)
    add_test(NAME wasi.runtime COMMAND sh -c "echo SKIPPED no wasmtime, nothing of wasi is run")
    return()
endif()

## Unit tests

add_library(dun_test_support OBJECT ${tests}/unit/support.c ${tests}/unit/fake_uplink.c)
target_link_libraries(dun_test_support PUBLIC dunlin_core PRIVATE dun_warnings)
target_include_directories(dun_test_support BEFORE PUBLIC ${tests}/wasi/include
    ${tests}/unit/small)

# Not here: fork, signals, threads and a /proc of its own making, or libc calls that are replaced.
set(not_here link_posix flash_file shelf_file sensor_file sensors system config config_remote say
    lines)
function(dun_unit_test name)
    if(name IN_LIST not_here)
        return()
    endif()
    add_executable(test_${name} ${tests}/unit/test_${name}.c)
    target_link_libraries(test_${name} PRIVATE dun_test_support dun_warnings ${ARGN})
    dun_component(test_${name})
    add_test(NAME unit.${name} COMMAND ${WASMTIME} run ${PROJECT_BINARY_DIR}/test_${name}.wasm)
    set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endfunction()
include(${tests}/unit/unit.cmake)

## End to end: the programs of tests/interop with the component in the daemon's place

set(precompiled ${PROJECT_BINARY_DIR}/dunlind.cwasm)
add_custom_command(OUTPUT ${precompiled}
    COMMAND ${WASMTIME} compile -o ${precompiled} ${PROJECT_BINARY_DIR}/dunlind.wasm
    DEPENDS dunlind_component ${PROJECT_BINARY_DIR}/dunlind.wasm)
add_custom_target(dunlind_precompiled ALL DEPENDS ${precompiled})
foreach(name wasi outage agent_killed link urgent config)
    add_test(NAME interop.${name}
        COMMAND ${PYTHON_OF_SYSTEM} ${tests}/interop/test_${name}.py)
    set_tests_properties(interop.${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 COST 50
        ENVIRONMENT "DUNLIN_BUILD=${PROJECT_BINARY_DIR};DUNLIN_WASMTIME=${WASMTIME}")
endforeach()

## The simulator: a seed gives the same run on wasm and native

file(GLOB sim_sources CONFIGURE_DEPENDS ${tests}/sim/*.c)
add_executable(dunlin_sim ${sim_sources} ${tests}/wasi/sjlj.c)
target_link_libraries(dunlin_sim PRIVATE dunlin_mqtt dunlin_tool_core setjmp)
target_compile_options(dunlin_sim PRIVATE -fno-lto -mexception-handling)
# With the libc of preview 1, which node has.
target_link_options(dunlin_sim PRIVATE --target=wasm32-wasip1)
set_source_files_properties(${tests}/sim/device.c ${tests}/sim/dunlin_sim.c PROPERTIES
    COMPILE_FLAGS "-mllvm -wasm-enable-sjlj")
set_target_properties(dunlin_sim PROPERTIES SUFFIX .core.wasm)
add_test(NAME sim.same_as_native COMMAND ${PYTHON_OF_SYSTEM} ${tests}/sim/test_same.py
    ${PROJECT_SOURCE_DIR}/build/linux/dunlin_sim 1..12
    node --no-warnings ${tests}/wasi/run.mjs $<TARGET_FILE:dunlin_sim> --)
set_tests_properties(sim.same_as_native PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 COST 40)

## What tools/bench wasi measures

add_executable(samples ${tests}/bench/samples.c)
target_link_libraries(samples PRIVATE dunlin_core dun_warnings)
dun_component(samples)

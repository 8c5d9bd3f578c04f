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

add_library(dun_test_support OBJECT ${tests}/unit/support.c ${tests}/unit/fake_uplink.c
    ${tests}/wasi/posix.c)
target_link_libraries(dun_test_support PUBLIC dunlin_core dunlin_wasi PRIVATE dun_warnings)
target_include_directories(dun_test_support BEFORE PUBLIC ${tests}/wasi/include ${tests}/wasi)
target_compile_options(dun_test_support
    PUBLIC -include posix.h -Wno-deprecated-declarations -fno-lto)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/tmp)

# Not here: POSIX sockets; chmod, signals and the service manager's socket; a TLS server.
set(not_here link_posix system tls_mbedtls)
function(dun_unit_test name)
    if(name IN_LIST not_here)
        return()
    endif()
    add_executable(test_${name} ${tests}/unit/test_${name}.c)
    target_link_libraries(test_${name} PRIVATE dun_test_support dun_warnings ${ARGN})
    dun_component(test_${name})
    add_test(NAME unit.${name} COMMAND ${WASMTIME} run --dir ${PROJECT_BINARY_DIR}/tmp::/tmp
        --dir /dev ${PROJECT_BINARY_DIR}/test_${name}.wasm)
    set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endfunction()
include(${tests}/unit/unit.cmake)
# Permissions, other processes, how full a disk is: WASI tells nothing of them.
target_compile_definitions(test_sensors PRIVATE
    "DUN_NOT_HERE=\"test_mounts test_process_and_self\"")
target_compile_definitions(test_flash_file PRIVATE "DUN_NOT_HERE=\"\
a_new_image_is_blank_and_private a_second_process_is_refused_and_told_the_first \
a_disk_that_is_too_small_is_not_written_to\"")

## End to end: the programs of tests/interop with the component in the daemon's place

set(precompiled ${PROJECT_BINARY_DIR}/dunlind.cwasm)
add_custom_command(OUTPUT ${precompiled}
    COMMAND ${WASMTIME} compile -o ${precompiled} ${PROJECT_BINARY_DIR}/dunlind.wasm
    DEPENDS dunlind_component ${PROJECT_BINARY_DIR}/dunlind.wasm)
add_custom_target(dunlind_precompiled ALL DEPENDS ${precompiled})
foreach(name wasi outage agent_killed link urgent)
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
# A core module with the libc of preview 1. It jumps out of nested calls: clang 16 writes that as
# exceptions of the first proposal, which wasm-opt makes those of the standard, that runtimes have.
target_link_options(dunlin_sim PRIVATE --target=wasm32-wasip1)
set_source_files_properties(${tests}/sim/device.c ${tests}/sim/dunlin_sim.c PROPERTIES
    COMPILE_FLAGS "-mllvm -wasm-enable-sjlj")
set_target_properties(dunlin_sim PROPERTIES SUFFIX .core.wasm)
set(sim ${PROJECT_BINARY_DIR}/dunlin_sim.cwasm)
add_custom_command(OUTPUT ${sim}
    COMMAND ${WASM_OPT} --enable-exception-handling --enable-bulk-memory --enable-sign-ext
        --enable-mutable-globals --enable-nontrapping-float-to-int --enable-reference-types
        --enable-multivalue --translate-to-exnref $<TARGET_FILE:dunlin_sim>
        -o ${PROJECT_BINARY_DIR}/dunlin_sim.wasm
    COMMAND ${WASMTIME} compile -W exceptions=y ${PROJECT_BINARY_DIR}/dunlin_sim.wasm -o ${sim}
    DEPENDS dunlin_sim)
add_custom_target(dunlin_sim_precompiled ALL DEPENDS ${sim})
add_test(NAME sim.same_as_native COMMAND ${PYTHON_OF_SYSTEM} ${tests}/wasi/test_sim.py
    ${PROJECT_SOURCE_DIR}/build/linux/dunlin_sim ${WASMTIME} ${sim})
set_tests_properties(sim.same_as_native PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 COST 40)

## What tools/bench wasi measures

add_executable(samples ${tests}/bench/samples.c)
target_link_libraries(samples PRIVATE dunlin_core dun_warnings)
dun_component(samples SMALL)

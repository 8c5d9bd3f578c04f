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
target_include_directories(dun_test_support BEFORE PUBLIC ${tests}/wasi/include ${tests}/wasi
    ${tests}/unit/small)
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

# dun_wasi_precompile(NAME): NAME.cwasm, so that each start of a test costs a moment.
function(dun_wasi_precompile name)
    set(out ${PROJECT_BINARY_DIR}/${name}.cwasm)
    add_custom_command(OUTPUT ${out}
        COMMAND ${WASMTIME} compile -o ${out} ${PROJECT_BINARY_DIR}/${name}.wasm
        DEPENDS ${name}_component ${PROJECT_BINARY_DIR}/${name}.wasm)
    add_custom_target(${name}_precompiled ALL DEPENDS ${out})
endfunction()

# dun_wasi_interop(NAME HOST COMPONENT TEST...): tests/interop/test_TEST.py as NAME, by this host.
function(dun_wasi_interop name host component test)
    add_test(NAME interop.${name}
        COMMAND ${PYTHON_OF_SYSTEM} ${tests}/interop/test_${test}.py ${ARGN})
    set_tests_properties(interop.${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 COST 50
        ENVIRONMENT
        "DUNLIN_BUILD=${PROJECT_BINARY_DIR};DUNLIN_WASI_HOST=${host};DUNLIN_COMPONENT=${component}")
endfunction()

dun_wasi_precompile(dunlind)
foreach(name wasi outage agent_killed link urgent config)
    dun_wasi_interop(${name} ${WASMTIME} dunlind.cwasm ${name})
endforeach()
if(DUN_TLS)
    dun_wasi_precompile(dunlind-tls)
    dun_wasi_interop(tls ${WASMTIME} dunlind-tls.cwasm tls)
endif()

# The second host: node with jco, which makes JavaScript of the component.
set(modules ${DUN_WASI_DIR}/node_modules)
find_program(NODE node)
if(NODE AND EXISTS ${modules}/@bytecodealliance/jco-transpile)
    set(jco "${NODE} ${tests}/wasi/jco.mjs ${modules}")
    set(transpiled ${PROJECT_BINARY_DIR}/dunlind.jco/component.js)
    add_custom_command(OUTPUT ${transpiled}
        COMMAND ${NODE} ${tests}/wasi/jco.mjs ${modules} transpile
            ${PROJECT_BINARY_DIR}/dunlind.wasm ${PROJECT_BINARY_DIR}/dunlind.jco
        DEPENDS dunlind_component ${PROJECT_BINARY_DIR}/dunlind.wasm ${tests}/wasi/jco.mjs)
    add_custom_target(dunlind_transpiled ALL DEPENDS ${transpiled})
    # Those that measure nothing: it starts in seconds and runs at a tenth of the speed. That TCP is
    # denied shows with it only when it connects.
    dun_wasi_interop(jco ${jco} dunlind.jco wasi Rights.test_all Rights.test_no_look_ups
        Rights.test_without_a_folder_it_still_publishes Rights.test_sensors_of_a_granted_proc Life)
    dun_wasi_interop(jco_agent_killed ${jco} dunlind.jco agent_killed
        AgentKilled.test_killed_repeatedly AgentKilled.test_the_will_tells
        AgentEnds.test_drains_and_says_goodbye AgentEnds.test_ends_in_time_without_a_broker)
else()
    add_test(NAME interop.jco COMMAND sh -c "echo SKIPPED no node with jco: tools/setup --wasi")
endif()

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
add_test(NAME sim.same_as_native COMMAND ${PYTHON_OF_SYSTEM} ${tests}/sim/test_same.py
    ${PROJECT_SOURCE_DIR}/build/linux/dunlin_sim 1..12
    ${WASMTIME} run --allow-precompiled -W exceptions=y ${sim} --)
set_tests_properties(sim.same_as_native PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 COST 40)

## What tools/bench wasi measures

add_executable(samples ${tests}/bench/samples.c)
target_link_libraries(samples PRIVATE dunlin_core dun_warnings)
dun_component(samples SMALL)

# What runs on a Cortex-M3 without an operating system, under QEMU: the unit tests of the core and
# the MQTT client, transcripts, the simulator and the template board, with the firmware's compiler
# and its options. `ctest --preset cortex-m3` runs them; semihosting brings the exit code.
enable_testing()
set(tests ${PROJECT_SOURCE_DIR}/tests)
find_program(PYTHON_OF_SYSTEM python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
find_program(QEMU_ARM qemu-system-arm)
if(NOT QEMU_ARM)
    add_test(NAME cortex_m3.emulator COMMAND sh -c 
        "echo SKIPPED no qemu-system-arm, nothing is run")
    return()
endif()
set(emulator ${QEMU_ARM} -M mps2-an385 -display none -monitor none -serial none
    -semihosting-config enable=on,target=native -kernel)

# Every executable, the board's included, starts like this.
add_library(cortex_m3_startup OBJECT ${tests}/cortex_m3/startup.c)
set(script ${tests}/cortex_m3/mps2.ld)
function(dun_on_qemu name)
    target_link_libraries(${name} PRIVATE cortex_m3_startup)
    target_link_options(${name} PRIVATE -T${script} -nostartfiles -Wl,--gc-sections
        -Wl,--wrap=_sbrk)
    set_target_properties(${name} PROPERTIES LINK_DEPENDS ${script})
endfunction()
# uint32_t is a long here, of the size of int; and gcc's stdint.h keeps from newlib's inttypes.h
# that there are 64 bits.
target_compile_options(dun_warnings INTERFACE -Wno-format)
add_compile_definitions(__int64_t_defined=1)

dun_on_qemu(dunlin_template)
add_test(NAME board.template COMMAND ${emulator} $<TARGET_FILE:dunlin_template>)

## Unit tests

add_library(dun_test_support OBJECT ${tests}/unit/support.c ${tests}/unit/fake_uplink.c)
target_link_libraries(dun_test_support PUBLIC dunlin_core PRIVATE dun_warnings)
target_include_directories(dun_test_support BEFORE PUBLIC ${tests}/unit/small)

function(dun_unit_test name)
    if(name STREQUAL "link_posix")
        return() # sockets
    endif()
    add_executable(test_${name} ${tests}/unit/test_${name}.c)
    target_link_libraries(test_${name} PRIVATE dun_test_support dun_warnings ${ARGN})
    dun_on_qemu(test_${name})
    add_test(NAME unit.${name} COMMAND ${emulator} $<TARGET_FILE:test_${name}>)
    set_tests_properties(unit.${name} PROPERTIES TIMEOUT 300)
endfunction()
include(${tests}/unit/unit.cmake)

## Transcripts

add_executable(run_transcript ${tests}/transcripts/run_transcript.c)
target_link_libraries(run_transcript PRIVATE dunlin_mqtt dun_warnings)
dun_on_qemu(run_transcript)
file(GLOB transcripts CONFIGURE_DEPENDS ${tests}/transcripts/*.txt)
foreach(transcript ${transcripts})
    get_filename_component(name ${transcript} NAME_WE)
    add_test(NAME transcript.${name}
        COMMAND ${emulator} $<TARGET_FILE:run_transcript> -append ${transcript})
    set_tests_properties(transcript.${name} PROPERTIES TIMEOUT 60)
endforeach()

## What encoding costs, for tools/bench compression

add_executable(encode_trace ${tests}/bench/encode_trace.c ${tests}/bench/cost_m3.c)
target_link_libraries(encode_trace PRIVATE dunlin_core dun_warnings)
dun_on_qemu(encode_trace)

## The simulator: the seeds of sim.fixed give the same runs here and native

file(GLOB sim_sources CONFIGURE_DEPENDS ${tests}/sim/*.c)
add_executable(dunlin_sim ${sim_sources})
target_link_libraries(dunlin_sim PRIVATE dunlin_mqtt dunlin_tool_core)
target_compile_options(dunlin_sim PRIVATE -O2 -include ${tests}/cortex_m3/time_utc.h)
dun_on_qemu(dunlin_sim)
include(${tests}/sim/seeds.cmake)
foreach(seeds 1..25 26..50 51..75 76..100 ${DUN_SIM_FOUND})
    add_test(NAME sim.same_as_native_${seeds} COMMAND ${PYTHON_OF_SYSTEM} ${tests}/sim/test_same.py
        ${PROJECT_SOURCE_DIR}/build/linux/dunlin_sim ${seeds}
        ${emulator} $<TARGET_FILE:dunlin_sim> -append {})
    set_tests_properties(sim.same_as_native_${seeds} PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77
        COST 200)
endforeach()

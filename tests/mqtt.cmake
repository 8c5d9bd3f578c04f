# The compact MQTT client beyond its unit tests: a real broker, transcripts, fuzzers.
add_executable(test_uplink_mosquitto interop/test_uplink_mosquitto.c)
target_link_libraries(test_uplink_mosquitto PRIVATE dunlin_mqtt dunlin_link_posix dun_warnings)
add_test(NAME interop.uplink_mosquitto COMMAND test_uplink_mosquitto)
set_tests_properties(interop.uplink_mosquitto PROPERTIES TIMEOUT 180 SKIP_RETURN_CODE 77)

# dun_uplink_shell(NAME CLASS LIBRARIES...): an uplink by hand, and the contract suite over it.
function(dun_uplink_shell name class)
    add_executable(uplink_shell_${name} interop/support/uplink_shell.c
        interop/support/uplink_shell_${name}.c)
    target_link_libraries(uplink_shell_${name} PRIVATE dun_warnings ${ARGN})
    add_test(NAME interop.uplink_${name} COMMAND ${PYTHON_OF_SYSTEM}
        ${CMAKE_CURRENT_SOURCE_DIR}/interop/test_uplink_contract.py ${class})
    set_tests_properties(interop.uplink_${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77
        COST 60 ENVIRONMENT "DUNLIN_BUILD=${CMAKE_BINARY_DIR}")
endfunction()

dun_uplink_shell(mqtt Mqtt dunlin_mqtt dunlin_link_posix)
if(TARGET dunlin_paho)
    dun_uplink_shell(paho Paho dunlin_paho)
endif()

add_executable(run_transcript transcripts/run_transcript.c)
target_link_libraries(run_transcript PRIVATE dunlin_mqtt dun_warnings)
file(GLOB transcripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/transcripts/*.txt)
foreach(transcript ${transcripts})
    get_filename_component(name ${transcript} NAME_WE)
    add_test(NAME transcript.${name} COMMAND run_transcript ${transcript})
    set_tests_properties(transcript.${name} PROPERTIES TIMEOUT 60)
endforeach()

# Fuzzers need clang's libFuzzer, whatever compiler builds the rest. In the test run each takes a
# few seconds; by hand: build/linux/fuzz_mqtt_session -max_total_time=3600 CORPUS SEEDS
find_program(DUN_CLANG NAMES clang clang-14)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/fuzz_probe.c
    "int LLVMFuzzerTestOneInput(const char *d, unsigned long s) { return d == (char *)s; }\n")
set(fuzz_flags -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined
    -fno-sanitize-recover=all)
set(fuzz_result 1)
if(DUN_CLANG)
    execute_process(COMMAND ${DUN_CLANG} ${fuzz_flags} ${CMAKE_CURRENT_BINARY_DIR}/fuzz_probe.c
        -o ${CMAKE_CURRENT_BINARY_DIR}/fuzz_probe
        RESULT_VARIABLE fuzz_result OUTPUT_QUIET ERROR_QUIET)
endif()

# dun_fuzz_skipped(NAME): without libFuzzer fuzz.NAME does not vanish; the check tells that it is
# skipped.
function(dun_fuzz_skipped name)
    add_test(NAME fuzz.${name} COMMAND sh -c "echo SKIPPED no clang with libFuzzer; exit 77")
    set_tests_properties(fuzz.${name} PROPERTIES SKIP_RETURN_CODE 77)
endfunction()

# dun_fuzz_test(NAME SOURCES...): fuzz/fuzz_NAME.c with these sources and the seeds of its name.
function(dun_fuzz_test name)
    if(NOT fuzz_result EQUAL 0)
        dun_fuzz_skipped(${name})
        return()
    endif()
    set(program ${PROJECT_BINARY_DIR}/fuzz_${name})
    set(sources ${ARGN})
    list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/)
    file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.h
        ${PROJECT_SOURCE_DIR}/transport/*.h ${PROJECT_SOURCE_DIR}/transport/mqtt/*.h)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz_${name}.c)
    add_custom_command(OUTPUT ${program}
        COMMAND ${DUN_CLANG} ${fuzz_flags} -I${PROJECT_SOURCE_DIR}/src
            -I${PROJECT_SOURCE_DIR}/transport ${source} ${sources} -o ${program}
        DEPENDS ${source} ${sources} ${headers})
    add_custom_target(fuzz_${name}_program ALL DEPENDS ${program})
    set(corpus ${CMAKE_CURRENT_BINARY_DIR}/corpus_${name})
    file(MAKE_DIRECTORY ${corpus})
    add_test(NAME fuzz.${name} COMMAND ${program} -max_total_time=5 -rss_limit_mb=512
        -artifact_prefix=${corpus}/ ${corpus} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/seeds/${name})
    set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 60)
endfunction()
dun_fuzz_test(mqtt_packet transport/mqtt/packet.c transport/mqtt/properties.c)
dun_fuzz_test(mqtt_session transport/mqtt/packet.c transport/mqtt/properties.c
    transport/mqtt/session.c)

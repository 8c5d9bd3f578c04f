# Fuzzers: fuzz/fuzz_NAME.c and the seeds in fuzz/seeds/NAME. They need clang's libFuzzer, whatever
# compiler builds the rest. In the test run each takes a few seconds; by hand, for as long as one
# likes: build/linux/fuzz_NAME -max_total_time=3600 CORPUS tests/fuzz/seeds/NAME
# They are the same whatever the profile, so a preset with one of its own leaves them out.
if(DUN_PROFILE)
    return()
endif()

find_program(DUN_CLANG NAMES clang clang-14)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/fuzz_probe.c
    "int LLVMFuzzerTestOneInput(const char *d, unsigned long s) { return d == (char *)s; }\n")
set(fuzz_flags -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all)
set(fuzz_result 1)
if(DUN_CLANG)
    execute_process(COMMAND ${DUN_CLANG} ${fuzz_flags} ${CMAKE_CURRENT_BINARY_DIR}/fuzz_probe.c
        -o ${CMAKE_CURRENT_BINARY_DIR}/fuzz_probe
        RESULT_VARIABLE fuzz_result OUTPUT_QUIET ERROR_QUIET)
endif()

# Our libraries once more, as one archive with clang's instrumentation.
set(fuzz_includes ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/transport
    ${PROJECT_SOURCE_DIR}/boards/hosted ${PROJECT_SOURCE_DIR}/tools/dunlin
    ${PROJECT_BINARY_DIR}/generated ${NANOPB_SOURCE_DIR})
list(TRANSFORM fuzz_includes PREPEND -I)
set(fuzz_compile ${DUN_CLANG} ${fuzz_flags} -D_DEFAULT_SOURCE -DPB_VALIDATE_UTF8=1
    ${fuzz_includes})
set(fuzz_library ${CMAKE_CURRENT_BINARY_DIR}/libdunlin_fuzz.a)
set(fuzz_objects)

function(dun_fuzz_objects target)
    if(NOT TARGET ${target})
        return()
    endif()
    get_target_property(sources ${target} SOURCES)
    get_target_property(folder ${target} SOURCE_DIR)
    foreach(source ${sources})
        get_filename_component(source ${source} ABSOLUTE BASE_DIR ${folder})
        get_filename_component(name ${source} NAME_WE)
        set(object ${CMAKE_CURRENT_BINARY_DIR}/fuzz_objects/${name}.o)
        add_custom_command(OUTPUT ${object}
            COMMAND ${fuzz_compile} -MD -MF ${object}.d -c ${source} -o ${object}
            DEPENDS ${source} dun_proto DEPFILE ${object}.d)
        list(APPEND fuzz_objects ${object})
    endforeach()
    set(fuzz_objects ${fuzz_objects} PARENT_SCOPE)
endfunction()

if(fuzz_result EQUAL 0)
    file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fuzz_objects)
    foreach(target nanopb dun_proto dunlin_core dunlin_mqtt dunlin_link_posix dunlin_hosted
            dunlin_tool_core)
        dun_fuzz_objects(${target})
    endforeach()
    add_custom_command(OUTPUT ${fuzz_library}
        COMMAND ${CMAKE_COMMAND} -E rm -f ${fuzz_library}
        COMMAND ${CMAKE_AR} rcs ${fuzz_library} ${fuzz_objects} DEPENDS ${fuzz_objects})
    add_custom_target(fuzz_library DEPENDS ${fuzz_library})
endif()

# dun_fuzz_test(NAME [OPTIONS FOR CLANG...]). Without libFuzzer fuzz.NAME does not vanish; the check
# tells that it is skipped.
function(dun_fuzz_test name)
    if(NOT fuzz_result EQUAL 0)
        add_test(NAME fuzz.${name} COMMAND sh -c "echo SKIPPED no clang with libFuzzer; exit 77")
        set_tests_properties(fuzz.${name} PROPERTIES SKIP_RETURN_CODE 77)
        return()
    endif()
    set(program ${PROJECT_BINARY_DIR}/fuzz_${name})
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz_${name}.c)
    set(dependencies ${CMAKE_CURRENT_BINARY_DIR}/fuzz_${name}.d)
    add_custom_command(OUTPUT ${program}
        COMMAND ${fuzz_compile} -MD -MF ${dependencies} -MT ${program} ${source}
            -Wl,--start-group ${fuzz_library} ${ARGN} -Wl,--end-group -lm -o ${program}
        DEPENDS ${source} ${fuzz_library} fuzz_library DEPFILE ${dependencies})
    add_custom_target(fuzz_${name}_program ALL DEPENDS ${program})
    set(corpus ${CMAKE_CURRENT_BINARY_DIR}/corpus_${name})
    file(MAKE_DIRECTORY ${corpus})
    add_test(NAME fuzz.${name}
        COMMAND ${program} -seed=1 -max_total_time=5 -rss_limit_mb=1024 -timeout=10
        -artifact_prefix=${corpus}/ ${corpus} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/seeds/${name})
    set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 60)
endfunction()

foreach(name decode log mqtt_packet mqtt_session remote)
    dun_fuzz_test(${name})
endforeach()
# Its file is the fuzzer's, wherever it opens one.
dun_fuzz_test(config ${INIH_LIBRARY} -Wl,--wrap=fopen)
# Its kernel is the fuzzer's.
dun_fuzz_test(link -Wl,--wrap=socket,--wrap=connect,--wrap=send,--wrap=recv,--wrap=poll
    -Wl,--wrap=getsockopt,--wrap=close)
dun_fuzz_test(device ${PROJECT_SOURCE_DIR}/boards/node.c -I${PROJECT_SOURCE_DIR}/boards
    -I${PROJECT_SOURCE_DIR}/boards/template)

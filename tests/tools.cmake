# The dunlin command and the wire contract: golden examples, two decoders beside each other, a
# real broker for `watch`, a fuzzer.
set(telemetry_pb2 ${PROJECT_BINARY_DIR}/python/telemetry_pb2.py)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/python)
add_custom_command(OUTPUT ${telemetry_pb2}
    COMMAND ${PROTOC} -I${PROJECT_SOURCE_DIR}/proto --python_out=${PROJECT_BINARY_DIR}/python
        ${PROJECT_SOURCE_DIR}/proto/telemetry.proto
    DEPENDS ${PROJECT_SOURCE_DIR}/proto/telemetry.proto)
add_custom_target(dun_python_proto ALL DEPENDS ${telemetry_pb2})

# dun_tool_test(NAME PROGRAM): a Python program that gets the tools by its environment.
function(dun_tool_test name program)
    add_test(NAME ${name} COMMAND ${PYTHON_OF_SYSTEM} ${CMAKE_CURRENT_SOURCE_DIR}/${program})
    set(environment "DUNLIN_BUILD=${CMAKE_BINARY_DIR}")
    list(APPEND environment "DUN_PYTHON_PROTO=${PROJECT_BINARY_DIR}/python")
    set_tests_properties(${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77
        ENVIRONMENT "${environment}")
endfunction()
dun_tool_test(golden.files golden/test_golden.py)
dun_tool_test(tools.decode interop/test_decode.py)
dun_tool_test(tools.log interop/test_log_command.py)
dun_tool_test(tools.watch interop/test_watch.py)

# What the core encodes, decoded: both in one program.
add_executable(test_encoder golden/test_encoder.c)
target_link_libraries(test_encoder PRIVATE dun_test_support dunlin_tool_core dun_warnings)
add_test(NAME golden.encoder COMMAND test_encoder)

foreach(name coverage knowledge out)
    dun_unit_test(${name} dunlin_tool_core)
    target_compile_definitions(test_${name} PRIVATE _POSIX_C_SOURCE=200809L)
endforeach()

# The decoder under libFuzzer. By hand: build/linux/fuzz_decode CORPUS tests/fuzz/seeds/decode
if(fuzz_result EQUAL 0)
    set(fuzz_decode ${PROJECT_BINARY_DIR}/fuzz_decode)
    file(GLOB tool_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/dunlin/*.[ch])
    set(fuzz_sources ${tool_sources})
    list(FILTER fuzz_sources EXCLUDE REGEX
        "/(main|decode|log_[a-z]+|watch|watch_options|screen|verdict)[.]c$")
    list(FILTER fuzz_sources EXCLUDE REGEX "[.]h$")
    set(nanopb_sources ${NANOPB_SOURCE_DIR}/pb_common.c ${NANOPB_SOURCE_DIR}/pb_decode.c)
    add_custom_command(OUTPUT ${fuzz_decode}
        COMMAND ${DUN_CLANG} ${fuzz_flags} -D_POSIX_C_SOURCE=200809L -DPB_VALIDATE_UTF8=1
            -I${PROJECT_SOURCE_DIR}/src -I${PROJECT_SOURCE_DIR}/tools/dunlin
            -I${PROJECT_BINARY_DIR}/generated -I${NANOPB_SOURCE_DIR}
            ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz_decode.c ${fuzz_sources} ${nanopb_sources}
            ${PROJECT_SOURCE_DIR}/src/crc32c.c ${PROJECT_BINARY_DIR}/generated/telemetry.pb.c -lm
            -o ${fuzz_decode}
        DEPENDS dun_proto ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz_decode.c ${tool_sources}
            ${PROJECT_SOURCE_DIR}/src/crc32c.c)
    add_custom_target(fuzz_decode_program ALL DEPENDS ${fuzz_decode})
    set(corpus ${CMAKE_CURRENT_BINARY_DIR}/corpus_decode)
    file(MAKE_DIRECTORY ${corpus})
    add_test(NAME fuzz.decode COMMAND ${fuzz_decode} -max_total_time=5 -rss_limit_mb=1024
        -timeout=10 -artifact_prefix=${corpus}/ ${corpus}
        ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/seeds/decode)
    set_tests_properties(fuzz.decode PROPERTIES TIMEOUT 60)
else()
    dun_fuzz_skipped(decode)
endif()

# The dunlin command and the wire contract: golden examples, two decoders beside each other, a
# real broker for `watch`.
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
dun_tool_test(golden.contract golden/test_contract.py)
dun_tool_test(tools.decode interop/test_decode.py)
dun_tool_test(tools.log interop/test_log_command.py)
dun_tool_test(tools.watch interop/test_watch.py)
if(TARGET dunlind AND NOT DUN_PROFILE) # once is enough: a profile is a matter of devices
    dun_tool_test(tools.record interop/test_record.py)
    dun_tool_test(tools.chaos interop/test_chaos.py)
    dun_tool_test(tools.examples interop/test_examples.py)
endif()

# What the core encodes, decoded: both in one program.
add_executable(test_encoder golden/test_encoder.c)
target_link_libraries(test_encoder PRIVATE dun_test_support dunlin_tool_core dun_warnings)
add_test(NAME golden.encoder COMMAND test_encoder)

# Images of older versions of the log.
add_executable(test_log_v1 golden/test_log_v1.c)
target_link_libraries(test_log_v1 PRIVATE dun_test_support dun_warnings)
add_test(NAME golden.log_v1
    COMMAND test_log_v1 ${CMAKE_CURRENT_SOURCE_DIR}/golden/log_v1.img)

dun_unit_test(subscriber dunlin_recorder)
foreach(name coverage desired knowledge out)
    dun_unit_test(${name} dunlin_tool_core)
    target_compile_definitions(test_${name} PRIVATE _POSIX_C_SOURCE=200809L)
endforeach()

# What `dunlin simulate` is made of, and the whole of it against a real broker.
if(TARGET dunlin_fleet)
    foreach(name chaos deadlines histogram packed signals)
        dun_unit_test(${name} dunlin_fleet)
    endforeach()
    dun_tool_test(tools.simulate interop/test_simulate.py)
endif()

dun_unit_test(plot dunlin_recorder)
target_compile_definitions(test_plot PRIVATE _POSIX_C_SOURCE=200809L)
dun_tool_test(tools.plot interop/test_plot.py)

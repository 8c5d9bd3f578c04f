# End to end: the real agent, a real Mosquitto, a fault proxy, readers that know only the .proto.
# Each program finds its own ports and folders, so they run beside each other.

# Preloaded into the agent to make its storage fail on command.
add_library(fault_io MODULE interop/support/fault_io.c)
target_link_libraries(fault_io PRIVATE ${CMAKE_DL_LIBS} dun_warnings)
set_target_properties(fault_io PROPERTIES PREFIX "" C_EXTENSIONS ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
if(DUN_SANITIZE)
    target_compile_options(fault_io PRIVATE -fno-sanitize=all)
    target_link_options(fault_io PRIVATE -fno-sanitize=all)
endif()

# dun_interop_test(NAME): interop/test_NAME.py; exit code 77 means that all of it was skipped.
function(dun_interop_test name)
    add_test(NAME interop.${name}
        COMMAND ${PYTHON_OF_SYSTEM} ${CMAKE_CURRENT_SOURCE_DIR}/interop/test_${name}.py)
    set_tests_properties(interop.${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 COST 50
        ENVIRONMENT "DUNLIN_BUILD=${CMAKE_BINARY_DIR}")
endfunction()

dun_interop_test(harness)
if(TARGET dunlind)
    dun_interop_test(answers)
    dun_interop_test(outage)
    dun_interop_test(urgent)
    dun_interop_test(config)
    dun_interop_test(agent_killed)
    dun_interop_test(takeover)
    dun_interop_test(link)
    dun_interop_test(storage)
    if(DUN_TLS)
        dun_interop_test(tls)
        dun_interop_test(provision)
    endif()
    dun_interop_test(values)
endif()

# The same tests over the gateway's daemon. Paho's library takes about a second to connect again, so
# those that cut hundreds of connections stay with the compact client.
function(dun_gateway_test name)
    add_test(NAME interop.gateway_${name} COMMAND ${PYTHON_OF_SYSTEM}
        ${CMAKE_CURRENT_SOURCE_DIR}/interop/test_${name}.py ${ARGN})
    set_tests_properties(interop.gateway_${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 COST 50
        ENVIRONMENT "DUNLIN_BUILD=${CMAKE_BINARY_DIR};DUNLIN_DAEMON=dunlind-gateway")
endfunction()

if(TARGET dunlind-gateway)
    dun_gateway_test(outage)
    dun_gateway_test(agent_killed)
    dun_gateway_test(config RemoteConfiguration.test_set_get_and_diff
        RemoteConfiguration.test_it_is_rolled_back_when_the_broker_is_not_reached
        RemoteConfiguration.test_what_cannot_be_taken_changes_nothing)
    dun_gateway_test(link LinkFails.test_slow LinkFails.test_one_byte_at_a_time
        LinkFails.test_half_open)
endif()

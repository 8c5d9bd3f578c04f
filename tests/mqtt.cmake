# The compact MQTT client beyond its unit tests: a real broker, transcripts.
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

dun_uplink_shell(mqtt Mqtt dunlin_tls_host dunlin_mqtt dunlin_link_posix)
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

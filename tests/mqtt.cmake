# The compact MQTT client beyond its unit tests: a real broker, transcripts.
add_executable(test_uplink_mosquitto interop/test_uplink_mosquitto.c)
target_link_libraries(test_uplink_mosquitto PRIVATE dunlin_mqtt dunlin_link_posix dun_warnings)
add_test(NAME interop.uplink_mosquitto COMMAND test_uplink_mosquitto)
set_tests_properties(interop.uplink_mosquitto PROPERTIES TIMEOUT 180 SKIP_RETURN_CODE 77)

add_executable(run_transcript transcripts/run_transcript.c)
target_link_libraries(run_transcript PRIVATE dunlin_mqtt dun_warnings)
file(GLOB transcripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/transcripts/*.txt)
foreach(transcript ${transcripts})
    get_filename_component(name ${transcript} NAME_WE)
    add_test(NAME transcript.${name} COMMAND run_transcript ${transcript})
    set_tests_properties(transcript.${name} PROPERTIES TIMEOUT 60)
endforeach()

# The compact MQTT client beyond its unit tests: a real broker, transcripts, fuzzers.
add_executable(test_uplink_mosquitto interop/test_uplink_mosquitto.c)
target_link_libraries(test_uplink_mosquitto PRIVATE dunlin_mqtt dunlin_link_posix dun_warnings)
add_test(NAME interop.uplink_mosquitto COMMAND test_uplink_mosquitto)
set_tests_properties(interop.uplink_mosquitto PROPERTIES TIMEOUT 180 SKIP_RETURN_CODE 77)

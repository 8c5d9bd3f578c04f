# The whole device on simulated flash, link, broker, clock and sensors: see sim/README.md.
add_executable(dunlin_sim
    sim/broker.c
    sim/broker_wire.c
    sim/check.c
    sim/desk.c
    sim/desk_check.c
    sim/device.c
    sim/dunlin_sim.c
    sim/facts.c
    sim/faults.c
    sim/read_record.c
    sim/recorder.c
    sim/scenario.c
    sim/sim_flash.c
    sim/sim_link.c
    sim/sim_shelf.c
    sim/thinned.c
    sim/world.c)
target_link_libraries(dunlin_sim PRIVATE dunlin_mqtt dunlin_tool_core dun_warnings)

include(sim/seeds.cmake)
# A fixed set of seeds, with some that found something once; and new ones. None may fail.
set(DUN_SIM_MINUTES 0.2)
if(DUN_SANITIZE)
    set(DUN_SIM_MINUTES 0.8)
endif()
add_test(NAME sim.fixed COMMAND dunlin_sim
    --seeds 1..100,${DUN_SIM_FOUND})
add_test(NAME sim.fresh COMMAND dunlin_sim --fresh --minutes ${DUN_SIM_MINUTES})
# The longest of all tests start first, so that the others run beside them.
set_tests_properties(sim.fixed sim.fresh PROPERTIES TIMEOUT 600 COST 200)

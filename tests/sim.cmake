# The whole device on simulated flash, link, broker, clock and sensors: see sim/README.md.
add_executable(dunlin_sim
    sim/broker.c
    sim/broker_wire.c
    sim/check.c
    sim/device.c
    sim/dunlin_sim.c
    sim/facts.c
    sim/faults.c
    sim/read_record.c
    sim/recorder.c
    sim/scenario.c
    sim/sim_flash.c
    sim/sim_link.c
    sim/world.c)
target_link_libraries(dunlin_sim PRIVATE dunlin_mqtt dun_warnings)

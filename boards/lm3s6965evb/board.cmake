# The Stellaris LM3S6965 evaluation board, as QEMU's lm3s6965evb emulates it. Configure with the
# preset lm3s6965evb, which names the cross compiler.
set(LWIP_SOURCE_DIR ${PROJECT_SOURCE_DIR}/build/deps/lwip-2.1.3+dfsg1 CACHE PATH
    "Source tree of lwIP 2.1.3; ./tools/setup puts it here")
if(NOT EXISTS ${LWIP_SOURCE_DIR}/src/core/init.c)
    message(FATAL_ERROR "lwIP's source is not at ${LWIP_SOURCE_DIR}. Run ./tools/setup, or name "
        "its folder with -DLWIP_SOURCE_DIR=DIR.")
endif()

set(board ${CMAKE_CURRENT_LIST_DIR})
set(lwip ${LWIP_SOURCE_DIR}/src)
add_library(lwip STATIC
    ${lwip}/core/def.c
    ${lwip}/core/dns.c
    ${lwip}/core/inet_chksum.c
    ${lwip}/core/init.c
    ${lwip}/core/ip.c
    ${lwip}/core/ipv4/dhcp.c
    ${lwip}/core/ipv4/etharp.c
    ${lwip}/core/ipv4/icmp.c
    ${lwip}/core/ipv4/ip4.c
    ${lwip}/core/ipv4/ip4_addr.c
    ${lwip}/core/ipv4/ip4_frag.c
    ${lwip}/core/mem.c
    ${lwip}/core/memp.c
    ${lwip}/core/netif.c
    ${lwip}/core/pbuf.c
    ${lwip}/core/tcp.c
    ${lwip}/core/tcp_in.c
    ${lwip}/core/tcp_out.c
    ${lwip}/core/timeouts.c
    ${lwip}/core/udp.c
    ${lwip}/netif/ethernet.c)
target_include_directories(lwip SYSTEM PUBLIC ${lwip}/include ${board}/lwip_port)

# The compiler asks for it only when all is optimised: it must be there by then.
set_source_files_properties(${board}/divide.c PROPERTIES COMPILE_OPTIONS -fno-lto)

# dun_lm3s_image(NAME SOURCES...): a program for this board, and NAME.map beside it. Sources that
# stand here take the place of what the libraries have under the same names.
function(dun_lm3s_image name)
    add_executable(${name}.elf ${ARGN}
        ${board}/clock_lm3s.c
        ${board}/divide.c
        ${board}/fault.c
        ${board}/stack.c
        ${board}/startup.c
        ${board}/uart.c
        ${PROJECT_SOURCE_DIR}/boards/node.c
        ${PROJECT_SOURCE_DIR}/src/crc32c_small.c)
    target_include_directories(${name}.elf PRIVATE ${board} ${PROJECT_SOURCE_DIR}/boards
        ${PROJECT_SOURCE_DIR}/transport)
    target_compile_options(${name}.elf PRIVATE -Wno-pedantic)
    target_link_options(${name}.elf PRIVATE -T${board}/lm3s6965.ld -nostartfiles
        -flto-partition=1to1 -Wl,--gc-sections -Wl,-Map=${PROJECT_BINARY_DIR}/${name}.map)
    target_link_libraries(${name}.elf PRIVATE dunlin_mqtt dun_warnings)
    set_target_properties(${name}.elf PROPERTIES LINK_DEPENDS ${board}/lm3s6965.ld)
endfunction()

set(firmware
    ${board}/adc.c
    ${board}/board.c
    ${board}/console.c
    ${board}/ethernet.c
    ${board}/i2c.c
    ${board}/identity.c
    ${board}/led.c
    ${board}/notices_uart.c
    ${board}/sensors.c
    ${board}/storage.c
    ${PROJECT_SOURCE_DIR}/boards/flash_nor.c
    ${PROJECT_SOURCE_DIR}/boards/sensor_lm75.c
    ${PROJECT_SOURCE_DIR}/transport/link_lwip.c
    ${PROJECT_SOURCE_DIR}/transport/sntp_lwip.c)
set(card
    ${board}/flash_sd.c
    ${board}/sdcard.c
    ${board}/shelf_sd.c
    ${board}/storage_card.c)
dun_lm3s_image(dunlin-lm3s6965evb ${firmware} ${card})
target_link_libraries(dunlin-lm3s6965evb.elf PRIVATE dunlin_sntp lwip)

# The same for a board without a card: the log in RAM, the identity in flash.
dun_lm3s_image(dunlin-lm3s6965evb-ram ${firmware} ${board}/storage_ram.c)
target_link_libraries(dunlin-lm3s6965evb-ram.elf PRIVATE dunlin_sntp lwip)

# The first with MQTT 3.1.1 only, and without the parts that base.h lets go.
set(small ${board}/parts_small.c ${PROJECT_SOURCE_DIR}/transport/mqtt/version_3_1_1.c)
dun_lm3s_image(dunlin-lm3s6965evb-small ${firmware} ${card} ${small})
target_link_libraries(dunlin-lm3s6965evb-small.elf PRIVATE dunlin_sntp lwip)

# What tools/bench firmware counts: instructions, and the RAM of the client's structs.
set(bench ${PROJECT_SOURCE_DIR}/tests/bench)
dun_lm3s_image(firmware-cost ${bench}/firmware_cost.c)
dun_lm3s_image(firmware-cost-small ${bench}/firmware_cost.c ${small})
add_library(firmware_sizes OBJECT ${bench}/firmware_sizes.c)
target_include_directories(firmware_sizes PRIVATE ${board} ${PROJECT_SOURCE_DIR}/boards)
target_link_libraries(firmware_sizes PRIVATE dunlin_mqtt dun_warnings)
set_target_properties(firmware_sizes PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)

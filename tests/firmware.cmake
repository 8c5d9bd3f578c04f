# The firmware, built by its own compiler beside the host's programs and run by QEMU.
find_program(ARM_GCC arm-none-eabi-gcc)
if(ARM_GCC)
    include(ExternalProject)
    ExternalProject_Add(firmware
        SOURCE_DIR ${PROJECT_SOURCE_DIR}
        BINARY_DIR ${CMAKE_BINARY_DIR}/firmware
        CMAKE_ARGS -DCMAKE_TOOLCHAIN_FILE=${PROJECT_SOURCE_DIR}/cmake/cortex-m3.cmake
            -DCMAKE_BUILD_TYPE=MinSizeRel -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON
            -DDUN_BOARD=lm3s6965evb -DDUN_WERROR=${DUN_WERROR}
            -DNANOPB_SOURCE_DIR=${NANOPB_SOURCE_DIR}
        BUILD_ALWAYS ON
        INSTALL_COMMAND "")
endif()
# Each of these mostly waits; together they would be the longest test of all.
foreach(part Outages Life InRam Wire Clock Measuring)
    string(TOLOWER ${part} name)
    add_test(NAME interop.firmware_${name} COMMAND ${PYTHON_OF_SYSTEM}
        ${CMAKE_CURRENT_SOURCE_DIR}/interop/test_firmware.py ${part})
    set_tests_properties(interop.firmware_${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77
        COST 50 ENVIRONMENT "DUNLIN_BUILD=${CMAKE_BINARY_DIR}")
endforeach()
dun_interop_test(firmware_config)

# Each module of the firmware by the linker's map, beside boards/lm3s6965evb/budget.txt.
add_test(NAME bench.budget
    COMMAND ${PYTHON_OF_SYSTEM} ${CMAKE_CURRENT_SOURCE_DIR}/bench/test_budget.py)
set_tests_properties(bench.budget PROPERTIES TIMEOUT 60 SKIP_RETURN_CODE 77
    ENVIRONMENT "DUNLIN_BUILD=${CMAKE_BINARY_DIR}")

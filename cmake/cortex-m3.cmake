# Toolchain: Debian's gcc-arm-none-eabi for a Cortex-M3 without an operating system.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
# Flash is short: an assert tells file and line, by the path inside the tree, and nanopb no texts.
# -g1 costs none of it: it tells tools/bench which line an instruction comes from.
get_filename_component(dun_tree ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
string(JOIN " " CMAKE_C_FLAGS_INIT -mcpu=cortex-m3 -mthumb -ffunction-sections -fdata-sections
    -fmacro-prefix-map=${dun_tree}/= -g1 -DDUN_ASSERT_TERSE -DDUN_SEQUENCE_32 -DPB_NO_ERRMSG=1
    -fno-move-loop-invariants -fno-schedule-insns2)
set(CMAKE_EXE_LINKER_FLAGS_INIT "--specs=nano.specs --specs=nosys.specs")

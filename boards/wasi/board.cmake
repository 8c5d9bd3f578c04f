# The component: the daemon as a core module, optimised, made a component by component.py.
set(wasi ${CMAKE_CURRENT_LIST_DIR})
set(INIH_SOURCE_DIR ${PROJECT_SOURCE_DIR}/build/deps/libinih-59 CACHE PATH
    "Source tree of inih; ./tools/setup --wasi puts it here")
find_program(WASM_TOOLS wasm-tools HINTS ${DUN_WASI_DIR}/bin)
find_program(PYTHON python3 HINTS /usr/bin REQUIRED) # the system's has lzma, others may not
find_program(WASM_OPT wasm-opt HINTS ${DUN_WASI_DIR}/node_modules/.bin NO_DEFAULT_PATH)
foreach(needed ${INIH_SOURCE_DIR}/ini.c ${WASM_TOOLS} ${WASM_OPT})
    if(NOT EXISTS ${needed})
        message(FATAL_ERROR "${needed} is not here. Run ./tools/setup --wasi.")
    endif()
endforeach()

set(stack 131072) # Mbed TLS has long numbers on it

# Small before fast: the parts are optimised together, and wasm-opt goes over the whole again.
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    set(small -Oz -flto -mbulk-memory -DDUN_ASSERT_TERSE -DPB_NO_ERRMSG=1
        -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
    add_compile_options(${small})
    foreach(target dunlin_core dun_proto nanopb dunlin_mqtt mbedtls dunlin_tls_mbedtls)
        if(TARGET ${target})
            target_compile_options(${target} PRIVATE ${small})
        endif()
    endforeach()
endif()

# The few calls of libc and of sockets that the agent makes, over WASI 0.2 alone.
add_library(dunlin_wasi STATIC
    ${wasi}/libc/bytes.c
    ${wasi}/libc/files.c
    ${wasi}/libc/folders.c
    ${wasi}/libc/number.c
    ${wasi}/libc/print.c
    ${wasi}/libc/start.c
    ${wasi}/libc/texts.c
    ${wasi}/libc/unpack.c
    ${wasi}/link_wasi.c
    ${wasi}/wait.c
    ${PROJECT_SOURCE_DIR}/transport/tls_name.c)
target_include_directories(dunlin_wasi PUBLIC ${wasi} ${PROJECT_SOURCE_DIR}/transport)
# What the compiler calls by itself must not be optimised away before it does.
target_compile_options(dunlin_wasi PRIVATE -mbulk-memory)
set_source_files_properties(${wasi}/libc/bytes.c ${wasi}/libc/number.c ${wasi}/libc/print.c
    ${wasi}/libc/start.c ${wasi}/libc/texts.c
    PROPERTIES COMPILE_OPTIONS -fno-lto)
target_link_libraries(dunlin_wasi PUBLIC dunlin_core PRIVATE dun_warnings)

add_library(inih STATIC ${INIH_SOURCE_DIR}/ini.c)
set(INIH_INCLUDE_DIR ${INIH_SOURCE_DIR})
set(INIH_LIBRARY inih)
set(hosted_system
    ${wasi}/filesystem_wasi.c
    ${wasi}/flash_host_wasi.c
    ${wasi}/sensor_process_wasi.c
    ${wasi}/system_wasi.c)
# clang 16 takes a nested designator for a forgotten field; the house style is full of them.
target_compile_options(dun_warnings INTERFACE -Wno-missing-field-initializers)
include(${PROJECT_SOURCE_DIR}/boards/hosted/hosted.cmake)
target_link_libraries(dunlin_hosted PUBLIC dunlin_wasi)

set(profile ${wasi}/profile.h)
if(DUN_PROFILE)
    set(profile ${DUN_PROFILE})
endif()
configure_file(${profile} ${PROJECT_BINARY_DIR}/profile/profile.h COPYONLY)

# dun_component(NAME [SMALL]): NAME.wasm, the component made of the executable NAME. SMALL: all that
# is not needed to run it is taken out, which costs a minute.
function(dun_component name)
    set(core ${PROJECT_BINARY_DIR}/${name}.core.wasm)
    set(ready ${PROJECT_BINARY_DIR}/${name}.ready.wasm)
    set(out ${PROJECT_BINARY_DIR}/${name}.wasm)
    set_target_properties(${name} PROPERTIES SUFFIX .core.wasm)
    # Without a crt of the libc: it starts in libc/start.c.
    target_link_libraries(${name} PRIVATE dunlin_wasi)
    # Of the libc's bindings only the section that tells the types of WASI.
    target_link_options(${name} PRIVATE -nostartfiles -Wl,--no-entry,--undefined=dun_wasi_run
        -Wl,--undefined=__component_type_object_force_link_wasip2
        -Wl,--import-memory,-z,stack-size=${stack},-mllvm,-disable-lsr)
    set(optimise ${CMAKE_COMMAND} -E copy ${core} ${ready})
    set(pack)
    if("SMALL" IN_LIST ARGN AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
        # What clang 16 emits. The linker leaves the first 1024 bytes of memory free.
        set(optimise ${WASM_OPT} -Oz --converge --low-memory-unused
            --enable-bulk-memory --enable-sign-ext --enable-mutable-globals
            --enable-nontrapping-float-to-int
            --zero-filled-memory --strip-debug --strip-producers ${core} -o ${ready})
        set(pack --pack ${stack})
    endif()
    add_custom_command(OUTPUT ${out}
        COMMAND ${optimise}
        COMMAND ${PYTHON} ${wasi}/component.py ${pack} ${WASM_TOOLS} ${wasi}/libc ${ready} ${out}
        DEPENDS ${name} ${wasi}/component.py ${wasi}/libc/run.wit ${wasi}/libc/memory.wat
        COMMENT "Making the component ${name}.wasm")
    add_custom_target(${name}_component ALL DEPENDS ${out})
endfunction()

# dun_wasi_daemon(NAME TLS): the component NAME.wasm, with this library or file for TLS.
function(dun_wasi_daemon name tls)
    add_executable(${name} ${wasi}/board.c ${wasi}/rights.c ${PROJECT_SOURCE_DIR}/boards/node.c)
    target_include_directories(${name} PRIVATE ${PROJECT_BINARY_DIR}/profile
        ${PROJECT_SOURCE_DIR}/boards)
    target_link_libraries(${name} PRIVATE ${tls} dunlin_hosted dunlin_mqtt dunlin_wasi
        dun_warnings)
    target_link_options(${name} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-Wl,--strip-all,--gc-sections>)
    dun_component(${name} SMALL)
endfunction()
add_library(dunlin_tls_none STATIC ${PROJECT_SOURCE_DIR}/boards/hosted/tls_none.c)
target_link_libraries(dunlin_tls_none PUBLIC dunlin_hosted PRIVATE dun_warnings)
dun_wasi_daemon(dunlind dunlin_tls_none)
if(DUN_TLS)
    dun_wasi_daemon(dunlind-tls dunlin_tls_host)
endif()

if(DUN_TESTS)
    include(${PROJECT_SOURCE_DIR}/tests/wasi.cmake)
endif()

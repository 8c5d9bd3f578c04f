# The component: the daemon as a core module, optimised, made a component by the preview 1 adapter.
set(wasi ${CMAKE_CURRENT_LIST_DIR})
set(INIH_SOURCE_DIR ${PROJECT_SOURCE_DIR}/build/deps/libinih-59 CACHE PATH
    "Source tree of inih; ./tools/setup --wasi puts it here")
find_program(WASM_TOOLS wasm-tools HINTS ${DUN_WASI_DIR}/bin)
find_program(WASM_OPT wasm-opt HINTS ${DUN_WASI_DIR}/bin)
set(WASI_ADAPTER ${DUN_WASI_DIR}/wasi_snapshot_preview1.command.wasm CACHE FILEPATH
    "Adapter from WASI preview 1, of a command")
foreach(needed ${INIH_SOURCE_DIR}/ini.c ${WASM_TOOLS} ${WASI_ADAPTER})
    if(NOT EXISTS ${needed})
        message(FATAL_ERROR "${needed} is not here. Run ./tools/setup --wasi.")
    endif()
endforeach()

add_library(inih STATIC ${INIH_SOURCE_DIR}/ini.c)
set(INIH_INCLUDE_DIR ${INIH_SOURCE_DIR})
set(INIH_LIBRARY inih)
set(hosted_system
    ${wasi}/filesystem_wasi.c
    ${wasi}/flash_host_wasi.c
    ${wasi}/sensor_process_wasi.c
    ${wasi}/system_wasi.c)
include(${PROJECT_SOURCE_DIR}/boards/hosted/hosted.cmake)

set(profile ${wasi}/profile.h)
if(DUN_PROFILE)
    set(profile ${DUN_PROFILE})
endif()
configure_file(${profile} ${PROJECT_BINARY_DIR}/profile/profile.h COPYONLY)

# dun_component(NAME): NAME.wasm, the component made of the executable NAME.
function(dun_component name)
    set(core ${PROJECT_BINARY_DIR}/${name}.core.wasm)
    set(optimised ${PROJECT_BINARY_DIR}/${name}.opt.wasm)
    set(out ${PROJECT_BINARY_DIR}/${name}.wasm)
    set_target_properties(${name} PROPERTIES SUFFIX .core.wasm)
    # What clang 16 emits; wasm-opt 108 takes all features to mean more than runtimes read.
    set(features --enable-bulk-memory --enable-sign-ext --enable-mutable-globals
        --enable-nontrapping-float-to-int)
    set(optimise ${CMAKE_COMMAND} -E copy ${core} ${optimised})
    if(WASM_OPT AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
        set(optimise ${WASM_OPT} -Oz ${features} --strip-debug --strip-producers ${core}
            -o ${optimised})
    endif()
    add_custom_command(OUTPUT ${out}
        COMMAND ${optimise}
        COMMAND ${WASM_TOOLS} component new ${optimised}
            --adapt wasi_snapshot_preview1=${WASI_ADAPTER} -o ${out}
        DEPENDS ${name} ${WASI_ADAPTER} COMMENT "Making the component ${name}.wasm")
    add_custom_target(${name}_component ALL DEPENDS ${out})
endfunction()

add_executable(dunlind ${wasi}/board.c ${wasi}/resolve_wasi.c ${wasi}/rights.c
    ${PROJECT_SOURCE_DIR}/boards/node.c)
target_include_directories(dunlind PRIVATE ${PROJECT_BINARY_DIR}/profile
    ${PROJECT_SOURCE_DIR}/boards)
target_link_libraries(dunlind PRIVATE dunlin_hosted dunlin_mqtt dunlin_link_posix dun_warnings)
target_link_options(dunlind PRIVATE $<$<NOT:$<CONFIG:Debug>>:-Wl,--strip-all,--gc-sections>)
dun_component(dunlind)

if(DUN_TESTS)
    include(${PROJECT_SOURCE_DIR}/tests/wasi.cmake)
endif()

# Compiles for wasm32-wasip2: with the wasi-sdk at $WASI_SDK_PREFIX if that is set, otherwise with
# Debian's clang, lld and compiler-rt and the libc that tools/setup puts into build/deps/wasi.
set(CMAKE_SYSTEM_NAME WASI)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(DUN_WASI_DIR ${CMAKE_CURRENT_LIST_DIR}/../../build/deps/wasi)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES DUN_WASI_DIR)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_COMPILER_TARGET wasm32-wasip2)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
set(UNIX TRUE)

if(DEFINED ENV{WASI_SDK_PREFIX})
    set(CMAKE_C_COMPILER $ENV{WASI_SDK_PREFIX}/bin/clang)
    set(CMAKE_SYSROOT $ENV{WASI_SDK_PREFIX}/share/wasi-sysroot)
    set(CMAKE_AR $ENV{WASI_SDK_PREFIX}/bin/llvm-ar)
    set(CMAKE_RANLIB $ENV{WASI_SDK_PREFIX}/bin/llvm-ranlib)
    # What is linked here is the core module; component.py makes the component of it.
    set(CMAKE_EXE_LINKER_FLAGS_INIT -fuse-ld=lld)
    set(CMAKE_C_STANDARD_LIBRARIES "-O0 -Wl,-O2")
else()
    set(DUN_WASI_LLVM 16 CACHE STRING "Version of Debian's clang and lld for wasm: 16 or later")
    set(CMAKE_C_COMPILER clang-${DUN_WASI_LLVM})
    set(CMAKE_SYSROOT ${DUN_WASI_DIR}/sysroot)
    set(CMAKE_AR llvm-ar-${DUN_WASI_LLVM}) # the linker reads objects of the same version
    set(CMAKE_RANLIB llvm-ranlib-${DUN_WASI_LLVM})
    file(GLOB builtins
        /usr/lib/llvm-${DUN_WASI_LLVM}/lib/clang/*/lib/wasi/libclang_rt.builtins-wasm32.a)
    set(CMAKE_EXE_LINKER_FLAGS_INIT -nodefaultlibs)
    # At -O0 clang does not run a wasm-opt of its own, which does not know the features in use.
    set(CMAKE_C_STANDARD_LIBRARIES "-lc ${builtins} -O0 -Wl,-O2")
endif()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(DUN_MBEDTLS_CONFIG ${CMAKE_CURRENT_LIST_DIR}/mbedtls_config.h)

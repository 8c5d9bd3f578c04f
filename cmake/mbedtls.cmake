# Mbed TLS for another machine than this one, built from its source with the board's own options:
# DUN_MBEDTLS_CONFIG. Makes the targets that find nothing else by their names.
set(MBEDTLS_SOURCE_DIR ${PROJECT_SOURCE_DIR}/build/deps/mbedtls-2.28.3 CACHE PATH
    "Source tree of Mbed TLS 2.28.3; ./tools/setup --wasi puts it here")
if(NOT EXISTS ${MBEDTLS_SOURCE_DIR}/library/ssl_cli.c)
    message(FATAL_ERROR "Mbed TLS's source is not at ${MBEDTLS_SOURCE_DIR}. Run ./tools/setup "
        "--wasi, name its folder with -DMBEDTLS_SOURCE_DIR=DIR, or configure with -DDUN_TLS=OFF.")
endif()
set(MBEDTLS_INCLUDE_DIR ${MBEDTLS_SOURCE_DIR}/include)
file(GLOB mbedtls_sources ${MBEDTLS_SOURCE_DIR}/library/*.c)
add_library(mbedtls STATIC ${mbedtls_sources})
target_include_directories(mbedtls SYSTEM PUBLIC ${MBEDTLS_INCLUDE_DIR})
target_compile_definitions(mbedtls PUBLIC MBEDTLS_CONFIG_FILE="${DUN_MBEDTLS_CONFIG}")
add_library(mbedx509 INTERFACE)
add_library(mbedcrypto INTERFACE)

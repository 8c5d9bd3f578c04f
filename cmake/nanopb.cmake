# nanopb: the runtime is built from its source package (static allocation only, UTF-8 validated),
# the generator comes from the distribution's nanopb package. Makes the targets `nanopb` and
# `dun_proto` (telemetry.pb.h and its descriptors).
set(NANOPB_SOURCE_DIR ${PROJECT_SOURCE_DIR}/build/deps/nanopb-0.4.7 CACHE PATH
    "Source tree of nanopb 0.4.7; ./tools/setup puts it here")
if(NOT EXISTS ${NANOPB_SOURCE_DIR}/pb_encode.c)
    message(FATAL_ERROR "nanopb's source is not at ${NANOPB_SOURCE_DIR}. Run ./tools/setup, or "
        "name its folder with -DNANOPB_SOURCE_DIR=DIR.")
endif()
find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_GEN_NANOPB protoc-gen-nanopb REQUIRED)

add_library(nanopb STATIC ${NANOPB_SOURCE_DIR}/pb_common.c ${NANOPB_SOURCE_DIR}/pb_encode.c
    ${NANOPB_SOURCE_DIR}/pb_decode.c)
target_include_directories(nanopb SYSTEM PUBLIC $<BUILD_INTERFACE:${NANOPB_SOURCE_DIR}>)
target_compile_definitions(nanopb PUBLIC PB_VALIDATE_UTF8=1)

set(proto_dir ${PROJECT_SOURCE_DIR}/proto)
set(generated ${PROJECT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${generated})
add_custom_command(
    OUTPUT ${generated}/telemetry.pb.c ${generated}/telemetry.pb.h
    COMMAND ${PROTOC} -I${proto_dir} --plugin=protoc-gen-nanopb=${PROTOC_GEN_NANOPB}
        --nanopb_out=${generated} ${proto_dir}/telemetry.proto
    DEPENDS ${proto_dir}/telemetry.proto ${proto_dir}/telemetry.options
    COMMENT "Generating telemetry.pb.c")
add_library(dun_proto STATIC ${generated}/telemetry.pb.c)
target_include_directories(dun_proto SYSTEM PUBLIC $<BUILD_INTERFACE:${generated}>)
target_link_libraries(dun_proto PUBLIC nanopb)

# A self-contained descriptor for consumers that load one (EMQX, HiveMQ, AWS IoT).
add_custom_command(
    OUTPUT ${PROJECT_BINARY_DIR}/telemetry.desc
    COMMAND ${PROTOC} -I${proto_dir} --include_imports
        --descriptor_set_out=${PROJECT_BINARY_DIR}/telemetry.desc ${proto_dir}/telemetry.proto
    DEPENDS ${proto_dir}/telemetry.proto)
add_custom_target(dun_descriptor ALL DEPENDS ${PROJECT_BINARY_DIR}/telemetry.desc)

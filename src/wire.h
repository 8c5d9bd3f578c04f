/*
 * wire.h: writing single protobuf fields into a nanopb stream. The tags come from the generated
 * telemetry.pb.h; the fields are written straight from our own structs, so that no message needs
 * a second copy in RAM.
 */
#ifndef DUN_WIRE_H
#define DUN_WIRE_H

#include <pb_encode.h>

#include "base.h"

bool dun_wire_uint(pb_ostream_t *out, uint32_t tag, uint64_t value);
bool dun_wire_sint(pb_ostream_t *out, uint32_t tag, int64_t value);
bool dun_wire_int(pb_ostream_t *out, uint32_t tag, int64_t value);
bool dun_wire_fixed32(pb_ostream_t *out, uint32_t tag, uint32_t value);
bool dun_wire_fixed64(pb_ostream_t *out, uint32_t tag, uint64_t value);
bool dun_wire_string(pb_ostream_t *out, uint32_t tag, const char *text);

/* Writes field `tag` as what `body` writes, length first: `body` runs twice and must write the
 * same bytes both times. */
typedef bool (*dun_wire_body)(pb_ostream_t *out, const void *context);
bool dun_wire_message(pb_ostream_t *out, uint32_t tag, dun_wire_body body, const void *context);

/* The bytes that `body` writes; 0 if it fails. */
size_t dun_wire_size(dun_wire_body body, const void *context);

/* Runs `body` and keeps only bytes offset..offset+size of what it writes: a message too large for
 * RAM is read in pieces. Cost: one whole encoding a call. False if it wrote fewer bytes. */
bool dun_wire_window(dun_wire_body body, const void *context, size_t offset,
                     struct dun_buffer window);

#endif

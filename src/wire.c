/* wire.c: single protobuf fields, and messages whose length is known only after writing them. */
#include "wire.h"

#include <string.h>

bool dun_wire_uint(pb_ostream_t *out, uint32_t tag, uint64_t value)
{
    return pb_encode_tag(out, PB_WT_VARINT, tag) && pb_encode_varint(out, value);
}

bool dun_wire_sint(pb_ostream_t *out, uint32_t tag, int64_t value)
{
    return pb_encode_tag(out, PB_WT_VARINT, tag) && pb_encode_svarint(out, value);
}

bool dun_wire_int(pb_ostream_t *out, uint32_t tag, int64_t value)
{
    return dun_wire_uint(out, tag, (uint64_t)value);
}

bool dun_wire_fixed32(pb_ostream_t *out, uint32_t tag, uint32_t value)
{
    return pb_encode_tag(out, PB_WT_32BIT, tag) && pb_encode_fixed32(out, &value);
}

bool dun_wire_fixed64(pb_ostream_t *out, uint32_t tag, uint64_t value)
{
    return pb_encode_tag(out, PB_WT_64BIT, tag) && pb_encode_fixed64(out, &value);
}

bool dun_wire_string(pb_ostream_t *out, uint32_t tag, const char *text)
{
    return pb_encode_tag(out, PB_WT_STRING, tag) &&
           pb_encode_string(out, (const pb_byte_t *)text, strlen(text));
}

bool dun_wire_message(pb_ostream_t *out, uint32_t tag, dun_wire_body body, const void *context)
{
    pb_ostream_t sizing = PB_OSTREAM_SIZING;
    if (!body(&sizing, context) || !pb_encode_tag(out, PB_WT_STRING, tag) ||
        !pb_encode_varint(out, sizing.bytes_written))
        return false;
    if (!out->callback) /* only its size is wanted: what is nested is not gone through again */
        return pb_write(out, NULL, sizing.bytes_written);
    return body(out, context);
}

size_t dun_wire_size(dun_wire_body body, const void *context)
{
    pb_ostream_t sizing = PB_OSTREAM_SIZING;
    return body(&sizing, context) ? sizing.bytes_written : 0;
}

struct window_state {
    size_t skip; /* bytes still before the window */
    size_t filled;
    struct dun_buffer window;
};

static bool write_window(pb_ostream_t *out, const pb_byte_t *bytes, size_t count)
{
    struct window_state *state = out->state;
    size_t skipped = count < state->skip ? count : state->skip;
    state->skip -= skipped;
    size_t room = state->window.size - state->filled;
    size_t kept = count - skipped < room ? count - skipped : room;
    if (kept > 0)
        memcpy(state->window.data + state->filled, bytes + skipped, kept);
    state->filled += kept;
    return true;
}

bool dun_wire_window(dun_wire_body body, const void *context, size_t offset,
                     struct dun_buffer window)
{
    struct window_state state = {.skip = offset, .window = window};
    pb_ostream_t out = {.callback = write_window, .state = &state, .max_size = SIZE_MAX};
    return body(&out, context) && state.filled == window.size;
}

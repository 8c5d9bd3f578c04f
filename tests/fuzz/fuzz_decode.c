/*
 * fuzz_decode.c: hostile payloads for the decoder of the tools, in every format. The first byte
 * chooses the channel and the format; the rest is a stream of records, each two bytes of length
 * and its payload, so that what one record teaches meets the next.
 *
 * Promises checked: no crash, no read outside the payload (which lies in a block of exactly its
 * size), nothing rendered of a refused record, and JSON lines that are whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decoder.h"

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static struct dun_decoder decoder;
static struct dun_renderer renderer;
static struct dun_out out;

static void feed(enum dun_channel channel, const uint8_t *data, size_t size)
{
    struct dun_complaint complaint = {.offset = 0};
    uint8_t *copy = malloc(size + 1);
    memcpy(copy + 1, data, size);
    uint64_t before = renderer.points + renderer.notes + renderer.omitted;
    int result = dun_decoder_feed(&decoder, channel, dun_span_of("fuzz"),
                                  (struct dun_span){copy + 1, size}, &complaint);
    if (result < 0) {
        DUN_ASSERT(renderer.points + renderer.notes + renderer.omitted == before);
        DUN_ASSERT(complaint.offset <= size);
        DUN_ASSERT(complaint.text[0] != '\0');
    } else if (renderer.format == &dun_render_json && out.used > 0) {
        DUN_ASSERT(out.data[out.used - 1] == '\n');
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = {"json", "csv", "influx", "table", "none"};
    if (size == 0) {
        return 0;
    }
    dun_out_init(&out, -1);
    dun_render_begin(&renderer, dun_render_find(formats[data[0] / 8 % 5]), &out);
    DUN_ASSERT(dun_decoder_init(&decoder, &renderer) == 0);
    enum dun_channel channel = (enum dun_channel)(data[0] % 8 % 7);
    for (size_t at = 1; at + 2 <= size;) {
        size_t length = (size_t)data[at] | (size_t)data[at + 1] << 8;
        at += 2;
        length = length < size - at ? length : size - at;
        feed(channel, data + at, length);
        at += length;
    }
    dun_decoder_free(&decoder);
    return 0;
}

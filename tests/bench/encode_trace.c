/*
 * encode_trace.c: a trace as records of so many points, or seconds, each, by the unchanged encoder.
 *
 *     encode_trace POINTS|SECONDSs [TRACE] > RECORDS
 *
 * A line of the trace, or of stdin, is "uptime_ms metric value", in order of time. The records are
 * delimited dunlin.v1.Batch messages, each self-contained, as a device with a known clock would
 * send them. With POINTS 0 nothing is encoded: what that costs is what reading the trace costs. On
 * a Cortex-M3 it tells the instructions of gathering and encoding on stderr: see cost.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cost.h"
#include "encoder.h"

enum { POINTS_MAX = 65000, METRICS_MAX = 2048, RECORD_MAX = 1 << 20 };

static struct dun_point points[POINTS_MAX];
static struct dun_chain chains[METRICS_MAX];
static struct dun_metric metrics[METRICS_MAX];
static uint8_t record_bytes[RECORD_MAX];
static struct dun_batch batch;
static struct dun_catalog catalog;
static struct dun_clock device_clock;
static struct dun_loss losses[2];
static struct dun_ledger ledger;

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static void put_varint(uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        putchar((int)(value & 0x7F) | 0x80);
    putchar((int)value);
}

static void seal(dun_sequence sequence)
{
    struct dun_record record = {.device = "bench",
                                .stream = UINT64_C(0x8f3a5c1e7d926b04),
                                .sequence = sequence,
                                .clock = &device_clock,
                                .catalog = &catalog,
                                .ledger = &ledger,
                                .batch = &batch,
                                .point_count = batch.count};
    pb_ostream_t sizing = PB_OSTREAM_SIZING;
    pb_ostream_t out = pb_ostream_from_buffer(record_bytes, sizeof record_bytes);
    bench_cost_begin();
    if (!dun_columns.encode(&sizing, &record) || !dun_columns.encode(&out, &record) ||
        out.bytes_written != sizing.bytes_written)
        abort();
    bench_cost_end();
    put_varint(out.bytes_written);
    (void)fwrite(record_bytes, 1, out.bytes_written, stdout);
    dun_batch_consume(&batch, batch.count);
}

static void add(uint16_t metric, int64_t value, dun_ms uptime_ms)
{
    bench_cost_begin();
    int result = dun_batch_add(&batch, metric, value, uptime_ms);
    bench_cost_end();
    if (result < 0)
        abort();
}

int main(int argc, char **argv)
{
    char *unit = NULL;
    unsigned long limit = argc >= 2 ? strtoul(argv[1], &unit, 10) : POINTS_MAX;
    if (argc < 2 || argc > 3 || limit >= POINTS_MAX ||
        (argc == 3 && !freopen(argv[2], "r", stdin))) {
        fprintf(stderr, "usage: encode_trace POINTS|SECONDSs [TRACE] > RECORDS\n");
        return 2;
    }
    bool by_age = *unit == 's';
    dun_ms step_ms, uptime_ms;
    uint16_t metric;
    int64_t value;
    dun_sequence sequence = 1000; /* a stream that has run for a while */
    dun_batch_init(&batch, points, POINTS_MAX, chains, METRICS_MAX);
    dun_catalog_init(&catalog, metrics, METRICS_MAX);
    catalog.hash = 0x5eed1234;
    dun_ledger_init(&ledger, losses, 2);
    dun_clock_init(&device_clock, 0xb0070001, 0, 3600 * 1000);
    dun_clock_set(&device_clock, 0, INT64_C(1790000000000), &step_ms);
    dun_clock_stored(&device_clock);
    while (scanf("%" SCNd64 " %" SCNu16 " %" SCNd64, &uptime_ms, &metric, &value) == 3) {
        if (by_age && batch.count > 0 && uptime_ms >= batch.base_ms + (dun_ms)limit * 1000)
            seal(sequence++);
        if (limit > 0)
            add(metric, value, uptime_ms);
        if (!by_age && limit > 0 && batch.count == limit)
            seal(sequence++);
    }
    if (batch.count > 0)
        seal(sequence);
    bench_cost_tell();
    return 0;
}

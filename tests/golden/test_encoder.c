/*
 * test_encoder.c: what the core encodes, the tools decode: random points through batch and both
 * encoders, then parsed by SPEC.md's rules and compared point by point. The renderer is the test's
 * own: it collects the series.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "decoder.h"
#include "encoder.h"
#include "messages.h"
#include "real.h"
#include "wire.h"

enum { POINTS = 2000, METRICS = 12 };

struct point {
    int64_t value;
    int64_t time; /* unix if dated, else uptime */
};

static struct {
    struct dun_point points[POINTS];
    struct dun_chain chains[METRICS];
    struct dun_batch batch;
    struct dun_metric metrics[METRICS];
    struct dun_catalog catalog;
    struct dun_clock clock;
    struct dun_loss losses[8];
    struct dun_ledger ledger;
    struct dun_record record;
    uint8_t bytes[65536];
    struct dun_decoder decoder;
    struct dun_renderer renderer;
    struct dun_out out;
    char names[METRICS][16];
    struct point expected[METRICS][POINTS];
    size_t expected_count[METRICS];
    size_t seen[METRICS];
    size_t notes;
} f;

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (random_state >> 33) % below;
}

/// The renderer of this test ///

static size_t metric_of(struct dun_span name)
{
    for (size_t i = 0; i < METRICS; i++) {
        if (dun_span_equal(name, dun_span_of(f.names[i]))) {
            return i;
        }
    }
    fail_msg("a metric that nobody declared");
    return 0;
}

static double scaled(const struct dun_series *series, size_t index, int exponent)
{
    double value = series->reals != NULL ? series->reals[index] : (double)series->values[index];
    for (int i = 0; series->reals == NULL && i < -exponent; i++) {
        value /= 10;
    }
    return value;
}

static void check_series(struct dun_renderer *renderer, const struct dun_series *series)
{
    (void)renderer;
    size_t metric = metric_of(series->metric);
    assert_true(dun_span_equal(series->device, dun_span_of("d1")));
    assert_true(dun_span_equal(series->unit, dun_span_of("By")));
    assert_true(series->named);
    assert_int_equal(series->stream, f.record.stream);
    assert_int_equal(series->sequence, f.record.sequence);
    for (size_t i = 0; i < series->count; i++) {
        size_t at = f.seen[metric]++;
        assert_true(at < f.expected_count[metric]);
        const struct point *expected = &f.expected[metric][at];
        int64_t time = series->uptimes[i] + (series->has_time ? series->offset_ms : 0);
        assert_int_equal(time, expected->time);
        if (series->reals == NULL) {
            assert_int_equal(series->values[i], expected->value);
            assert_int_equal(series->exponent, f.metrics[metric].exponent);
        } else {
            struct dun_series whole = {.values = &expected->value};
            double due = scaled(&whole, 0, f.metrics[metric].exponent);
            double off = scaled(series, i, 0) - due;
            assert_true(off <= 1e-9 * (due < 0 ? -due : due) &&
                        -off <= 1e-9 * (due < 0 ? -due : due));
        }
    }
}

static void count_note(struct dun_renderer *renderer, const struct dun_note *note)
{
    (void)renderer;
    (void)note;
    f.notes++;
}

static const struct dun_render_format checking = {
    .name = "checking", .series = check_series, .note = count_note};

/// Making records ///

static void begin(uint64_t seed)
{
    memset(&f, 0, sizeof f);
    random_state = seed;
    dun_batch_init(&f.batch, f.points, POINTS, f.chains, METRICS);
    dun_catalog_init(&f.catalog, f.metrics, METRICS);
    dun_clock_init(&f.clock, 0xB007, 0, 1000);
    dun_ledger_init(&f.ledger, f.losses, 8);
    dun_ledger_stamp(&f.ledger, 0xB007, 55);
    for (size_t i = 0; i < METRICS; i++) {
        (void)snprintf(f.names[i], sizeof f.names[i], "metric.%zu", i);
        struct dun_metric metric = {
            .name = f.names[i], .unit = "By", .kind = DUN_GAUGE, .exponent = (int8_t)(-(int)i % 4)};
        assert_int_equal(dun_catalog_add(&f.catalog, &metric), i);
    }
    f.record = (struct dun_record){.device = "d1",
                                   .stream = 77,
                                   .sequence = 1 + draw(1000000),
                                   .clock = &f.clock,
                                   .catalog = &f.catalog,
                                   .ledger = &f.ledger,
                                   .batch = &f.batch,
                                   .metric_end = METRICS};
    dun_out_init(&f.out, -1);
    dun_render_begin(&f.renderer, &checking, &f.out);
    assert_int_equal(dun_decoder_init(&f.decoder, &f.renderer), 0);
}

static int64_t random_value(size_t metric, int64_t before)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MAX, 0, -1, 1};
    switch (metric % 4) {
    case 0:
        return 42;
    case 1:
        return before + (int64_t)draw(7) - 3;
    case 2:
        return extremes[draw(5)];
    default:
        return (int64_t)draw(UINT64_C(1) << 31) - (1 << 30);
    }
}

/* Sensors that are read at intervals, some of them late. Plain rows hold doubles: no extremes. */
static void add_points(size_t count, int64_t offset_ms, bool plain)
{
    int64_t uptime = (int64_t)draw(1000000);
    for (size_t i = 0; i < count;) {
        uptime += 1000 + (int64_t)(draw(4) == 0 ? draw(5) : 0);
        for (size_t metric = 0; metric < METRICS && i < count; metric++) {
            if (draw(5) == 0) {
                continue;
            }
            size_t at = f.expected_count[metric]++;
            int64_t before = at > 0 ? f.expected[metric][at - 1].value : 0;
            size_t shape = plain && metric % 4 == 2 ? metric + 1 : metric;
            struct point point = {random_value(shape, before), uptime + offset_ms};
            f.expected[metric][at] = point;
            assert_int_equal(dun_batch_add(&f.batch, (uint16_t)metric, point.value, uptime),
                             DUN_OK);
            i++;
        }
    }
    f.record.point_count = f.batch.count;
}

/// Doubles ///

enum { REALS = 300 };

static struct {
    struct dun_agent agent;
    double expected[METRICS][REALS];
    size_t seen[METRICS];
} r;

/* Bit by bit: NaN is not equal to itself, and 0 is to -0. */
static void check_reals(struct dun_renderer *renderer, const struct dun_series *series)
{
    (void)renderer;
    size_t metric = metric_of(series->metric);
    assert_non_null(series->reals);
    for (size_t i = 0; i < series->count; i++) {
        const double *expected = &r.expected[metric][r.seen[metric]++];
        if (memcmp(expected, &series->reals[i], sizeof *expected) != 0) {
            fail_msg("%.17g came out as %.17g", *expected, series->reals[i]);
        }
    }
}

static const struct dun_render_format checking_reals = {
    .name = "checking", .series = check_reals, .note = count_note};

static double any_bits(void)
{
    uint64_t bits = draw(UINT64_C(1) << 31) << 33 ^ draw(UINT64_C(1) << 31) << 11 ^ draw(1 << 11);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What sources give: decimals, decimals and a rare fault, floats, noise, a constant, anything. */
static double random_real(size_t metric, double before)
{
    static const double odd[] = {-0.0, 5e-324, 1e308, 9007199254740993.0, 1e22, 1e23, 0.1 + 0.2};
    switch (metric % 8) {
    case 0:
        return (double)((int64_t)draw(2000) - 1000) / 100;
    case 1:
        return draw(30) > 0 ? (double)draw(1 << 20) / 1e6 : odd[draw(7)];
    case 2:
        return (double)(float)draw(100000) / 3.0F;
    case 3:
        return before + (double)draw(1 << 30) / (1 << 29);
    case 4:
        return 0;
    case 5:
        return draw(4) > 0 ? 1.25e-3 : draw(2) > 0 ? NAN : -INFINITY;
    case 6:
        return (double)draw(1000) * 1e25;
    default:
        return any_bits();
    }
}

static void declare_reals(void)
{
    for (size_t i = 0; i < METRICS; i++) {
        f.metrics[i].real = true;
    }
    r.agent.recorder = (struct dun_recorder){
        .limits = {.points_max = POINTS, .bytes_max = UINT32_MAX, .age_max_ms = UINT32_MAX},
        .catalog = &f.catalog,
        .batch = &f.batch,
        .stats = &r.agent.stats,
        .notices = &r.agent.notices,
        .blocked_until_ms = DUN_MS_NEVER};
}

static void check_bits(const struct dun_encoder *encoder, enum dun_channel channel, size_t count)
{
    struct dun_complaint complaint;
    pb_ostream_t sizing = PB_OSTREAM_SIZING;
    pb_ostream_t out = pb_ostream_from_buffer(f.bytes, sizeof f.bytes);
    f.renderer.format = &checking_reals;
    f.record.point_count = f.batch.count;
    assert_true(encoder->encode(&sizing, &f.record) && encoder->encode(&out, &f.record));
    assert_int_equal(out.bytes_written, sizing.bytes_written);
    struct dun_span payload = {f.bytes, out.bytes_written};
    memset(r.seen, 0, sizeof r.seen);
    if (dun_decoder_feed(&f.decoder, channel, dun_span_of("d1"), payload, &complaint) < 0) {
        fail_msg("%s: %s", encoder->name, complaint.text);
    }
    for (size_t metric = 0; metric < METRICS; metric++) {
        assert_int_equal(r.seen[metric], count);
    }
}

static void doubles_decode_to_the_bits_they_were(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        memset(&r, 0, sizeof r);
        begin(seed);
        declare_reals();
        size_t count = 1 + (size_t)draw(seed < 5 ? 160 : 20);
        for (size_t i = 0; i < count; i++) {
            for (size_t metric = 0; metric < METRICS; metric++) {
                double *value = &r.expected[metric][i];
                *value = random_real(metric, i > 0 ? value[-1] : 0);
                assert_int_equal(
                    dun_agent_record_real(&r.agent, (uint16_t)metric, *value, (dun_ms)i * 1000), 0);
            }
        }
        check_bits(&dun_columns, DUN_CHANNEL_BATCH, count);
        if (seed >= 5) {
            check_bits(&dun_plain, DUN_CHANNEL_SAMPLES, count);
        }
        dun_decoder_free(&f.decoder);
    }
}

static void decode(const struct dun_encoder *encoder, enum dun_channel channel)
{
    struct dun_complaint complaint = {.offset = 0};
    pb_ostream_t out = pb_ostream_from_buffer(f.bytes, sizeof f.bytes);
    assert_true(encoder->encode(&out, &f.record));
    struct dun_span payload = {f.bytes, out.bytes_written};
    if (dun_decoder_feed(&f.decoder, channel, dun_span_of("d1"), payload, &complaint) < 0) {
        fail_msg("%s: %s", encoder->name, complaint.text);
    }
    for (size_t i = 0; i < METRICS; i++) {
        assert_int_equal(f.seen[i], f.expected_count[i]);
    }
    dun_decoder_free(&f.decoder);
    memset(f.seen, 0, sizeof f.seen);
    f.notes = 0;
}

/* States through both forms: the integer, and the name that its metric has for it. */
static void collect_state(struct dun_renderer *renderer, const struct dun_series *series)
{
    static const char *const expected[] = {"down", "up", "?", "false", "true", "?"};
    (void)renderer;
    for (size_t i = 0; i < series->count; i++) {
        struct dun_span name = dun_render_state(series, i);
        const char *due = expected[f.notes++];
        assert_true(name.data != NULL ? dun_span_equal(name, dun_span_of(due)) : due[0] == '?');
    }
}

static void states_keep_their_names(void **state)
{
    static const char *const names[] = {"down", "up"};
    static const struct dun_render_format collecting = {.name = "c", .series = collect_state};
    static const struct {
        const struct dun_encoder *encoder;
        enum dun_channel channel;
    } forms[] = {{&dun_columns, DUN_CHANNEL_BATCH}, {&dun_plain, DUN_CHANNEL_SAMPLES}};
    (void)state;
    for (size_t form = 0; form < 2; form++) {
        struct dun_complaint complaint;
        begin(1);
        f.catalog.count = 0;
        f.catalog.hash = 0;
        struct dun_metric metric = {
            .name = "s", .unit = "1", .kind = DUN_STATE, .states = names, .state_count = 2};
        assert_int_equal(dun_catalog_add(&f.catalog, &metric), 0);
        metric = (struct dun_metric){.name = "b", .unit = "1", .kind = DUN_BOOLEAN};
        assert_int_equal(dun_catalog_add(&f.catalog, &metric), 1);
        f.record.metric_end = 2;
        f.renderer.format = &collecting;
        for (uint16_t one = 0; one < 2; one++) {
            for (int value = 0; value < 3; value++) {
                assert_int_equal(dun_batch_add(&f.batch, one, value, 1000), DUN_OK);
            }
        }
        f.record.point_count = f.batch.count;
        pb_ostream_t out = pb_ostream_from_buffer(f.bytes, sizeof f.bytes);
        assert_true(forms[form].encoder->encode(&out, &f.record));
        struct dun_span payload = {f.bytes, out.bytes_written};
        assert_int_equal(dun_decoder_feed(&f.decoder, forms[form].channel, dun_span_of("d1"),
                                          payload, &complaint),
                         0);
        assert_int_equal(f.notes, 6);
        dun_decoder_free(&f.decoder);
    }
}

/// Tests ///

static void batches_decode_to_their_points(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        begin(seed);
        add_points(1 + (size_t)draw(seed < 5 ? POINTS - METRICS : 100), 0, false);
        decode(&dun_columns, DUN_CHANNEL_BATCH);
    }
}

static void dated_batches_decode_to_unix_time(void **state)
{
    (void)state;
    dun_ms step_ms;
    begin(1);
    (void)dun_clock_set(&f.clock, 500, INT64_C(1767225600500), &step_ms);
    add_points(100, INT64_C(1767225600000), false);
    decode(&dun_columns, DUN_CHANNEL_BATCH);
}

static void plain_samples_decode_to_their_points(void **state)
{
    (void)state;
    dun_ms step_ms;
    for (uint64_t seed = 0; seed < 50; seed++) {
        begin(seed);
        (void)dun_clock_set(&f.clock, 500, INT64_C(1767225600500), &step_ms);
        add_points(1 + (size_t)draw(100), INT64_C(1767225600000), true);
        decode(&dun_plain, DUN_CHANNEL_SAMPLES);
    }
}

/* Losses and anchors beside points: as many notes as there were entries. */
static void ledger_and_anchors_arrive(void **state)
{
    (void)state;
    struct dun_complaint complaint;
    dun_ms step_ms;
    begin(3);
    (void)dun_clock_set(&f.clock, 500, INT64_C(1767225600500), &step_ms);
    dun_ledger_add(&f.ledger, 5, 9, DUN_LOSS_OVERFLOW);
    dun_ledger_add(&f.ledger, 20, 20, DUN_LOSS_DAMAGED);
    dun_ledger_add_points(&f.ledger, 3, DUN_LOSS_STORAGE);
    f.record.loss_count = dun_ledger_untold(&f.ledger);
    pb_ostream_t out = pb_ostream_from_buffer(f.bytes, sizeof f.bytes);
    assert_true(dun_columns.encode(&out, &f.record));
    struct dun_span payload = {f.bytes, out.bytes_written};
    assert_int_equal(
        dun_decoder_feed(&f.decoder, DUN_CHANNEL_BATCH, dun_span_of("d1"), payload, &complaint), 0);
    const dunlin_v1_Loss *losses = f.decoder.record.losses.items;
    assert_int_equal(f.decoder.record.losses.count, 3);
    uint64_t lost = 0;
    for (size_t i = 0; i < 3; i++) {
        lost += losses[i].has_first ? losses[i].last - losses[i].first + 1 : losses[i].points;
        assert_true(losses[i].has_boot && losses[i].boot == 0xB007);
    }
    assert_int_equal(lost, 5 + 1 + 3);
    assert_int_equal(f.decoder.record.anchors.count, f.clock.anchor_count);
    assert_int_equal(f.notes, METRICS + 3u + f.clock.anchor_count);
    dun_decoder_free(&f.decoder);
}

/* An announcement in two parts, each verified by its hash, and the retained messages. */
static void dictionaries_arrive_in_parts_and_whole(void **state)
{
    (void)state;
    struct dun_complaint complaint;
    begin(4);
    struct dun_about about = {.device = "d1",
                              .fleet = "f",
                              .board = "b",
                              .firmware = "1",
                              .encoding = "columns",
                              .stream = 77,
                              .catalog = &f.catalog};
    for (int part = 0; part < 2; part++) {
        f.record.metric_first = part == 0 ? 0 : 5;
        f.record.metric_end = METRICS;
        pb_ostream_t out = pb_ostream_from_buffer(f.bytes, sizeof f.bytes);
        assert_true(dun_columns.encode(&out, &f.record));
        struct dun_span payload = {f.bytes, out.bytes_written};
        assert_int_equal(
            dun_decoder_feed(&f.decoder, DUN_CHANNEL_BATCH, dun_span_of("d1"), payload, &complaint),
            0);
        f.record.sequence++;
    }
    struct {
        dun_wire_body body;
        enum dun_channel channel;
    } retained[] = {{dun_catalog_write, DUN_CHANNEL_CATALOG}, {dun_about_write, DUN_CHANNEL_ABOUT}};
    for (size_t i = 0; i < 2; i++) {
        size_t size = dun_wire_size(retained[i].body, &about);
        struct dun_buffer window = {f.bytes, size};
        assert_true(dun_wire_window(retained[i].body, &about, 0, window));
        assert_int_equal(dun_decoder_feed(&f.decoder, retained[i].channel, dun_span_of("d1"),
                                          (struct dun_span){f.bytes, size}, &complaint),
                         0);
    }
    const struct dun_metric_text *last = dun_knowledge_metric(
        &f.decoder.knowledge, dun_span_of("d1"), 77, f.catalog.hash, METRICS - 1);
    assert_non_null(last);
    assert_true(dun_span_equal(last->name, dun_span_of(f.names[METRICS - 1])));
    dun_decoder_free(&f.decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_decode_to_their_points),
        cmocka_unit_test(dated_batches_decode_to_unix_time),
        cmocka_unit_test(doubles_decode_to_the_bits_they_were),
        cmocka_unit_test(plain_samples_decode_to_their_points),
        cmocka_unit_test(states_keep_their_names),
        cmocka_unit_test(ledger_and_anchors_arrive),
        cmocka_unit_test(dictionaries_arrive_in_parts_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

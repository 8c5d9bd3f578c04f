/*
 * test_seal.c: what makes a record of the open points: so many points, so many bytes, their age, an
 * urgent one, and the largest packet that the broker takes. Each alone, and no sooner.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent.h"
#include "fake_uplink.h"
#include "flash_ram.h"

enum { POINTS = 512, METRICS = 4, WINDOW = 8, BLOCK = 4096, BLOCKS = 32 };

static struct {
    struct dun_agent agent;
    struct dun_store store;
    struct dun_catalog catalog;
    struct dun_metric metrics[METRICS];
    struct dun_batch batch;
    struct dun_point points[POINTS];
    struct dun_chain chains[METRICS];
    struct dun_limit limits[METRICS];
    struct dun_window_slot window[WINDOW];
    struct dun_loss losses[8];
    struct dun_flash flash;
    uint8_t bytes[BLOCK * BLOCKS + 64];
    uint8_t unit[16];
    struct fake_uplink broker;
    uint64_t noise;
    dun_ms now;
} f;

static void start(const struct dun_agent_config *limits, uint32_t packet_max)
{
    struct dun_flash_geometry geometry = {BLOCK, BLOCKS, 4};
    struct dun_buffer memory = {f.bytes, sizeof f.bytes};
    struct dun_agent_config config = *limits;
    memset(&f, 0, sizeof f);
    fake_uplink_init(&f.broker);
    f.broker.packet_max = packet_max;
    assert_int_equal(dun_flash_ram_init(&f.flash, geometry, memory), DUN_OK);
    dun_catalog_init(&f.catalog, f.metrics, METRICS);
    dun_batch_init(&f.batch, f.points, POINTS, f.chains, METRICS);
    config.device = "d1";
    config.boot = 9;
    dun_store_init(&f.store, &(struct dun_store_config){.flash = &f.flash,
                                                        .unit = {f.unit, sizeof f.unit},
                                                        .losses = f.losses,
                                                        .losses_max = 8,
                                                        .new_stream = 1});
    struct dun_agent_parts parts = {
        .catalog = &f.catalog,
        .batch = &f.batch,
        .store = &f.store,
        .limits = f.limits,
        .window = f.window,
        .window_max = WINDOW,
        .uplink = &f.broker.uplink,
        .uplink_config = {.host = "broker", .port = 1883, .client_id = "d1"},
    };
    assert_int_equal(dun_agent_init(&f.agent, &config, &parts, f.now, NULL), DUN_OK);
    for (int i = 0; i < METRICS; i++) {
        struct dun_metric metric = {.name = "m", .unit = "1", .kind = DUN_GAUGE};
        assert_int_equal(dun_agent_declare(&f.agent, &metric), i);
    }
    for (int i = 0; i < 20; i++) { /* connects, and the announcement is out of the way */
        f.now += 100;
        dun_agent_step(&f.agent, f.now);
    }
    assert_true(dun_agent_is_up(&f.agent));
}

static void record(int64_t value)
{
    f.noise = f.noise * 6364136223846793005u + 1442695040888963407u;
    uint16_t metric = (uint16_t)(f.batch.count % METRICS);
    assert_int_equal(dun_agent_record(&f.agent, metric, value, f.now), DUN_OK);
}

static uint64_t stored(void)
{
    return dun_agent_stats(&f.agent)->points_recorded;
}

static void step(dun_ms ms)
{
    f.now += ms;
    dun_agent_step(&f.agent, f.now);
}

/* The last batch that reached the broker. */
static const struct fake_message *last(void)
{
    return fake_uplink_message(&f.broker, "batch", fake_uplink_count(&f.broker, "batch") - 1);
}

#define NEVER_MS (24u * 60 * 60 * 1000)

static void by_points(void **state)
{
    (void)state;
    start(&(struct dun_agent_config){.batch_points_max = 7,
                                     .batch_bytes_max = 60000,
                                     .batch_age_max_ms = NEVER_MS},
          0);
    for (int i = 0; i < 6; i++) {
        record(i);
        step(1);
    }
    assert_int_equal(stored(), 0);
    record(6);
    step(1);
    assert_int_equal(stored(), 7);
}

static void by_bytes(void **state)
{
    (void)state;
    for (uint32_t bytes = 200; bytes <= 800; bytes *= 2) {
        start(&(struct dun_agent_config){.batch_points_max = POINTS,
                                         .batch_bytes_max = bytes,
                                         .batch_age_max_ms = NEVER_MS},
              0);
        for (int i = 0; stored() == 0; i++) {
            assert_true(i < POINTS - 1);
            record((int64_t)(f.noise >> 40));
            step(1000);
        }
        step(1);
        assert_in_range(last()->size, bytes * 3 / 4, bytes * 5 / 4);
    }
}

static void by_age(void **state)
{
    (void)state;
    start(&(struct dun_agent_config){.batch_points_max = POINTS,
                                     .batch_bytes_max = 60000,
                                     .batch_age_max_ms = 10000},
          0);
    record(1);
    step(5000);
    record(2);
    step(4999);
    assert_int_equal(stored(), 0);
    assert_int_equal(dun_agent_step(&f.agent, f.now), f.now + 1); /* it says when */
    step(1);
    assert_int_equal(stored(), 2);
}

static void by_an_urgent_sample(void **state)
{
    (void)state;
    start(&(struct dun_agent_config){.batch_points_max = POINTS,
                                     .batch_bytes_max = 60000,
                                     .batch_age_max_ms = NEVER_MS},
          0);
    assert_int_equal(dun_agent_limit(&f.agent, 1, 0, 100), DUN_OK);
    record(500); /* metric 0 has no limits */
    record(100);
    step(1);
    assert_int_equal(stored(), 0);
    assert_int_equal(dun_agent_record(&f.agent, 1, 101, f.now), DUN_OK);
    step(0);
    assert_int_equal(stored(), 3);
}

/* However many bytes a record may have, none becomes a packet that the broker does not take. */
static void by_maximum_packet_size(void **state)
{
    (void)state;
    const uint32_t packet_max = 160;
    start(&(struct dun_agent_config){.batch_points_max = POINTS,
                                     .batch_bytes_max = 2000,
                                     .batch_age_max_ms = NEVER_MS},
          packet_max);
    unsigned before = fake_uplink_count(&f.broker, "batch");
    for (int i = 0; i < 300; i++) {
        record((int64_t)(f.noise >> 40));
        step(1000);
    }
    assert_int_equal(dun_agent_seal(&f.agent, f.now), DUN_OK);
    for (int i = 0; i < 50; i++)
        step(1);
    unsigned count = fake_uplink_count(&f.broker, "batch");
    assert_true(count > before + 3);
    assert_int_equal(stored(), 300);
    for (unsigned i = before; i < count; i++) {
        const struct fake_message *message = fake_uplink_message(&f.broker, "batch", i);
        assert_true(message->size + strlen(message->topic) + 8 <= packet_max);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_points),
        cmocka_unit_test(by_bytes),
        cmocka_unit_test(by_age),
        cmocka_unit_test(by_an_urgent_sample),
        cmocka_unit_test(by_maximum_packet_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_reconnect.c: when a sender connects again: a fleet that boots or loses its broker at once
 * comes back spread out, and two devices with one client id slow down and say so. Many senders, no
 * records, a broker in a struct, virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sender.h"

enum { DEVICES = 1000, SECOND = 1000, HOUR = 3600 * SECOND };

enum state { CLOSED, OPENED, UP, ENDING };

struct device {
    struct dun_sender sender;
    struct dun_uplink uplink;
    struct dun_store stores[3]; /* none is mounted */
    struct dun_catalog catalog;
    struct dun_stats stats;
    struct dun_notices notices;
    struct dun_notice ring[16];
    struct dun_window_slot window[1];
    enum state state;
    int error;
    uint8_t reason;
};

static struct device devices[DEVICES];
static unsigned device_count;
static bool reachable;
static bool one_id;             /* the broker takes all devices for one client */
static uint8_t takeover_reason; /* what it tells the one that it drops */
static unsigned opens;
static unsigned opens_in[HOUR / SECOND]; /* each second of the first hour */

/// A broker in a struct ///

static int device_open(void *context, const struct dun_uplink_config *config, dun_ms now)
{
    struct device *device = context;
    (void)config;
    assert_int_equal(device->state, CLOSED);
    device->state = OPENED;
    opens++;
    if (now < HOUR)
        opens_in[now / SECOND]++;
    return DUN_OK;
}

static void drop(struct device *device, int error, uint8_t reason)
{
    if (device->state == CLOSED)
        return;
    device->state = ENDING;
    device->error = error;
    device->reason = reason;
}

static void accept(struct device *device)
{
    device->state = UP;
    for (unsigned i = 0; one_id && i < device_count; i++)
        if (&devices[i] != device && devices[i].state == UP)
            drop(&devices[i], DUN_E_CLOSED, takeover_reason);
}

static bool device_poll(void *context, dun_ms now, struct dun_uplink_event *event)
{
    struct device *device = context;
    (void)now;
    if (device->state == OPENED && !reachable)
        drop(device, DUN_E_UNREACHABLE, 0);
    if (device->state == OPENED) {
        accept(device);
        *event = (struct dun_uplink_event){
            .kind = DUN_UPLINK_UP,
            .terms = {.packet_max = UINT32_MAX, .qos_max = 1, .retain = true}};
        return true;
    }
    if (device->state == ENDING) {
        device->state = CLOSED;
        *event = (struct dun_uplink_event){
            .kind = DUN_UPLINK_DOWN, .error = device->error, .reason = device->reason};
        return true;
    }
    return false;
}

static int device_publish(void *context, const struct dun_message *message, dun_ms now)
{
    (void)context;
    (void)message;
    (void)now;
    return DUN_E_AGAIN;
}

static dun_ms device_deadline(void *context)
{
    (void)context;
    return DUN_MS_NEVER;
}

/// A fleet ///

static void boot(struct device *device, struct dun_backoff_config config, uint64_t seed)
{
    memset(device, 0, sizeof *device);
    device->uplink = (struct dun_uplink){.context = device,
                                         .open = device_open,
                                         .publish = device_publish,
                                         .poll = device_poll,
                                         .deadline = device_deadline};
    device->notices = (struct dun_notices){.ring = device->ring, .capacity = 16};
    device->sender = (struct dun_sender){
        .uplink = &device->uplink,
        .uplink_config = {.client_id = "twin"},
        .prefix = "p",
        .about = {.device = "d",
                  .fleet = "f",
                  .board = "b",
                  .firmware = "1",
                  .encoding = "columns",
                  .catalog = &device->catalog},
        .stats = &device->stats,
        .notices = &device->notices,
        .stable_ms = 60 * SECOND,
        .outbox = {.durable = &device->stores[0],
                   .spare = &device->stores[1],
                   .archive = &device->stores[2],
                   .stats = &device->stats,
                   .window = {.slots = device->window, .capacity = 1}},
    };
    dun_backoff_init(&device->sender.backoff, config, seed);
    dun_sender_start(&device->sender, 0);
}

static void boot_fleet(unsigned count, struct dun_backoff_config config)
{
    device_count = count;
    reachable = true;
    one_id = false;
    opens = 0;
    memset(opens_in, 0, sizeof opens_in);
    for (unsigned i = 0; i < count; i++)
        boot(&devices[i], config, i);
}

static void run(dun_ms from, dun_ms to, dun_ms step)
{
    for (dun_ms now = from; now < to; now += step)
        for (unsigned i = 0; i < device_count; i++)
            if (devices[i].state == ENDING || now >= dun_sender_deadline(&devices[i].sender))
                dun_sender_pump(&devices[i].sender, now);
}

static dun_ms run_on(dun_ms now)
{
    run(now, now + SECOND, SECOND);
    return now + SECOND;
}

static void drop_all(int error, uint8_t reason)
{
    for (unsigned i = 0; i < device_count; i++)
        drop(&devices[i], error, reason);
}

static unsigned up_count(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < device_count; i++)
        count += devices[i].state == UP;
    return count;
}

static void assert_even(unsigned first_s, unsigned end_s, unsigned most)
{
    for (unsigned s = first_s; s < end_s; s++)
        assert_in_range(opens_in[s], 0, most);
}

/* How often `kind` was told, and the last such notice. */
static unsigned told(struct device *device, enum dun_notice_kind kind, struct dun_notice *last)
{
    struct dun_notice notice;
    unsigned count = 0;
    while (dun_notices_take(&device->notices, &notice))
        if (notice.kind == kind) {
            *last = notice;
            count++;
        }
    return count;
}

/// Tests ///

static const struct dun_backoff_config spread = {SECOND, 300 * SECOND, 60 * SECOND};

static void a_fleet_boots_spread_out(void **state)
{
    (void)state;
    boot_fleet(DEVICES, spread);
    run(0, 61 * SECOND, 100);
    assert_int_equal(up_count(), DEVICES);
    assert_int_equal(opens, DEVICES);
    assert_even(0, 61, DEVICES * 2 / 60);
}

static void a_fleet_comes_back_spread_out(void **state)
{
    (void)state;
    static const unsigned away_s[] = {0, 5, 90, 600};
    for (size_t i = 0; i < sizeof away_s / sizeof away_s[0]; i++) {
        boot_fleet(DEVICES, spread);
        run(0, 200 * SECOND, SECOND);
        reachable = false;
        drop_all(DUN_E_CLOSED, 0);
        run(200 * SECOND, (200 + away_s[i]) * SECOND, 250);
        reachable = true;
        run((200 + away_s[i]) * SECOND, 1500 * SECOND, 250);
        assert_int_equal(up_count(), DEVICES);
        assert_even(201, 1500, DEVICES * 2 / 60);
    }
}

/* The one that comes takes the other one's place, for a day. */
static void share_an_id(uint8_t reason)
{
    struct dun_notice notice = {0};
    boot_fleet(2, (struct dun_backoff_config){SECOND, 300 * SECOND, 0});
    one_id = true;
    takeover_reason = reason;
    run(0, 24 * HOUR, 500);
    assert_in_range(opens, 24, 24 * 60);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(dun_backoff_window(&devices[i].sender.backoff), 150 * SECOND);
        assert_true(told(&devices[i], DUN_NOTICE_TAKEN_OVER, &notice) > 0);
        assert_string_equal(notice.name, "twin");
        assert_int_equal(notice.reason, reason);
    }
}

static void two_devices_with_one_id_slow_down_and_say_so(void **state)
{
    (void)state;
    share_an_id(0x8E);
}

static void so_they_do_where_the_broker_just_closes(void **state)
{
    (void)state;
    share_an_id(0);
}

static void a_broker_that_restarts_is_no_other_client(void **state)
{
    (void)state;
    struct dun_notice notice;
    dun_ms now = 0;
    boot_fleet(1, (struct dun_backoff_config){SECOND, 300 * SECOND, 0});
    for (int i = 0; i < 10; i++) {
        run(now, now + HOUR, SECOND);
        now += HOUR;
        assert_int_equal(up_count(), 1);
        drop_all(DUN_E_CLOSED, i % 2 == 0 ? 0 : 0x8B);
        run(now, now + 1, 1);
        assert_in_range(devices[0].sender.reconnect_ms - now, 0, SECOND);
    }
    assert_int_equal(told(&devices[0], DUN_NOTICE_TAKEN_OVER, &notice), 0);
    assert_int_equal(dun_backoff_window(&devices[0].sender.backoff), 2 * SECOND);
}

/* Alone again, the device that was taken over comes back to short waits. */
static void the_survivor_recovers(void **state)
{
    (void)state;
    boot_fleet(1, (struct dun_backoff_config){SECOND, 300 * SECOND, 0});
    dun_ms now = 0;
    for (int i = 0; i < 12; i++) {
        while (up_count() == 0)
            now = run_on(now);
        drop_all(DUN_E_CLOSED, 0x8E);
        now = run_on(now);
    }
    assert_int_equal(dun_backoff_window(&devices[0].sender.backoff), 150 * SECOND);
    run(now, now + HOUR, SECOND);
    now += HOUR;
    drop_all(DUN_E_TIMEOUT, 0);
    run(now, now + SECOND, SECOND);
    assert_int_equal(dun_backoff_window(&devices[0].sender.backoff), 2 * SECOND);
    assert_int_equal(devices[0].sender.taken_over, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fleet_boots_spread_out),
        cmocka_unit_test(a_fleet_comes_back_spread_out),
        cmocka_unit_test(two_devices_with_one_id_slow_down_and_say_so),
        cmocka_unit_test(so_they_do_where_the_broker_just_closes),
        cmocka_unit_test(a_broker_that_restarts_is_no_other_client),
        cmocka_unit_test(the_survivor_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

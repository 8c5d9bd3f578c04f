/* desk.c: see desk.h. Documents by the dice, protobuf by hand. */
#include "desk.h"

#include <string.h>

#include "sim.h"

#define DAY_MS     (24 * 60 * 60 * (dun_ms)1000)
#define AGAIN_MS   (60 * (dun_ms)1000)
#define AT_VERSION 0x08 /* Config.version, a varint */
#define AT_SETTING 0x12 /* Config.settings, a message */

static const char *const keys[DESK_KEYS] = {
    [DESK_INTERVAL] = "interval",
    [DESK_POINTS] = "batch.points",
    [DESK_BYTES] = "batch.bytes",
    [DESK_AGE] = "batch.age",
    [DESK_PERCENT] = "backfill.percent",
    [DESK_RATE] = "backfill.rate",
    [DESK_POLICY] = "log.policy",
    [DESK_REPORT] = "report.interval",
    [DESK_TRIAL] = "trial",
    [DESK_UNKNOWN] = "of.tomorrow",
};

/// Encoding ///

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value > 0x7F; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_text(uint8_t *at, uint8_t tag, const char *text, size_t size)
{
    *at++ = tag;
    at = put_varint(at, size);
    memcpy(at, text, size);
    return at + size;
}

static uint8_t *put_setting(uint8_t *at, const struct desk_setting *setting)
{
    uint8_t bytes[64];
    uint8_t *end = put_text(bytes, 0x0A, keys[setting->key], strlen(keys[setting->key]));
    if (setting->sensor >= 0) {
        char name[8] = "m";
        size_t size = 1;
        if (setting->sensor > 9)
            name[size++] = (char)('0' + setting->sensor / 10);
        name[size++] = (char)('0' + setting->sensor % 10);
        end = put_text(end, 0x12, name, size);
    }
    if (setting->has_value) {
        *end++ = 0x18;
        end = put_varint(end, (uint64_t)setting->value << 1 ^ (uint64_t)(setting->value >> 63));
    }
    *at++ = AT_SETTING;
    at = put_varint(at, (uint64_t)(end - bytes));
    memcpy(at, bytes, (size_t)(end - bytes));
    return at + (end - bytes);
}

struct dun_span desk_encode(const struct desk_document *document, uint8_t *bytes)
{
    uint8_t *at = bytes;
    *at++ = AT_VERSION;
    at = put_varint(at, document->version);
    for (uint32_t i = 0; i < document->count; i++)
        at = put_setting(at, &document->settings[i]);
    if (document->padding > 0) { /* a field that no reader knows */
        *at++ = 0x7A;
        at = put_varint(at, document->padding);
        memset(at, 'x', document->padding);
        at += document->padding;
    }
    return (struct dun_span){bytes, (size_t)(at - bytes)};
}

/// Making documents ///

/* Values within the bounds as a rule, and beyond them now and then. */
static int64_t draw_value(struct desk *desk, enum desk_key key)
{
    const struct scenario *s = &sim_run->scenario;
    dun_ms calm_ms = s->calm_ms;
    switch (key) {
    case DESK_INTERVAL: /* long runs must not drown in points */
        return rng_chance(&desk->rng, 100) ? 0
                                           : rng_spread(&desk->rng, calm_ms / 800, calm_ms / 10);
    case DESK_POINTS:
        return rng_spread(&desk->rng, 1, s->batch_capacity + 20);
    case DESK_BYTES:
        return rng_spread(&desk->rng, 50, s->agent.batch_bytes_max + 100);
    case DESK_AGE:
        return rng_spread(&desk->rng, 5, 600000);
    case DESK_PERCENT:
        return rng_range(&desk->rng, 0, 110);
    case DESK_RATE:
        return rng_chance(&desk->rng, 300) ? 0 : rng_spread(&desk->rng, 100, 20000);
    case DESK_POLICY: /* a log that thins is checked as one */
        return s->overflow == DUN_LOG_THIN ? 2 : rng_range(&desk->rng, 0, 2);
    case DESK_REPORT:
        return rng_chance(&desk->rng, 300) ? 0 : rng_spread(&desk->rng, calm_ms / 500, DAY_MS + 9);
    default:
        return rng_spread(&desk->rng, 500, 10 * 60000);
    }
}

static void draw_setting(struct desk *desk, struct desk_setting *setting)
{
    uint64_t key = rng_below(&desk->rng, DESK_KEYS);
    *setting = (struct desk_setting){
        .key = (enum desk_key)key, .sensor = -1, .has_value = rng_chance(&desk->rng, 950)};
    setting->value = setting->has_value ? draw_value(desk, setting->key) : 0;
    if (setting->key == DESK_INTERVAL && rng_chance(&desk->rng, 700))
        setting->sensor = (int)rng_below(&desk->rng, 33); /* there is none of the last number */
}

/* NULL: the table is full. */
static struct desk_document *new_document(struct desk *desk, uint64_t version)
{
    if (desk->count + 1 >= DESK_DOCUMENTS_MAX && !sim_run->calm)
        return NULL; /* the last place is for the last document */
    struct desk_document *document = &desk->documents[desk->count++];
    *document = (struct desk_document){.version = version};
    desk->version = version;
    return document;
}

static struct desk_document *draw_document(struct desk *desk, uint64_t version)
{
    struct desk_document *document = new_document(desk, version);
    if (document == NULL)
        return NULL;
    document->count = (uint32_t)rng_below(&desk->rng, DESK_SETTINGS_MAX + 1);
    for (uint32_t i = 0; i < document->count; i++)
        draw_setting(desk, &document->settings[i]);
    return document;
}

/// Publishing ///

static void publish(struct desk *desk, const struct desk_document *document)
{
    uint8_t bytes[DESK_BYTES_MAX];
    struct dun_span span = desk_encode(document, bytes);
    sim_trace("config %llu: %u settings, %u bytes%s", (unsigned long long)document->version,
              document->count, (unsigned)span.size, document->cuts_off ? ", cuts off" : "");
    (void)desk;
    broker_publish_config(&sim_run->broker, span);
}

/* What no device may take: it ends within a field, has no version, or is no protobuf. */
static void publish_spoilt(struct desk *desk)
{
    struct desk_document document = {.version = desk->version + 1, .count = 1};
    uint8_t bytes[DESK_BYTES_MAX + 2];
    draw_setting(desk, &document.settings[0]);
    size_t size = desk_encode(&document, bytes).size;
    switch (rng_below(&desk->rng, 3)) {
    case 0:
        bytes[size++] = AT_SETTING;
        bytes[size++] = 0x7F;
        break;
    case 1:
        bytes[1] = 0; /* the version: that of a desk that never wrote so many is one byte */
        break;
    default:
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(rng_next(&desk->rng) | 7); /* wire type 7 there is not */
        break;
    }
    sim_trace("config: spoilt, %u bytes", (unsigned)size);
    broker_publish_config(&sim_run->broker, (struct dun_span){bytes, size});
}

static void publish_too_large(struct desk *desk)
{
    struct desk_document document = {.version = desk->version + 1};
    document.padding = sim_run->scenario.config_max + (uint32_t)rng_below(&desk->rng, 40);
    publish(desk, &document);
}

void desk_write(struct desk *desk)
{
    struct desk_document *document = NULL;
    uint64_t kind = rng_below(&desk->rng, 10);
    if (kind == 9 && desk->count > 0) /* others under a version that there was */
        document = draw_document(desk, desk->version);
    else if (kind == 8 && desk->count > 0)
        document = &desk->documents[rng_below(&desk->rng, desk->count)];
    else if (kind == 7)
        publish_too_large(desk);
    else if (kind == 6)
        publish_spoilt(desk);
    else if (kind == 5)
        broker_publish_config(&sim_run->broker, (struct dun_span){NULL, 0});
    else
        document = draw_document(desk, desk->version + 1);
    if (document == NULL)
        return;
    document->cuts_off |= kind == 4;
    publish(desk, document);
}

/// The end ///

void desk_finish(struct desk *desk)
{
    struct desk_document *document = new_document(desk, desk->version + 1);
    document->count = 1;
    document->settings[0] = (struct desk_setting){.key = DESK_AGE,
                                                  .sensor = -1,
                                                  .has_value = true,
                                                  .value = rng_range(&desk->rng, 1000, 60000)};
    desk->final = true;
    desk->publish_at = sim_now();
}

bool desk_is_settled(const struct desk *desk)
{
    return desk->report_state == 3 && desk->report_running == desk->version;
}

dun_ms desk_wake(const struct desk *desk)
{
    return desk->publish_at;
}

void desk_run(struct desk *desk)
{
    if (sim_now() < desk->publish_at)
        return;
    desk->publish_at = DUN_MS_NEVER;
    if (!desk->final || desk_is_settled(desk))
        return;
    struct desk_document *document = &desk->documents[desk->count - 1];
    if (desk->report_state == 4 && desk->report_version == desk->version) {
        /* The link was still too bad for its trial, and this version is not tried again. */
        document->version = ++desk->version;
        document->rolled_back = false;
        document->tries = 0;
    }
    publish(desk, document);
    desk->publish_at = sim_now() + AGAIN_MS;
}

void desk_init(struct desk *desk, struct rng rng)
{
    *desk = (struct desk){.rng = rng, .publish_at = DUN_MS_NEVER};
}

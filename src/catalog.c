/* catalog.c: the dictionary of metrics, its hash and its encoding. It only grows. */
#include "catalog.h"

#include "crc32c.h"
#include "telemetry.pb.h"
#include "wire.h"

#define EXPONENT_MAX 18 /* 10^18 still fits 64 bits */

void dun_catalog_init(struct dun_catalog *catalog, struct dun_metric *metrics, uint16_t capacity)
{
    *catalog = (struct dun_catalog){.metrics = metrics, .capacity = capacity};
}

static bool write_attribute(pb_ostream_t *out, const void *context)
{
    const struct dun_attribute *attribute = context;
    return dun_wire_string(out, dunlin_v1_Attribute_key_tag, attribute->key) &&
           dun_wire_string(out, dunlin_v1_Attribute_value_tag, attribute->value);
}

bool dun_catalog_encode_attributes(pb_ostream_t *out, uint32_t tag, const struct dun_metric *metric)
{
    for (uint8_t i = 0; i < metric->attribute_count; i++)
        if (!dun_wire_message(out, tag, write_attribute, &metric->attributes[i]))
            return false;
    return true;
}

static bool write_metric(pb_ostream_t *out, const struct dun_catalog *catalog, uint16_t id)
{
    const struct dun_metric *metric = &catalog->metrics[id];
    if (!dun_wire_uint(out, dunlin_v1_Metric_id_tag, id) ||
        !dun_wire_string(out, dunlin_v1_Metric_name_tag, metric->name) ||
        !dun_wire_string(out, dunlin_v1_Metric_unit_tag, metric->unit))
        return false;
    if (metric->exponent != 0 && !metric->real &&
        !dun_wire_sint(out, dunlin_v1_Metric_exponent_tag, metric->exponent))
        return false;
    if (!dun_wire_uint(out, dunlin_v1_Metric_kind_tag, metric->kind) ||
        !dun_catalog_encode_attributes(out, dunlin_v1_Metric_attributes_tag, metric))
        return false;
    for (uint8_t i = 0; i < metric->state_count; i++)
        if (!dun_wire_string(out, dunlin_v1_Metric_states_tag, metric->states[i]))
            return false;
    return true;
}

struct entry {
    const struct dun_catalog *catalog;
    uint16_t id;
};

static bool write_entry(pb_ostream_t *out, const void *context)
{
    const struct entry *entry = context;
    return write_metric(out, entry->catalog, entry->id);
}

bool dun_catalog_encode(pb_ostream_t *out, const struct dun_catalog *catalog, uint32_t tag,
                        uint16_t first, uint16_t end)
{
    for (uint16_t id = first; id < end; id++) {
        struct entry entry = {catalog, id};
        if (!dun_wire_message(out, tag, write_entry, &entry))
            return false;
    }
    return true;
}

static bool hash_bytes(pb_ostream_t *out, const pb_byte_t *bytes, size_t count)
{
    uint32_t *hash = out->state;
    *hash = dun_crc32c(*hash, bytes, count);
    return true;
}

static uint32_t extend_hash(uint32_t hash, const struct dun_catalog *catalog, uint16_t id)
{
    pb_ostream_t out = {.callback = hash_bytes, .state = &hash, .max_size = SIZE_MAX};
    bool ok = write_metric(&out, catalog, id);
    DUN_ASSERT(ok);
    return hash;
}

uint32_t dun_catalog_hash(const struct dun_catalog *catalog, uint16_t count)
{
    uint32_t hash = 0;
    for (uint16_t id = 0; id < count; id++)
        hash = extend_hash(hash, catalog, id);
    return hash;
}

/* Names belong to states, and doubles are neither states nor booleans. */
static bool kind_ok(const struct dun_metric *metric)
{
    if (metric->kind == DUN_GAUGE || metric->kind == DUN_COUNTER)
        return metric->state_count == 0;
    if (metric->real || metric->exponent != 0)
        return false;
    if (metric->kind == DUN_BOOLEAN)
        return metric->state_count == 0;
    if (metric->kind != DUN_STATE || metric->state_count == 0 || !metric->states)
        return false;
    for (uint8_t i = 0; i < metric->state_count; i++)
        if (!metric->states[i] || !metric->states[i][0])
            return false;
    return true;
}

static bool metric_ok(const struct dun_metric *metric)
{
    if (!metric->name || !metric->name[0] || !metric->unit)
        return false;
    if (metric->attribute_count > 0 && !metric->attributes)
        return false;
    if (!kind_ok(metric))
        return false;
    return metric->exponent >= -EXPONENT_MAX && metric->exponent <= EXPONENT_MAX;
}

int dun_catalog_add(struct dun_catalog *catalog, const struct dun_metric *metric)
{
    if (!metric_ok(metric))
        return DUN_E_INVALID;
    if (catalog->count == catalog->capacity)
        return DUN_E_FULL;
    uint16_t id = catalog->count;
    catalog->metrics[id] = *metric;
    if (dun_wire_size(write_entry, &(struct entry){catalog, id}) > DUN_METRIC_SIZE_MAX)
        return DUN_E_INVALID;
    catalog->count++;
    catalog->hash = extend_hash(catalog->hash, catalog, id);
    return id;
}

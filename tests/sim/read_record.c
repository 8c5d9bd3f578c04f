/* read_record.c: protobuf by hand, for the few messages of telemetry.proto that a record is; their
 * columns by the decoder of the tools. */
#include "read_record.h"

#include <stdlib.h>
#include <string.h>

#include "parse.h"

/// Protobuf ///

struct field {
    uint32_t tag;
    uint32_t wire;
    uint64_t number;
    struct dun_span bytes;
};

static bool take_varint(struct dun_span *in, uint64_t *value)
{
    *value = 0;
    for (uint32_t shift = 0; shift < 70 && in->size > 0; shift += 7) {
        uint8_t byte = *in->data++;
        in->size--;
        *value |= shift < 64 ? (uint64_t)(byte & 0x7F) << shift : 0;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool take_fixed(struct dun_span *in, uint32_t size, uint64_t *value)
{
    if (in->size < size)
        return false;
    *value = 0;
    for (uint32_t i = size; i > 0; i--)
        *value = *value << 8 | in->data[i - 1];
    in->data += size;
    in->size -= size;
    return true;
}

/* 1: a field, 0: the end, -1: malformed. */
static int take_field(struct dun_span *in, struct field *field)
{
    uint64_t key;
    if (in->size == 0)
        return 0;
    if (!take_varint(in, &key))
        return -1;
    *field = (struct field){.tag = (uint32_t)(key >> 3), .wire = key & 7};
    switch (field->wire) {
    case 0:
        return take_varint(in, &field->number) ? 1 : -1;
    case 1:
        return take_fixed(in, 8, &field->number) ? 1 : -1;
    case 5:
        return take_fixed(in, 4, &field->number) ? 1 : -1;
    case 2:
        if (!take_varint(in, &field->number) || field->number > in->size)
            return -1;
        field->bytes = (struct dun_span){in->data, (size_t)field->number};
        in->data += field->number;
        in->size -= (size_t)field->number;
        return 1;
    default:
        return -1;
    }
}

/// Losses, anchors, metrics ///

static const char *read_loss(struct read_record *record, struct dun_span in)
{
    struct field field;
    struct read_loss loss = {0};
    int more;
    if (record->loss_count == READ_LOSSES_MAX)
        return "more losses than a ledger holds";
    while ((more = take_field(&in, &field)) > 0) {
        uint64_t value = field.number;
        loss.first = field.tag == 1 ? value : loss.first;
        loss.last = field.tag == 2 ? value : loss.last;
        loss.reason = field.tag == 3 ? (uint32_t)value : loss.reason;
        loss.points = field.tag == 4 ? value : loss.points;
        loss.boot = field.tag == 5 ? (uint32_t)value : loss.boot;
        loss.code = field.tag == 7 ? (uint32_t)value : loss.code;
    }
    if (more < 0 || loss.first > loss.last || (loss.first == 0) != (loss.last == 0) ||
        (loss.first == 0) == (loss.points == 0))
        return "a loss that is neither a range nor a count of points";
    if (loss.reason < 1 || loss.reason > 7)
        return "a loss without a reason";
    if (loss.code != 0 && loss.reason != 4)
        return "a code of a loss that no broker caused";
    record->losses[record->loss_count++] = loss;
    return NULL;
}

static const char *read_anchor(struct read_record *record, struct dun_span in)
{
    struct field field;
    struct read_anchor anchor = {.uptime_ms = -1, .unix_ms = -1};
    int more;
    if (record->anchor_count == READ_ANCHORS_MAX)
        return "more anchors than a clock keeps";
    while ((more = take_field(&in, &field)) > 0) {
        if (field.tag == 1)
            anchor.boot = (uint32_t)field.number;
        else if (field.tag == 2)
            anchor.uptime_ms = (dun_ms)field.number;
        else if (field.tag == 3)
            anchor.unix_ms = (dun_ms)field.number;
        else if (field.tag == 4)
            anchor.cause = (uint32_t)field.number;
    }
    if (more < 0 || anchor.boot == 0 || anchor.uptime_ms < 0 || anchor.unix_ms < 0)
        return "an anchor that ties nothing";
    record->anchors[record->anchor_count++] = anchor;
    return NULL;
}

/* CRC-32C bit by bit, continued. */
static uint32_t crc32c(uint32_t crc, struct dun_span bytes)
{
    crc = ~crc;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

/// Columns ///

/* The decoder of the tools: it too is held against the encoder by SPEC.md alone. */
static const char *read_columns(struct read_record *record, struct dun_span bytes)
{
    static struct dun_parsed parsed;
    static struct dun_complaint complaint;
    if (dun_parse_batch(&parsed, bytes, &complaint) < 0)
        return complaint.text;
    const struct dun_expanded *columns = parsed.expanded.items;
    for (size_t i = 0; i < parsed.expanded.count; i++) {
        const int64_t *times = (const int64_t *)parsed.times.items + columns[i].rows.first;
        const int64_t *values = (const int64_t *)parsed.values.items + columns[i].values;
        for (size_t row = 0; row < columns[i].rows.count; row++) {
            if (record->point_count == READ_POINTS_MAX)
                return "more points than any batch holds";
            record->points[record->point_count++] =
                (struct read_point){columns[i].metric, times[row], values[row], record->dated,
                                    record->boot_unix_ms + times[row]};
        }
    }
    return NULL;
}

static const char *read_batch(struct read_record *record, struct dun_span bytes)
{
    struct dun_span in = bytes;
    struct field field;
    const char *wrong = NULL;
    int more;
    while (!wrong && (more = take_field(&in, &field)) != 0) {
        if (more < 0)
            return "malformed protobuf";
        switch (field.tag) {
        case 1:
            record->stream = field.number;
            break;
        case 2:
            record->sequence = field.number;
            break;
        case 3:
            record->boot = (uint32_t)field.number;
            break;
        case 4:
            record->catalog = (uint32_t)field.number;
            break;
        case 6:
            record->boot_unix_ms = (dun_ms)field.number;
            record->dated = true;
            break;
        case 9:
            wrong = read_loss(record, field.bytes);
            break;
        case 10:
            wrong = read_anchor(record, field.bytes);
            break;
        case 11:
            record->catalog_base = record->metrics_hash = (uint32_t)field.number;
            break;
        case 12:
            record->metrics_hash = crc32c(record->metrics_hash, field.bytes);
            record->metric_count++;
            break;
        default:
            break;
        }
    }
    if (!wrong && record->metric_count > 0 && record->metrics_hash != record->catalog)
        return "an announcement whose hash does not come out";
    return wrong ? wrong : read_columns(record, bytes);
}

/// Rows ///

/* Metrics of the simulator are called m0, m1 ... */
static uint32_t metric_named(struct dun_span name)
{
    uint32_t metric = 0;
    for (size_t i = 1; i < name.size && name.data[i] >= '0' && name.data[i] <= '9'; i++)
        metric = metric * 10 + (uint32_t)(name.data[i] - '0');
    return metric;
}

static const char *read_sample(struct read_record *record, struct dun_span in)
{
    struct field field;
    struct read_point point = {0};
    double value = 0;
    int more;
    while ((more = take_field(&in, &field)) > 0) {
        if (field.tag == 2)
            point.metric = metric_named(field.bytes);
        else if (field.tag == 4)
            memcpy(&value, &field.number, sizeof value);
        else if (field.tag == 5) {
            point.unix_ms = (dun_ms)field.number;
            point.dated = true;
        } else if (field.tag == 7)
            record->boot = (uint32_t)field.number;
        else if (field.tag == 8)
            point.uptime_ms = (dun_ms)field.number;
    }
    if (more < 0 || record->point_count == READ_POINTS_MAX)
        return "a malformed sample";
    point.value = (int64_t)value;
    record->dated = point.dated;
    record->boot_unix_ms = point.unix_ms - point.uptime_ms;
    record->points[record->point_count++] = point;
    return NULL;
}

static const char *read_samples(struct read_record *record, struct dun_span in)
{
    struct field field;
    const char *wrong = NULL;
    int more;
    while (!wrong && (more = take_field(&in, &field)) != 0) {
        if (more < 0)
            return "malformed protobuf";
        if (field.tag == 1)
            wrong = read_sample(record, field.bytes);
        else if (field.tag == 2)
            record->stream = field.number;
        else if (field.tag == 3)
            record->sequence = field.number;
        else if (field.tag == 4)
            wrong = read_loss(record, field.bytes);
        else if (field.tag == 5)
            wrong = read_anchor(record, field.bytes);
    }
    return wrong;
}

const char *read_record(struct read_record *record, struct dun_span bytes, bool plain)
{
    memset(record, 0, offsetof(struct read_record, points));
    const char *wrong = plain ? read_samples(record, bytes) : read_batch(record, bytes);
    if (!wrong && (record->stream == 0 || record->sequence == 0))
        return "a record without stream or sequence";
    if (!wrong && !plain && record->boot == 0)
        return "a batch without its boot";
    return wrong;
}

/*
 * parse_sample.c: the short way through a Sample, of which a record of plain rows has hundreds. It
 * takes what every sender writes, and nothing else: at the first thing that is unusual or wrong it
 * gives up, and parse.c goes the long way, which knows what is wrong.
 */
#include <string.h>

#include "bytes.h"
#include "fields.h"
#include "out.h"
#include "parse.h"

static bool take_text(const struct dun_field *field, struct dun_span *text)
{
    *text = field->bytes;
    return field->has_bytes && dun_text_is_utf8(*text);
}

static bool take_pair(const struct dun_field *attribute, struct dun_list *pairs)
{
    struct dun_span in = attribute->bytes;
    struct dun_pair pair = {.value = dun_span_of("")};
    struct dun_field field;
    int more = DUN_E_CORRUPT;
    while (attribute->has_bytes && (more = dun_fields_next(&in, &field)) > 0) {
        bool key = field.tag == dunlin_v1_Attribute_key_tag;
        if ((!key && field.tag != dunlin_v1_Attribute_value_tag) ||
            !take_text(&field, key ? &pair.key : &pair.value)) {
            return false;
        }
    }
    struct dun_pair *kept = more == 0 ? dun_list_add(pairs, sizeof *kept) : NULL;
    if (kept != NULL) {
        *kept = pair;
    }
    return kept != NULL;
}

static bool take_number(const struct dun_field *field, dunlin_v1_Sample *message)
{
    bool varint = !field->has_bytes && field->bytes.size == 0;
    size_t fixed = field->has_bytes ? 0 : field->bytes.size;
    uint64_t bits;
    switch (field->tag) {
    case dunlin_v1_Sample_value_tag:
        bits = fixed == 8 ? dun_get64(field->bytes.data) : 0;
        memcpy(&message->value, &bits, sizeof bits);
        return message->has_value = fixed == 8;
    case dunlin_v1_Sample_time_tag:
        message->time = (int64_t)field->number;
        return message->has_time = varint;
    case dunlin_v1_Sample_boot_tag:
        message->boot = fixed == 4 ? dun_get32(field->bytes.data) : 0;
        return message->has_boot = fixed == 4;
    case dunlin_v1_Sample_uptime_ms_tag:
        message->uptime_ms = field->number;
        return message->has_uptime_ms = varint;
    default:
        return false;
    }
}

static bool take_field(const struct dun_field *field, struct dun_sample *sample,
                       struct dun_list *pairs)
{
    switch (field->tag) {
    case dunlin_v1_Sample_device_tag:
        return take_text(field, &sample->device);
    case dunlin_v1_Sample_metric_tag:
        return take_text(field, &sample->metric);
    case dunlin_v1_Sample_unit_tag:
        return take_text(field, &sample->unit);
    case dunlin_v1_Sample_state_tag:
        return take_text(field, &sample->state);
    case dunlin_v1_Sample_attributes_tag:
        return take_pair(field, pairs);
    default:
        return take_number(field, &sample->message);
    }
}

bool dun_parse_sample(struct dun_span in, struct dun_sample *sample, struct dun_list *pairs)
{
    size_t before = pairs->count;
    struct dun_field field;
    int more = 0;
    while ((more = dun_fields_next(&in, &field)) > 0 && take_field(&field, sample, pairs)) {
    }
    if (more != 0) {
        pairs->count = before;
    }
    return more == 0;
}

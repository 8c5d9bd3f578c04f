/*
 * bind.c: values as a database takes them.
 */
#include "bind.h"

#include <string.h>

#include "ingest.h"

struct dun_bind dun_bind_number(int64_t value)
{
    return (struct dun_bind){.kind = DUN_BIND_NUMBER, .number = value};
}

struct dun_bind dun_bind_maybe(bool known, uint64_t value)
{
    uint64_t capped = value > DUN_SEQUENCE_MAX ? DUN_SEQUENCE_MAX : value;
    return known ? dun_bind_number((int64_t)capped) : (struct dun_bind){.kind = DUN_BIND_NULL};
}

struct dun_bind dun_bind_text(struct dun_span span)
{
    return (struct dun_bind){.kind = DUN_BIND_TEXT, .text = span};
}

struct dun_bind dun_bind_clean(struct dun_out *scratch, struct dun_span span)
{
    if (span.size == 0 || memchr(span.data, 0, span.size) == NULL) {
        return dun_bind_text(span);
    }
    if (span.size > sizeof scratch->data - scratch->used) {
        return dun_bind_text(dun_span_of("?"));
    }
    uint8_t *copy = scratch->data + scratch->used;
    for (size_t i = 0; i < span.size; i++) {
        copy[i] = span.data[i] != 0 ? span.data[i] : (uint8_t)'?';
    }
    scratch->used += span.size;
    return dun_bind_text((struct dun_span){copy, span.size});
}

struct dun_bind dun_bind_attributes(struct dun_out *scratch, const struct dun_pair *pairs,
                                    size_t count)
{
    size_t from = scratch->used;
    for (size_t i = 0; i < count; i++) {
        dun_out_text(scratch, i == 0 ? "{" : ",");
        dun_out_json(scratch, pairs[i].key);
        dun_out_text(scratch, ":");
        dun_out_json(scratch, pairs[i].value);
    }
    if (count == 0) {
        return (struct dun_bind){.kind = DUN_BIND_NULL};
    }
    dun_out_text(scratch, "}");
    return dun_bind_text((struct dun_span){scratch->data + from, scratch->used - from});
}

struct dun_bind dun_bind_states(struct dun_out *scratch, const struct dun_metric_text *metric)
{
    size_t from = scratch->used;
    if (metric->kind == dunlin_v1_MetricKind_METRIC_KIND_BOOLEAN) {
        return dun_bind_text(dun_span_of("[\"false\",\"true\"]"));
    }
    if (metric->kind != dunlin_v1_MetricKind_METRIC_KIND_STATE || metric->state_count == 0) {
        return (struct dun_bind){.kind = DUN_BIND_NULL};
    }
    for (size_t i = 0; i < metric->state_count; i++) {
        dun_out_text(scratch, i == 0 ? "[" : ",");
        dun_out_json(scratch, metric->states[i]);
    }
    dun_out_text(scratch, "]");
    return dun_bind_text((struct dun_span){scratch->data + from, scratch->used - from});
}

/*
 * notes.c: the notes, with the keys and their order as SPEC.md, JSON lines, has them.
 */
#include "notes.h"

const char *const dun_loss_reasons[DUN_LOSS_REASON_COUNT] = {
    "unspecified", "overflow", "damaged", "storage", "rejected", "too_large", "merged", "thinned"};

static void add(struct dun_note *note, struct dun_cell cell)
{
    DUN_ASSERT(note->count < sizeof note->cells / sizeof note->cells[0]);
    note->cells[note->count++] = cell;
}

static void add_text(struct dun_note *note, const char *key, struct dun_span text)
{
    add(note, (struct dun_cell){.key = key, .kind = DUN_CELL_TEXT, .text = text});
}

/* A number that may be unknown. */
static void add_number(struct dun_note *note, const char *key, enum dun_cell_kind kind, bool known,
                       uint64_t number)
{
    enum dun_cell_kind shown = known ? kind : DUN_CELL_NULL;
    add(note, (struct dun_cell){.key = key, .kind = shown, .number = number});
}

/* The name of an enum's value, or its number if it is newer than we are. */
static void add_enum(struct dun_note *note, const char *key, const char *const *names, size_t count,
                     uint32_t value)
{
    if (value < count) {
        add_text(note, key, dun_span_of(names[value]));
    } else {
        add_number(note, key, DUN_CELL_SIGNED, true, (uint64_t)(int64_t)(int32_t)value);
    }
}

static void add_pairs(struct dun_note *note, const char *key, const struct dun_pair *pairs,
                      size_t count)
{
    add(note,
        (struct dun_cell){.key = key, .kind = DUN_CELL_PAIRS, .pairs = pairs, .pair_count = count});
}

/* The beginning that most notes share. */
static struct dun_note begin(const struct dun_decoder *decoder, const char *type,
                             struct dun_span device)
{
    const dunlin_v1_Batch *batch = &decoder->record.batch;
    struct dun_note note = {.type = type};
    add_text(&note, "device", device);
    add_number(&note, "stream", DUN_CELL_HEX16, batch->has_stream, batch->stream);
    add_number(&note, "seq", DUN_CELL_NUMBER, batch->has_sequence, batch->sequence);
    return note;
}

void dun_notes_metrics(struct dun_decoder *decoder, struct dun_span device)
{
    static const char *const kinds[] = {"unspecified", "gauge", "counter", "state", "boolean"};
    const struct dun_metric_text *metrics = decoder->record.metrics.items;
    for (size_t i = 0; i < decoder->record.metrics.count; i++) {
        struct dun_note note = begin(decoder, "metric", device);
        add_number(&note, "catalog", DUN_CELL_HEX8, true, decoder->record.batch.catalog);
        add_number(&note, "id", DUN_CELL_NUMBER, true, metrics[i].id);
        add_text(&note, "metric", metrics[i].name);
        add_text(&note, "unit", metrics[i].unit);
        add_number(&note, "exponent", DUN_CELL_SIGNED, true, (uint64_t)metrics[i].exponent);
        add_enum(&note, "kind", kinds, sizeof kinds / sizeof kinds[0], metrics[i].kind);
        if (metrics[i].pair_count > 0) {
            add_pairs(&note, "attributes", metrics[i].pairs, metrics[i].pair_count);
        }
        if (metrics[i].state_count > 0) {
            add(&note, (struct dun_cell){.key = "states",
                                         .kind = DUN_CELL_TEXTS,
                                         .texts = metrics[i].states,
                                         .text_count = metrics[i].state_count});
        }
        dun_render_note(decoder->renderer, &note);
    }
}

static void anchor_note(struct dun_decoder *decoder, struct dun_span device,
                        const dunlin_v1_Anchor *anchor)
{
    static const char *const causes[] = {"unspecified", "known", "stepped", "periodic"};
    struct dun_note note = begin(decoder, "anchor", device);
    add_number(&note, "boot", DUN_CELL_HEX8, true, anchor->boot);
    add_number(&note, "uptime_ms", DUN_CELL_NUMBER, true, anchor->uptime_ms);
    add_number(&note, "time", DUN_CELL_SIGNED, true, (uint64_t)anchor->unix_ms);
    add_enum(&note, "cause", causes, sizeof causes / sizeof causes[0], (uint32_t)anchor->cause);
    dun_render_note(decoder->renderer, &note);
}

static bool date_loss(const struct dun_decoder *decoder, struct dun_span device,
                      const dunlin_v1_Loss *loss, int64_t *offset_ms)
{
    const dunlin_v1_Batch *batch = &decoder->record.batch;
    if (!loss->has_boot || !loss->has_uptime_ms) {
        return false;
    }
    if (batch->has_boot_unix_ms && batch->boot == loss->boot) {
        *offset_ms = batch->boot_unix_ms;
        return true;
    }
    return dun_knowledge_offset(&decoder->knowledge, device, batch->stream, loss->boot, offset_ms);
}

static void loss_note(struct dun_decoder *decoder, struct dun_span device,
                      const dunlin_v1_Loss *loss)
{
    struct dun_note note = begin(decoder, "loss", device);
    int64_t offset_ms = 0;
    bool dated = date_loss(decoder, device, loss, &offset_ms);
    add_number(&note, "first", DUN_CELL_NUMBER, loss->has_first, loss->first);
    add_number(&note, "last", DUN_CELL_NUMBER, loss->has_last, loss->last);
    add_enum(&note, "reason", dun_loss_reasons, DUN_LOSS_REASON_COUNT, (uint32_t)loss->reason);
    add_number(&note, "points", DUN_CELL_NUMBER, loss->has_points, loss->points);
    add_number(&note, "boot", DUN_CELL_HEX8, loss->has_boot, loss->boot);
    add_number(&note, "uptime_ms", DUN_CELL_NUMBER, loss->has_uptime_ms, loss->uptime_ms);
    add_number(&note, "time", DUN_CELL_SIGNED, dated, loss->uptime_ms + (uint64_t)offset_ms);
    if (loss->has_code) {
        add_number(&note, "code", DUN_CELL_NUMBER, true, loss->code);
    }
    dun_render_note(decoder->renderer, &note);
}

void dun_notes_ledger(struct dun_decoder *decoder, struct dun_span device)
{
    const dunlin_v1_Anchor *anchors = decoder->record.anchors.items;
    const dunlin_v1_Loss *losses = decoder->record.losses.items;
    for (size_t i = 0; i < decoder->record.anchors.count; i++) {
        anchor_note(decoder, device, &anchors[i]);
    }
    for (size_t i = 0; i < decoder->record.losses.count; i++) {
        loss_note(decoder, device, &losses[i]);
    }
}

void dun_notes_about(struct dun_decoder *decoder, struct dun_span device)
{
    const struct dun_parsed *record = &decoder->record;
    const dunlin_v1_About *about = &record->about;
    struct dun_note note = {.type = "about"};
    add_text(&note, "device", device.size > 0 ? device : record->device);
    add_text(&note, "fleet", record->fleet);
    add_text(&note, "board", record->board);
    add_text(&note, "firmware", record->firmware);
    add_number(&note, "stream", DUN_CELL_HEX16, about->has_stream, about->stream);
    add_number(&note, "boot", DUN_CELL_HEX8, about->has_boot, about->boot);
    add_number(&note, "catalog", DUN_CELL_HEX8, about->has_catalog, about->catalog);
    add_text(&note, "encoding", record->encoding);
    add_number(&note, "volatile", DUN_CELL_BOOL, about->has_volatile_stream,
               about->volatile_stream ? 1 : 0);
    add_pairs(&note, "profile", record->pairs.items, record->pairs.count);
    if (about->has_oldest_sequence) {
        add_number(&note, "oldest", DUN_CELL_NUMBER, true, about->oldest_sequence);
    }
    dun_render_note(decoder->renderer, &note);
}

void dun_notes_stored(struct dun_decoder *decoder, struct dun_span device)
{
    struct dun_note note = begin(decoder, "stored", device);
    dun_render_note(decoder->renderer, &note);
}

void dun_notes_status(struct dun_decoder *decoder, struct dun_span device, struct dun_span text)
{
    struct dun_note note = {.type = "status"};
    add_text(&note, "device", device);
    add_text(&note, "status", text);
    dun_render_note(decoder->renderer, &note);
}

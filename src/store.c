/*
 * store.c: a log with its ledger and its health. Invariant: a record is counted as stored only
 * after dun_log_sync returned 0, so no sequence is ever published that a power cut could give out
 * again with other bytes.
 */
#include "store.h"

#include "wire.h"

void dun_store_init(struct dun_store *store, const struct dun_store_config *config)
{
    *store = (struct dun_store){.config = *config, .acks_due_ms = DUN_MS_NEVER};
}

int dun_store_mount(struct dun_store *store, struct dun_notices *notices)
{
    if (store->mounted)
        return DUN_OK;
    if (!store->config.flash)
        return DUN_E_NOT_FOUND;
    dun_ledger_init(&store->ledger, store->config.losses, store->config.losses_max);
    struct dun_log_config config = {
        .flash = store->config.flash,
        .ledger = &store->ledger,
        .unit = store->config.unit,
        .new_stream = store->config.new_stream,
        .overflow = store->config.overflow,
        .owner = store->config.owner,
    };
    struct dun_log_report report = {0};
    /* A device that is not there says so once here, and not once a block. */
    int result = config.flash->sync(config.flash->context);
    if (result == DUN_OK)
        result = dun_log_mount(&store->log, &config, &report);
    if (result < 0)
        return result;
    store->mounted = true;
    dun_notices_add(notices,
                    &(struct dun_notice){
                        .kind = report.formatted ? DUN_NOTICE_FORMATTED : DUN_NOTICE_MOUNTED,
                        .value = (int64_t)dun_log_next_sequence(&store->log),
                        .delay_ms = report.damaged,
                        .reason = report.foreign,
                        .name = store->config.name,
                    });
    return DUN_OK;
}

/// Writing ///

struct log_writer {
    struct dun_log *log;
    int result;
};

static bool write_to_log(pb_ostream_t *out, const pb_byte_t *bytes, size_t count)
{
    struct log_writer *writer = out->state;
    writer->result = dun_log_write(writer->log, bytes, (uint32_t)count);
    return writer->result == DUN_OK;
}

static int write_record(struct dun_store *store, const struct dun_encoder *encoder,
                        const struct dun_record *record, uint32_t size)
{
    struct log_writer writer = {.log = &store->log};
    pb_ostream_t out = {.callback = write_to_log, .state = &writer, .max_size = size};
    if (!encoder->encode(&out, record))
        return writer.result < 0 ? writer.result : DUN_E_INVALID;
    int result = dun_log_commit(&store->log);
    if (result < 0)
        return result;
    /* The order is the encoder's, first untold first; the sync makes both durable or neither. */
    dun_ledger_told(&store->ledger, record->sequence, record->loss_count);
    return dun_log_sync(&store->log);
}

static uint32_t encoded_size(const struct dun_encoder *encoder, const struct dun_record *record)
{
    pb_ostream_t sizing = PB_OSTREAM_SIZING;
    bool ok = encoder->encode(&sizing, record);
    DUN_ASSERT(ok);
    return (uint32_t)sizing.bytes_written;
}

/*
 * Making room may add to the ledger, and the record tells the ledger: then its size is taken again.
 * Room that was made once is not needed twice, so the second turn is the last.
 */
static int begin_record(struct dun_store *store, const struct dun_encoder *encoder,
                        const struct dun_record *record, uint32_t *size)
{
    uint32_t size_max = dun_log_record_max(&store->log);
    uint32_t changes;
    if (record->size_max != 0 && record->size_max < size_max)
        size_max = record->size_max;
    do {
        changes = store->ledger.changes;
        *size = encoded_size(encoder, record);
        if (*size > size_max)
            return DUN_E_TOO_LARGE;
        int result = dun_has_keeping() && record->telling
                         ? dun_log_begin_telling(&store->log, *size)
                     : record->urgent ? dun_log_begin_urgent(&store->log, *size)
                                      : dun_log_begin(&store->log, *size);
        if (result < 0)
            return result;
    } while (store->ledger.changes != changes);
    return DUN_OK;
}

int dun_store_append(struct dun_store *store, const struct dun_encoder *encoder,
                     struct dun_record *record, uint32_t *size)
{
    record->stream = dun_log_stream(&store->log);
    record->sequence = dun_log_next_sequence(&store->log);
    record->ledger = &store->ledger;
    int result = begin_record(store, encoder, record, size);
    if (result == DUN_OK)
        result = write_record(store, encoder, record, *size);
    /* A sync that fails withdraws what is not durable. This record is, if it was not: only acks
     * and ledger found no block, and they are tried again. */
    bool durable = result < 0 && dun_log_next_sequence(&store->log) > record->sequence;
    if (durable)
        return DUN_OK;
    store->failing = result < 0 && result != DUN_E_FULL && result != DUN_E_TOO_LARGE;
    if (result == DUN_OK)
        store->acks_due_ms = DUN_MS_NEVER; /* the sync took them along */
    return result;
}

uint32_t dun_store_dropped(struct dun_store *store)
{
    uint32_t before = store->overflowed;
    store->overflowed = store->mounted ? dun_log_overflowed(&store->log) : 0;
    return store->overflowed - before;
}

/// Acknowledging ///

dun_sequence dun_store_backlog(const struct dun_store *store)
{
    if (!dun_store_is_mounted(store))
        return 0;
    return dun_log_next_sequence(&store->log) - dun_log_first_sequence(&store->log);
}

void dun_store_ack(struct dun_store *store, dun_sequence sequence, dun_ms due_ms)
{
    /* A refused ack only means that the record is sent again: nothing is lost by it. */
    if (dun_log_ack(&store->log, sequence) == DUN_OK)
        store->acks_due_ms = dun_ms_earlier(store->acks_due_ms, due_ms);
}

void dun_store_ack_to(struct dun_store *store, dun_sequence sequence, dun_ms due_ms)
{
    if (dun_log_ack_to(&store->log, sequence) == DUN_OK)
        store->acks_due_ms = dun_ms_earlier(store->acks_due_ms, due_ms);
}

int dun_store_tick(struct dun_store *store, dun_ms now)
{
    if (!store->mounted || now < store->acks_due_ms)
        return DUN_OK;
    store->acks_due_ms = DUN_MS_NEVER;
    return dun_log_sync(&store->log);
}

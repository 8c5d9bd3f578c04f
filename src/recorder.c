/*
 * recorder.c: seals batches into records. Invariant: points leave the batch only after a store
 * took them, or after a ledger did.
 */
#include "recorder.h"

#define TELL_PAUSE_MS (10 * 60 * 1000)

static struct dun_notice notice(enum dun_notice_kind kind, int error)
{
    return (struct dun_notice){.kind = kind, .error = error};
}

/// Choosing a store ///

static struct dun_store *spare_of(const struct dun_recorder *recorder)
{
    return dun_has_spare() ? recorder->spare : NULL;
}

/* 0, also where there is nothing to try, or the error, which is counted. */
static int try_mount(struct dun_recorder *recorder, struct dun_store *store, dun_ms now)
{
    if (!store || store->mounted || !store->config.flash || now < store->retry_ms)
        return DUN_OK;
    int result = dun_store_mount(store, recorder->notices);
    store->failing = result < 0;
    if (result < 0) {
        recorder->stats->storage_errors++;
        store->retry_ms = now + recorder->limits.retry_ms;
    }
    return result;
}

static bool usable(const struct dun_store *store, dun_ms now)
{
    return dun_store_is_mounted(store) && (!store->failing || now >= store->retry_ms);
}

static void enter_active(struct dun_recorder *recorder, struct dun_store *store)
{
    if (store == recorder->durable && recorder->active && recorder->active != store)
        dun_notices_add(recorder->notices, &(struct dun_notice){.kind = DUN_NOTICE_STORAGE_BACK});
    recorder->active = store;
}

static void tell_failure(struct dun_recorder *recorder, int error)
{
    struct dun_notice failed = notice(DUN_NOTICE_STORAGE_FAILED, error);
    failed.delay_ms = recorder->limits.retry_ms;
    dun_notices_add(recorder->notices, &failed);
}

static void note_failure(struct dun_recorder *recorder, struct dun_store *store, int error,
                         dun_ms now)
{
    recorder->stats->storage_errors++;
    store->retry_ms = now + recorder->limits.retry_ms;
    tell_failure(recorder, error);
}

static void mount_archive(struct dun_recorder *recorder, dun_ms now)
{
    if (dun_has_archive() && recorder->thinner)
        (void)try_mount(recorder, recorder->thinner->archive, now);
}

void dun_recorder_start(struct dun_recorder *recorder, dun_ms now)
{
    recorder->waiting_since_ms = DUN_MS_NEVER;
    recorder->told_ms = now;
    int result = try_mount(recorder, recorder->durable, now);
    mount_archive(recorder, now);
    if (recorder->durable->mounted) {
        recorder->active = recorder->durable;
        return;
    }
    if (result < 0)
        tell_failure(recorder, result);
    (void)try_mount(recorder, spare_of(recorder), now);
    recorder->active = dun_store_is_mounted(spare_of(recorder)) ? spare_of(recorder) : NULL;
}

/// One record into one store ///

void dun_recorder_note_dropped(struct dun_recorder *recorder, struct dun_store *store)
{
    uint32_t dropped = dun_store_dropped(store);
    if (dropped == 0)
        return;
    recorder->stats->records_dropped += dropped;
    struct dun_notice lost = notice(DUN_NOTICE_LOST, DUN_OK);
    lost.value = dropped;
    lost.reason = store->config.overflow == DUN_LOG_THIN ? DUN_LOSS_THINNED : DUN_LOSS_OVERFLOW;
    dun_notices_add(recorder->notices, &lost);
    store->announced = 0; /* what was dropped may have been the dictionary */
}

/* An archive that fails only means that less survives. */
void dun_recorder_save(struct dun_recorder *recorder, const struct dun_store *store)
{
    if (dun_has_archive() && recorder->thinner && store == recorder->durable &&
        dun_thinner_tick(recorder->thinner) < 0)
        recorder->stats->storage_errors++;
}

static int append(struct dun_recorder *recorder, struct dun_store *store, struct dun_record *record)
{
    uint32_t size = 0;
    record->urgent = dun_has_limits() && recorder->urgent_begin > 0 &&
                     recorder->urgent_begin <= record->point_count;
    dun_recorder_save(recorder, store);
    int result = dun_store_append(store, recorder->encoder, record, &size);
    dun_recorder_note_dropped(recorder, store);
    if (result == DUN_OK) {
        recorder->stats->records_stored++;
        recorder->stats->bytes_stored += size;
        dun_clock_stored(recorder->clock);
    }
    return result;
}

static struct dun_record empty_record(struct dun_recorder *recorder)
{
    return (struct dun_record){
        .device = recorder->device,
        .clock = recorder->clock,
        .catalog = recorder->catalog,
        .batch = recorder->batch,
        .size_max = recorder->limits.size_max,
    };
}

/* Stores catalog entries that this stream does not have yet, as many a record as fit; a record
 * longer than others should be holds a single one. */
static int announce(struct dun_recorder *recorder, struct dun_store *store)
{
    uint16_t end = recorder->catalog->count;
    if (!recorder->encoder->announces)
        return DUN_OK;
    while (store->announced < recorder->catalog->count) {
        struct dun_record record = empty_record(recorder);
        record.metric_first = store->announced;
        record.metric_end = end;
        if (end - store->announced == 1)
            record.size_max = 0;
        else if (record.size_max == 0 || record.size_max > recorder->limits.bytes_max)
            record.size_max = recorder->limits.bytes_max;
        int result = append(recorder, store, &record);
        if (result == DUN_E_TOO_LARGE && end - store->announced > 1) {
            end = (uint16_t)(store->announced + (end - store->announced) / 2);
            continue;
        }
        /* An entry larger than any record cannot travel in the stream: `catalog` has it still. */
        if (result < 0 && result != DUN_E_TOO_LARGE)
            return result;
        store->announced = end;
        end = recorder->catalog->count;
    }
    return DUN_OK;
}

static void tell_lost_points(struct dun_recorder *recorder, struct dun_store *store)
{
    for (unsigned reason = 0; reason <= DUN_LOSS_TOO_LARGE; reason++) {
        dun_ledger_add_points(&store->ledger, recorder->lost[reason], (enum dun_loss_reason)reason);
        recorder->lost[reason] = 0;
    }
    recorder->lost_some = false;
}

/* Halves what the record carries. False when it carries a single thing already. */
static bool shrink(struct dun_record *record)
{
    if (record->point_count > 1)
        record->point_count /= 2;
    else if (record->loss_count > 0 && record->point_count == 1)
        record->loss_count /= 2;
    else if (record->loss_count > 1)
        record->loss_count /= 2;
    else
        return false;
    return true;
}

/* Stores as much of `record` as fits one. What no broker of this limit would take, however small it
 * is made, is stored all the same: the next broker may. */
static int append_shrunk(struct dun_recorder *recorder, struct dun_store *store,
                         struct dun_record *record)
{
    int result;
    do
        result = append(recorder, store, record);
    while (result == DUN_E_TOO_LARGE && shrink(record));
    if (result == DUN_E_TOO_LARGE && record->size_max != 0) {
        record->size_max = 0;
        result = append(recorder, store, record);
    }
    return result;
}

static void lose_points(struct dun_recorder *recorder, uint16_t count, enum dun_loss_reason reason)
{
    recorder->stats->points_lost += count;
    struct dun_notice lost = notice(DUN_NOTICE_POINTS_LOST, DUN_OK);
    lost.value = count;
    lost.reason = (uint8_t)reason;
    if (!recorder->lost_some) /* the others follow from the counters; a line a point helps nobody */
        dun_notices_add(recorder->notices, &lost);
    recorder->lost[reason] += count;
    recorder->lost_some |= count > 0;
}

static void note_stored(struct dun_recorder *recorder, const struct dun_store *store,
                        const struct dun_record *record)
{
    recorder->stats->points_recorded += record->point_count;
    if (!dun_has_limits() || !record->urgent || store != recorder->durable)
        return;
    if (recorder->urgent_first == 0)
        recorder->urgent_first = record->sequence;
    recorder->urgent_last = record->sequence;
}

/* Takes the oldest points out of the batch. */
static void consume(struct dun_recorder *recorder, uint16_t count)
{
    dun_batch_consume(recorder->batch, count);
    if (!dun_has_limits())
        return;
    bool left = recorder->urgent_end > count;
    recorder->urgent_end = left ? (uint16_t)(recorder->urgent_end - count) : 0;
    recorder->urgent_begin =
        left && recorder->urgent_begin > count ? (uint16_t)(recorder->urgent_begin - count) : left;
}

/* Stores as much of what waits as one record holds. */
static int seal_one(struct dun_recorder *recorder, struct dun_store *store, dun_ms now)
{
    dun_ledger_stamp(&store->ledger, recorder->clock->boot, now);
    tell_lost_points(recorder, store);
    int result = announce(recorder, store);
    if (result < 0)
        return result;
    struct dun_record record = empty_record(recorder);
    record.point_count = recorder->batch->count;
    record.loss_count = dun_ledger_untold(&store->ledger);
    result = append_shrunk(recorder, store, &record);
    if (result == DUN_E_TOO_LARGE)
        lose_points(recorder, record.point_count, DUN_LOSS_TOO_LARGE);
    else if (result == DUN_OK)
        note_stored(recorder, store, &record);
    else
        return result;
    consume(recorder, record.point_count);
    return DUN_OK;
}

/// Sealing ///

static bool points_wait(const struct dun_recorder *recorder)
{
    return recorder->batch->count > 0 || recorder->clock->anchor_count > 0 || recorder->lost_some;
}

/*
 * A record that tells nothing but losses should not push others out, which would be the next loss
 * to tell: it waits for room. Not for ever, since the far end may wait for just this record.
 */
static bool losses_wait(const struct dun_recorder *recorder, const struct dun_store *store,
                        dun_ms now)
{
    if (!usable(store, now) || dun_ledger_untold(&store->ledger) == 0)
        return false;
    if (now >= recorder->told_ms + TELL_PAUSE_MS)
        return true;
    uint64_t room = dun_log_capacity(&store->log) - dun_log_used(&store->log);
    return dun_store_backlog(store) == 0 || room >= store->config.flash->geometry.block_size;
}

/* A ledger that overflows in the course of sealing has news again; the next seal tells that. */
static int seal_into(struct dun_recorder *recorder, struct dun_store *store, dun_ms now)
{
    int result;
    do
        result = seal_one(recorder, store, now);
    while (result == DUN_OK && recorder->batch->count > 0);
    if (dun_has_keeping() &&
        result == DUN_E_FULL) { /* the policy keeps the old and drops the new */
        lose_points(recorder, recorder->batch->count, DUN_LOSS_OVERFLOW);
        consume(recorder, recorder->batch->count);
        return DUN_OK;
    }
    return result;
}

static int seal_where_possible(struct dun_recorder *recorder, dun_ms now)
{
    struct dun_store *stores[] = {recorder->durable, spare_of(recorder)};
    int result = DUN_E_IO;
    mount_archive(recorder, now);
    for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        (void)try_mount(recorder, stores[i], now);
        if (!usable(stores[i], now))
            continue;
        result = seal_into(recorder, stores[i], now);
        if (result == DUN_OK) {
            enter_active(recorder, stores[i]);
            return DUN_OK;
        }
        note_failure(recorder, stores[i], result, now);
    }
    return result;
}

/* What a store lost is told in that store, even if the other one takes the records. */
static void tell_losses(struct dun_recorder *recorder, struct dun_store *store, dun_ms now)
{
    if (!losses_wait(recorder, store, now))
        return;
    struct dun_record record = empty_record(recorder);
    record.loss_count = dun_ledger_untold(&store->ledger);
    record.telling = dun_ledger_untold_sequences(&store->ledger);
    recorder->told_ms = now;
    int result = append_shrunk(recorder, store, &record);
    if (result < 0 && result != DUN_E_TOO_LARGE && result != DUN_E_FULL)
        note_failure(recorder, store, result, now);
}

int dun_recorder_seal(struct dun_recorder *recorder, dun_ms now)
{
    int result = DUN_OK;
    recorder->seal_due = false;
    if (!recorder->active || points_wait(recorder))
        result = seal_where_possible(recorder, now);
    tell_losses(recorder, recorder->durable, now);
    tell_losses(recorder, spare_of(recorder), now);
    if (result < 0) {
        recorder->blocked_until_ms = now + recorder->limits.retry_ms;
        return result;
    }
    recorder->blocked_until_ms = 0;
    bool more = points_wait(recorder) || losses_wait(recorder, recorder->active, now);
    recorder->waiting_since_ms = more ? now : DUN_MS_NEVER;
    return DUN_OK;
}

void dun_recorder_wake(struct dun_recorder *recorder, dun_ms now)
{
    if (recorder->waiting_since_ms == DUN_MS_NEVER)
        recorder->waiting_since_ms = now;
}

static int side_of(const struct dun_limit *limit, int64_t value)
{
    return limit->set ? (value > limit->high) - (value < limit->low) : 0;
}

/* To the nearest multiple; what would leave the range of integers stays. */
static int64_t rounded(int64_t value, int64_t resolution)
{
    int64_t half = resolution / 2;
    if (resolution <= 1 || value > INT64_MAX - half || value < INT64_MIN + half)
        return value;
    return (value < 0 ? value - half : value + half) / resolution * resolution;
}

bool dun_recorder_is_due(const struct dun_limit *limit, dun_ms now)
{
    const struct dun_tuning *tuning = &limit->tuning;
    return !tuning->sparse || !limit->told ||
           (tuning->heartbeat_ms > 0 && now - limit->last_ms >= (dun_ms)tuning->heartbeat_ms);
}

/* Nothing new: within the dead-band of what was recorded last, and no heartbeat is due. */
static bool is_left_out(const struct dun_limit *limit, int64_t value, dun_ms now)
{
    if (dun_recorder_is_due(limit, now))
        return false;
    uint64_t change = value > limit->last ? (uint64_t)value - (uint64_t)limit->last
                                          : (uint64_t)limit->last - (uint64_t)value;
    return change <= (uint64_t)limit->tuning.dead_band;
}

static void note_recorded(struct dun_recorder *recorder, struct dun_limit *limit, int side,
                          int64_t value, dun_ms now)
{
    if (side != limit->side) {
        recorder->urgent_end = recorder->batch->count;
        if (recorder->urgent_begin == 0)
            recorder->urgent_begin = recorder->batch->count;
        limit->side = (int8_t)side;
    }
    if (limit->tuning.sparse) {
        limit->told = true;
        limit->last = value;
        limit->last_ms = now;
    }
}

int dun_recorder_put(struct dun_recorder *recorder, uint16_t metric, int64_t value, int side,
                     dun_ms now)
{
    int result = dun_batch_add(recorder->batch, metric, value, now);
    if (result == DUN_E_FULL && now >= recorder->blocked_until_ms &&
        dun_recorder_seal(recorder, now) == DUN_OK)
        result = dun_batch_add(recorder->batch, metric, value, now);
    if (result == DUN_E_FULL)
        lose_points(recorder, 1, DUN_LOSS_STORAGE);
    if (result < 0)
        return result;
    dun_recorder_wake(recorder, now);
    if (dun_has_limits() && recorder->limits_of)
        note_recorded(recorder, &recorder->limits_of[metric], side, value, now);
    if ((dun_has_limits() && recorder->urgent_end > 0) ||
        recorder->batch->count >= recorder->limits.points_max ||
        dun_batch_rough_size(recorder->batch) >= recorder->limits.bytes_max)
        recorder->seal_due = true;
    return DUN_OK;
}

int dun_recorder_add(struct dun_recorder *recorder, uint16_t metric, int64_t value, dun_ms now)
{
    if (metric >= recorder->catalog->count || recorder->catalog->metrics[metric].real)
        return DUN_E_INVALID;
    int side = 0;
    if (dun_has_limits() && recorder->limits_of) {
        const struct dun_limit *limit = &recorder->limits_of[metric];
        side = side_of(limit, value);
        value = rounded(value, limit->tuning.resolution);
        if (side == limit->side && is_left_out(limit, value, now))
            return DUN_OK;
    }
    return dun_recorder_put(recorder, metric, value, side, now);
}

dun_ms dun_recorder_deadline(const struct dun_recorder *recorder)
{
    if (recorder->waiting_since_ms == DUN_MS_NEVER)
        return DUN_MS_NEVER;
    dun_ms due_ms = recorder->seal_due
                        ? recorder->waiting_since_ms
                        : recorder->waiting_since_ms + (dun_ms)recorder->limits.age_max_ms;
    return due_ms > recorder->blocked_until_ms ? due_ms : recorder->blocked_until_ms;
}

void dun_recorder_tick(struct dun_recorder *recorder, dun_ms now)
{
    if (now < dun_recorder_deadline(recorder))
        return;
    /* A failure was counted and noticed where it happened; what waits goes on waiting. */
    int result = dun_recorder_seal(recorder, now);
    (void)result;
}

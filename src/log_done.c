/*
 * log_done.c: which sequences of the log need no sending any more: all before the cursor, and up
 * to DUN_LOG_DONE_MAX ranges behind it, sorted, with at least one open sequence between any two.
 */
#include "log_internal.h"

static dun_sequence end_of(const struct dun_log *log, uint8_t index)
{
    return log->done_first[index] + log->done_count[index];
}

bool dun_log_is_done(const struct dun_log *log, dun_sequence sequence)
{
    if (sequence < log->cursor)
        return true;
    for (uint8_t i = 0; i < dun_log_done_used(log); i++)
        if (sequence >= log->done_first[i] && sequence < end_of(log, i))
            return true;
    return false;
}

static void remove_range(struct dun_log *log, uint8_t index)
{
    log->done_used--;
    for (uint8_t i = index; i < log->done_used; i++) {
        log->done_first[i] = log->done_first[i + 1];
        log->done_count[i] = log->done_count[i + 1];
    }
}

static void insert_range(struct dun_log *log, uint8_t index, dun_sequence first, uint32_t count)
{
    for (uint8_t i = log->done_used; i > index; i--) {
        log->done_first[i] = log->done_first[i - 1];
        log->done_count[i] = log->done_count[i - 1];
    }
    log->done_used++;
    log->done_first[index] = first;
    log->done_count[index] = count;
}

void dun_log_advance(struct dun_log *log, dun_sequence sequence)
{
    if (sequence > log->cursor)
        log->cursor = sequence;
    while (dun_log_done_used(log) > 0 && log->done_first[0] <= log->cursor) {
        if (end_of(log, 0) > log->cursor)
            log->cursor = end_of(log, 0);
        remove_range(log, 0);
    }
}

bool dun_log_mark_done(struct dun_log *log, dun_sequence first, dun_sequence count)
{
    dun_sequence end = first + count;
    uint8_t index = 0;

    if (first <= log->cursor) {
        dun_log_advance(log, end);
        return true;
    }
    if (!dun_has_ranges())
        return false;
    while (index < dun_log_done_used(log) && end_of(log, index) < first)
        index++;
    /* What touches is taken in. */
    while (index < dun_log_done_used(log) && log->done_first[index] <= end) {
        if (log->done_first[index] < first)
            first = log->done_first[index];
        if (end_of(log, index) > end)
            end = end_of(log, index);
        remove_range(log, index);
    }
    if (log->done_used == DUN_LOG_DONE_MAX || end - first > UINT32_MAX)
        return false;
    insert_range(log, index, first, (uint32_t)(end - first));
    return true;
}

dun_sequence dun_log_open_run(const struct dun_log *log, dun_sequence *first, dun_sequence end)
{
    if (*first < log->cursor)
        *first = log->cursor;
    for (uint8_t i = 0; i < dun_log_done_used(log) && *first < end; i++) {
        if (log->done_first[i] > *first)
            return log->done_first[i] < end ? log->done_first[i] : end;
        if (end_of(log, i) > *first)
            *first = end_of(log, i);
    }
    return end;
}

dun_sequence dun_log_lose(struct dun_log *log, dun_sequence first, dun_sequence end,
                          enum dun_loss_reason reason)
{
    dun_sequence lost = 0;

    while (first < end) {
        dun_sequence stop = dun_log_open_run(log, &first, end);

        if (stop <= first)
            break;
        dun_ledger_add(log->ledger, first, stop - 1, (uint8_t)reason);
        lost += stop - first;
        first = stop;
    }
    return lost;
}

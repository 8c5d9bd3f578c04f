/* encoder.c: what a record carries beside points: who and when, the loss ledger, the anchors. */
#include "encoder.h"

#include "telemetry.pb.h"
#include "wire.h"

const char *dun_record_channel(uint8_t first_byte)
{
    const uint8_t batch = dunlin_v1_Batch_stream_tag << 3 | PB_WT_64BIT;
    return first_byte == batch ? "batch" : "samples";
}

static bool write_loss(pb_ostream_t *out, const void *context)
{
    const struct dun_loss *loss = context;
    bool ok = true;
    if (loss->first != 0)
        ok = dun_wire_uint(out, dunlin_v1_Loss_first_tag, loss->first) &&
             dun_wire_uint(out, dunlin_v1_Loss_last_tag, loss->last);
    bool coded = loss->reason >= DUN_LOSS_CODES;
    ok = ok &&
         dun_wire_uint(out, dunlin_v1_Loss_reason_tag, coded ? DUN_LOSS_REJECTED : loss->reason);
    if (loss->points != 0)
        ok = ok && dun_wire_uint(out, dunlin_v1_Loss_points_tag, loss->points);
    ok = ok && dun_wire_fixed32(out, dunlin_v1_Loss_boot_tag, loss->boot) &&
         dun_wire_uint(out, dunlin_v1_Loss_uptime_ms_tag, (uint64_t)loss->uptime_ms);
    return ok && (!coded || dun_wire_uint(out, dunlin_v1_Loss_code_tag, loss->reason));
}

bool dun_encode_losses(pb_ostream_t *out, uint32_t tag, const struct dun_record *record)
{
    uint16_t left = record->loss_count;
    for (uint16_t i = 0; i < record->ledger->count && left > 0; i++) {
        const struct dun_loss *loss = &record->ledger->entries[i];
        if (loss->told_in != 0)
            continue;
        if (!dun_wire_message(out, tag, write_loss, loss))
            return false;
        left--;
    }
    return true;
}

static bool write_anchor(pb_ostream_t *out, const void *context)
{
    const struct dun_anchor *anchor = context;
    return dun_wire_fixed32(out, dunlin_v1_Anchor_boot_tag, anchor->boot) &&
           dun_wire_uint(out, dunlin_v1_Anchor_uptime_ms_tag, (uint64_t)anchor->uptime_ms) &&
           dun_wire_int(out, dunlin_v1_Anchor_unix_ms_tag, anchor->unix_ms) &&
           dun_wire_uint(out, dunlin_v1_Anchor_cause_tag, anchor->cause);
}

bool dun_encode_anchors(pb_ostream_t *out, uint32_t tag, const struct dun_record *record)
{
    for (uint16_t i = 0; i < record->clock->anchor_count; i++)
        if (!dun_wire_message(out, tag, write_anchor, &record->clock->anchors[i]))
            return false;
    return true;
}

/// A Batch ///

static bool write_header(pb_ostream_t *out, const struct dun_record *record)
{
    uint32_t hash = record->metric_first < record->metric_end
                        ? dun_catalog_hash(record->catalog, record->metric_end)
                        : record->catalog->hash;
    return dun_wire_fixed64(out, dunlin_v1_Batch_stream_tag, record->stream) &&
           dun_wire_uint(out, dunlin_v1_Batch_sequence_tag, record->sequence) &&
           dun_wire_fixed32(out, dunlin_v1_Batch_boot_tag, record->clock->boot) &&
           dun_wire_fixed32(out, dunlin_v1_Batch_catalog_tag, hash);
}

static bool write_announcement(pb_ostream_t *out, const struct dun_record *record)
{
    if (record->metric_first == record->metric_end)
        return true;
    uint32_t base = dun_catalog_hash(record->catalog, record->metric_first);
    return dun_wire_fixed32(out, dunlin_v1_Batch_catalog_base_tag, base) &&
           dun_catalog_encode(out, record->catalog, dunlin_v1_Batch_metrics_tag,
                              record->metric_first, record->metric_end);
}

static bool write_base(pb_ostream_t *out, const struct dun_record *record)
{
    const struct dun_clock *clock = record->clock;
    return dun_wire_uint(out, dunlin_v1_Batch_base_uptime_ms_tag,
                         (uint64_t)record->batch->base_ms) &&
           (!clock->known ||
            dun_wire_int(out, dunlin_v1_Batch_boot_unix_ms_tag, clock->boot_unix_ms));
}

bool dun_encode_batch(pb_ostream_t *out, const struct dun_record *record,
                      bool (*write_points)(pb_ostream_t *out, const struct dun_record *record))
{
    return write_header(out, record) &&
           (record->point_count == 0 || (write_base(out, record) && write_points(out, record))) &&
           dun_encode_losses(out, dunlin_v1_Batch_losses_tag, record) &&
           dun_encode_anchors(out, dunlin_v1_Batch_anchors_tag, record) &&
           write_announcement(out, record);
}

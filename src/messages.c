/* messages.c: writes dunlin.v1.About and dunlin.v1.Catalog, reads dunlin.v1.Stored. */
#include "messages.h"

#include "bytes.h"
#include "fields.h"
#include "telemetry.pb.h"
#include "wire.h"

static bool write_knob(pb_ostream_t *out, const void *context)
{
    const struct dun_knob *knob = context;
    return dun_wire_string(out, dunlin_v1_Knob_name_tag, knob->name) &&
           dun_wire_uint(out, dunlin_v1_Knob_value_tag, knob->value);
}

bool dun_about_write(pb_ostream_t *out, const void *context)
{
    const struct dun_about *about = context;
    if (!dun_wire_string(out, dunlin_v1_About_device_tag, about->device) ||
        !dun_wire_string(out, dunlin_v1_About_fleet_tag, about->fleet) ||
        !dun_wire_string(out, dunlin_v1_About_board_tag, about->board) ||
        !dun_wire_string(out, dunlin_v1_About_firmware_tag, about->firmware) ||
        !dun_wire_fixed64(out, dunlin_v1_About_stream_tag, about->stream) ||
        !dun_wire_fixed32(out, dunlin_v1_About_boot_tag, about->boot) ||
        !dun_wire_fixed32(out, dunlin_v1_About_catalog_tag, about->catalog_hash) ||
        !dun_wire_string(out, dunlin_v1_About_encoding_tag, about->encoding) ||
        !dun_wire_uint(out, dunlin_v1_About_volatile_stream_tag, about->volatile_stream))
        return false;
    for (uint16_t i = 0; i < about->knob_count; i++)
        if (!dun_wire_message(out, dunlin_v1_About_profile_tag, write_knob, &about->knobs[i]))
            return false;
    return dun_wire_uint(out, dunlin_v1_About_oldest_sequence_tag, about->oldest_sequence);
}

bool dun_catalog_write(pb_ostream_t *out, const void *context)
{
    const struct dun_about *about = context;
    return dun_wire_fixed64(out, dunlin_v1_Catalog_stream_tag, about->stream) &&
           dun_wire_fixed32(out, dunlin_v1_Catalog_hash_tag, about->catalog_hash) &&
           dun_catalog_encode(out, about->catalog, dunlin_v1_Catalog_metrics_tag, 0,
                              about->metric_count);
}

bool dun_stored_read(struct dun_span payload, struct dun_stored *stored)
{
    struct dun_field field;
    bool has_stream = false, has_sequence = false;
    int more;
    while ((more = dun_fields_next(&payload, &field)) > 0) {
        bool fixed64 = !field.has_bytes && field.bytes.size == 8;
        bool varint = !field.has_bytes && field.bytes.size == 0;
        if (field.tag == dunlin_v1_Stored_stream_tag && fixed64) {
            stored->stream = dun_get64(field.bytes.data);
            has_stream = true;
        } else if (field.tag == dunlin_v1_Stored_sequence_tag && varint) {
            stored->sequence = field.number;
            has_sequence = true;
        }
    }
    return more == 0 && has_stream && has_sequence;
}

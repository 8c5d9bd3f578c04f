/* fields.c: see fields.h. Each length is compared with what is left before anything is read. */
#include "fields.h"

static bool take_varint(struct dun_span *in, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; in->size > 0 && shift < 64; shift += 7) {
        uint8_t byte = *in->data++;
        in->size--;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return shift < 63 || byte <= 1;
    }
    return false;
}

static bool take_bytes(struct dun_span *in, uint64_t size, struct dun_span *bytes)
{
    if (size > in->size)
        return false;
    *bytes = (struct dun_span){in->data, (size_t)size};
    in->data += size;
    in->size -= (size_t)size;
    return true;
}

int dun_fields_next(struct dun_span *in, struct dun_field *field)
{
    uint64_t key, size;
    bool ok = false;
    if (in->size == 0)
        return 0;
    *field = (struct dun_field){0};
    if (!take_varint(in, &key) || key < 8 || key > UINT32_MAX)
        return DUN_E_CORRUPT;
    field->tag = (uint32_t)(key >> 3);
    switch (key & 7) {
    case 0:
        ok = take_varint(in, &field->number);
        break;
    case 1:
        ok = take_bytes(in, 8, &field->bytes);
        break;
    case 2:
        field->has_bytes = true;
        ok = take_varint(in, &size) && take_bytes(in, size, &field->bytes);
        break;
    case 5:
        ok = take_bytes(in, 4, &field->bytes);
        break;
    default:
        break;
    }
    return ok ? 1 : DUN_E_CORRUPT;
}

int64_t dun_field_signed(const struct dun_field *field)
{
    uint64_t magnitude = field->number >> 1;
    return (field->number & 1) != 0 ? -(int64_t)magnitude - 1 : (int64_t)magnitude;
}

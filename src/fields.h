/*
 * fields.h: reading protobuf fields one after the other out of hostile bytes, where wire.h writes
 * them. It copies nothing, and knows no message.
 */
#ifndef DUN_FIELDS_H
#define DUN_FIELDS_H

#include "base.h"

struct dun_field {
    uint32_t tag;
    bool has_bytes;        /* of wire type 2 */
    uint64_t number;       /* of a varint */
    struct dun_span bytes; /* into what is read; of a fixed width too */
};

/* Takes the next field off the front of `in`: 1; 0 at the end; DUN_E_CORRUPT for what is cut off,
 * for tag 0, for a varint beyond 64 bits and for groups. */
DUN_MUST_USE int dun_fields_next(struct dun_span *in, struct dun_field *field);

/* The number of a field of type sint64. */
int64_t dun_field_signed(const struct dun_field *field);

#endif

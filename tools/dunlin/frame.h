/*
 * frame.h: finds the records in a file: the whole file is one (bare), each is preceded by its
 * length (delimited), or each line is one (hex, base64; a topic may stand before it).
 *
 * Memory grows with the bytes that arrive, never with a length that is claimed, and not beyond
 * DUN_RECORD_BYTES_MAX (twice that for a line of hex).
 */
#ifndef DUN_FRAME_H
#define DUN_FRAME_H

#include "parse.h"

enum dun_framing {
    DUN_FRAMING_BARE,
    DUN_FRAMING_DELIMITED,
    DUN_FRAMING_HEX,
    DUN_FRAMING_BASE64,
};

struct dun_frame {
    struct dun_span payload; /* valid until the next one is read */
    struct dun_span topic;   /* empty: none */
    uint64_t number;         /* 1, 2 ... in this file */
    uint64_t offset;         /* of its first byte, in this file */
};

struct dun_frames {
    int fd;
    enum dun_framing framing;
    bool ended; /* no more records: end of file, or the framing is lost */
    uint64_t number;
    uint64_t offset;     /* of the next byte to be taken */
    size_t used, filled; /* of `input` */
    struct dun_list record;
    uint8_t input[65536];
};

void dun_frames_init(struct dun_frames *frames, int fd, enum dun_framing framing);
void dun_frames_free(struct dun_frames *frames);

/*
 * The next record: 1 and `frame`; 0 at the end; DUN_E_CORRUPT with `frame->number`, its offset and
 * `complaint` for one that must be skipped (call again, unless frames->ended); DUN_E_IO with errno.
 */
DUN_MUST_USE int dun_frames_next(struct dun_frames *frames, struct dun_frame *frame,
                                 struct dun_complaint *complaint);

#endif

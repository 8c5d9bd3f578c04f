/*
 * capture.h: files of records, as mosquitto_sub or a device wrote them, into a store: for commands
 * that ask a database and are given a capture.
 */
#ifndef DUN_CAPTURE_H
#define DUN_CAPTURE_H

#include "frame.h"
#include "ingest.h"

struct dun_capture {
    const char *command; /* for messages */
    const char *const *files;
    int file_count;
    enum dun_framing framing;
    const char *device; /* whose records they are, where no topic says so; NULL: "device" */
    uint64_t refused;   /* records */
};

/* hex, base64 or delimited: those that hold several records. */
bool dun_capture_framing(const char *name, enum dun_framing *framing);

/* 0, or an exit code; each trouble has its line on stderr. Refused records are counted. */
DUN_MUST_USE int dun_capture_into(struct dun_capture *capture, struct dun_store *store);

#endif

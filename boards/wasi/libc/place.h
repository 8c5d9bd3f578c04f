/* place.h: below which granted folder a path lies. */
#ifndef DUN_WASI_PLACE_H
#define DUN_WASI_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dun_place_of {
    int32_t folder;
    const char *path; /* below it; the bytes stay those of the path that was asked for */
    size_t size;
};

/* The granted folder whose name covers most of `path`; false with errno: none does. */
bool dun_wasi_find(const char *path, struct dun_place_of *place);

/* 0 if it went well, otherwise -1 with the errno of wasi:filesystem's `error`. */
int dun_wasi_result(bool failed, uint8_t error);

#endif

/* place.h: below which granted folder a path lies. */
#ifndef DUN_WASI_PLACE_H
#define DUN_WASI_PLACE_H

#include <stdbool.h>
#include <wasi/wasip2.h>

struct dun_place_of {
    filesystem_borrow_descriptor_t folder;
    wasip2_string_t path; /* below it; the bytes stay those of the path that was asked for */
};

/* The granted folder whose name covers most of `path`; false with errno: none does. */
bool dun_wasi_find(const char *path, struct dun_place_of *place);

/* 0 if it went well, otherwise -1 with the errno of `error`. */
int dun_wasi_result(bool well, filesystem_error_code_t error);

#endif

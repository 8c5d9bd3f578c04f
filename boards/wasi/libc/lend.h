/*
 * lend.h: where the runtime puts what it answers with: memory.wat gives it room for each list and
 * text. What is lent is taken first, so that an answer lands where it is wanted and nothing is
 * freed.
 */
#ifndef DUN_WASI_LEND_H
#define DUN_WASI_LEND_H

#include <stddef.h>

#define DUN_FROM_MEMORY(name) __attribute__((import_module("memory"), import_name(name)))

/* The next answer of at most `size` bytes goes to `buffer`; a larger one, or none lent (NULL),
 * takes memory that is never given back. Lend before each call that answers with a list. */
DUN_FROM_MEMORY("lend") void dun_lend(void *buffer, size_t size);

/* Zeroed memory, for good. A memory that is full ends the component. */
DUN_FROM_MEMORY("take") void *dun_take(size_t size);

#endif

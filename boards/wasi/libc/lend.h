/*
 * lend.h: where the runtime puts what it answers with. It asks cabi_realloc for each list and text;
 * what is lent is taken first, so that an answer lands where it is wanted and nothing is freed.
 */
#ifndef DUN_WASI_LEND_H
#define DUN_WASI_LEND_H

#include <stddef.h>

/* The next answer of at most `size` bytes goes to `buffer`; a larger one, or none lent (NULL),
 * takes memory that is never given back. Lend before each call that answers with a list. */
void dun_lend(void *buffer, size_t size);

#endif

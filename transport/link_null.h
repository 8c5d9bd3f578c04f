/*
 * link_null.h: a link that never connects. It is where a new link starts, and lets a board link
 * before its network exists.
 */
#ifndef DUN_LINK_NULL_H
#define DUN_LINK_NULL_H

#include "link.h"

/* Fills `link`: open fails with DUN_E_UNSUPPORTED. */
void dun_link_null_init(struct dun_link *link);

#endif

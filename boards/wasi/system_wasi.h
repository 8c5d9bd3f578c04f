/* system_wasi.h: what system.h cannot say without descriptors. */
#ifndef DUN_WASI_SYSTEM_H
#define DUN_WASI_SYSTEM_H

#include "link_wasi.h"

/* dun_system_sleep waits for this link too, whenever it is given a descriptor from 0. */
void dun_system_watch_link(const struct dun_link_wasi *link);

#endif

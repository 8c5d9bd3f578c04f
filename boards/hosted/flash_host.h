/*
 * flash_host.h: what the log's file asks of a host beyond reading and writing. flash_host_posix.c
 * is the one with record locks; boards/wasi has another, for a host that has none.
 */
#ifndef DUN_HOSTED_FLASH_HOST_H
#define DUN_HOSTED_FLASH_HOST_H

#include "flash_file.h"

/*
 * Makes the folder of the open file->lock ours. 0; DUN_E_BUSY: another process has it, see
 * file->holder; DUN_E_INVALID: locking fails, see file->system_error.
 */
DUN_MUST_USE int dun_flash_host_lock(struct dun_flash_file *file);

/* Asked before each write. False: it was taken away from us, and file->taken says so from now on.
 */
bool dun_flash_host_owns(struct dun_flash_file *file);

/* Makes names in a folder durable. False: errno says why. */
DUN_MUST_USE bool dun_flash_host_sync_folder(const char *folder);

/* Bytes free in a folder, UINT64_MAX if the host cannot tell. False: errno says why. */
bool dun_flash_host_room(const char *folder, uint64_t *room);

/*
 * After a sync that failed, perhaps one of an earlier process that died of it, the page cache may
 * show bytes that the disk does not have, marked clean: no later sync brings them there. So what is
 * dirty is written, and all is read anew. A failure shows itself in what is read or synced next.
 */
void dun_flash_host_distrust(int fd);

#endif

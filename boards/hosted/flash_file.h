/*
 * flash_file.h: the flash seam over one preallocated file, and the lock on the folder it lies in.
 *
 * The folder holds `log`, the image, and `lock`, which remembers the size of it and stays. The
 * image is written full of 0xFF once, so that later writes need no more room on the disk. Nothing
 * here decides what to do about an error; it says which one, and the next use tries again.
 */
#ifndef DUN_FLASH_FILE_H
#define DUN_FLASH_FILE_H

#include "flash.h"

#define DUN_FLASH_FILE_PATH_MAX 4096

struct dun_flash_file {
    struct dun_flash flash; /* hand its address to the log */
    int system_error;       /* errno of the latest failure, 0: none */
    int32_t holder;         /* after DUN_E_BUSY: process id of the one that has the lock */
    char path[DUN_FLASH_FILE_PATH_MAX]; /* what the latest failure was about, or the image */
    size_t folder_size;                 /* the folder is so many bytes of `path` */
    int lock;
    int image;
    bool taken; /* another agent took the folder: nothing is written any more */
};

/*
 * Locks `folder`, which is made if only its last name is missing, and opens or makes the image.
 * An image larger than `geometry` says stays as large as it is, and file->flash.geometry says so;
 * one that was cut off gets its length back, the missing blocks marked as lost (LOG_FORMAT.md).
 * 0; DUN_E_BUSY: another process has the lock, see `holder` and `path`; DUN_E_INVALID: no usable
 * folder, see `system_error`. After DUN_E_NO_SPACE and DUN_E_IO the lock is held and the flash may
 * be used: each use tries to make the image again. Cost of the first time: writes the whole image.
 *
 * On POSIX the lock is a record lock: children made by fork do not inherit it, and a second open in
 * the same process does not meet it. What it is elsewhere stands in the board's flash_host_*.c.
 */
DUN_MUST_USE int dun_flash_file_open(struct dun_flash_file *file, const char *folder,
                                     struct dun_flash_geometry geometry);

/* Gives the lock back. Syncs nothing. */
void dun_flash_file_close(struct dun_flash_file *file);

#endif

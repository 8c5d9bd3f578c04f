/*
 * log_image.h: the flash seam over the file that holds a log, for looking only: prog and erase
 * refuse, the file is opened for reading, no lock is taken. The agent may go on writing meanwhile.
 *
 * Up to DUN_LOG_IMAGE_COPY_MAX bytes the file is copied, again and again until nothing in it moved
 * between two passes: so what is shown was all there at one moment. A larger one is read in place.
 */
#ifndef DUN_LOG_IMAGE_H
#define DUN_LOG_IMAGE_H

#include "flash.h"
#include "tool.h"

#define DUN_LOG_IMAGE_COPY_MAX ((uint64_t)1 << 30)
#define DUN_LOG_IMAGE_PATH_MAX 4096

/* What the file does not say, or what overrules it; 0: find it there. */
struct dun_log_wanted {
    uint32_t block_size;
    uint32_t prog_size;
};

struct dun_log_image {
    struct dun_flash flash; /* geometry is all 0 if the file is blank and nobody told it */
    uint64_t size;          /* of the file, bytes */
    uint64_t remembered;    /* size that the folder's lock file tells, 0: none */
    uint32_t present;       /* blocks that the file holds; the others read as lost */
    int32_t holder;         /* process that has the folder's lock, 0: none */
    bool moving;            /* it never stood still while it was copied */
    int fd;
    uint8_t *copy; /* NULL: read in place */
    char path[DUN_LOG_IMAGE_PATH_MAX];
};

/*
 * Opens FILE, or FOLDER/log, and finds its geometry. 0, or an enum dun_exit after a line on stderr;
 * to be closed in either case. Cost: reads the whole file at least twice, if it is copied.
 */
DUN_MUST_USE int dun_log_image_open(struct dun_log_image *image, const char *path,
                                    struct dun_log_wanted wanted);
void dun_log_image_close(struct dun_log_image *image);

/* Prints "dunlin log: PATH: MESSAGE" on stderr and returns `exit_code`. */
int dun_log_image_complain(const struct dun_log_image *image, int exit_code, const char *format,
                           ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

#endif

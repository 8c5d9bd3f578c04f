/*
 * files.h: the folder of a fleet as text files. Everything is written beside its place and renamed,
 * so that a reader, and the next run after a power cut, finds the old file or the new one whole.
 */
#ifndef DUN_PROVISION_FILES_H
#define DUN_PROVISION_FILES_H

#include <stdbool.h>
#include <stddef.h>

#define DUN_PATH_MAX      1024
#define DUN_FILE_SIZE_MAX ((size_t)64 << 20)

#define DUN_MODE_SECRET 0600
#define DUN_MODE_OPEN   0644

/* Prints "dunlin provision: PATH: what errno says"; returns false. */
bool dun_file_complain(const char *path);

/* Joins as printf does; false after a line on stderr: the path is too long. */
bool dun_path(char path[DUN_PATH_MAX], const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

bool dun_file_exists(const char *path);

/* A folder of mode 0700; it may be there already. */
bool dun_folder_make(const char *path);

/* The whole file, with a NUL behind it; the caller frees it. NULL after a line on stderr. */
char *dun_file_read(const char *path, size_t *size);

/* Durable on return. */
bool dun_file_write(const char *path, unsigned mode, const void *data, size_t size);

/* A growing text. */
struct dun_text {
    char *data; /* NUL behind it; NULL as long as it is empty */
    size_t size;
    bool failed; /* memory ran out */
};

void dun_text_add(struct dun_text *text, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* Writes the text if the file does not say so already, and empties it. */
bool dun_text_write(struct dun_text *text, const char *path, unsigned mode);

/* A text file that anybody may read, if `to` does not say the same already. */
bool dun_file_copy(const char *from, const char *to);

#endif

/* folders.c: a folder's entries, for whoever looks for certificates in one. One is read at a time.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "lend.h"
#include "place.h"

#define NAME_MAX_HERE 255

struct _DIR {
    bool used;
    filesystem_own_descriptor_t folder;
    filesystem_own_directory_entry_stream_t entries;
    _Alignas(struct dirent) char entry[sizeof(struct dirent) + NAME_MAX_HERE + 1];
};

DIR *opendir(const char *path)
{
    static struct _DIR only;
    struct dun_place_of place;
    filesystem_error_code_t error;
    errno = EMFILE;
    if (only.used || !dun_wasi_find(path, &place)) {
        return NULL;
    }
    if (!filesystem_method_descriptor_open_at(place.folder, FILESYSTEM_PATH_FLAGS_SYMLINK_FOLLOW,
                                              &place.path, FILESYSTEM_OPEN_FLAGS_DIRECTORY,
                                              FILESYSTEM_DESCRIPTOR_FLAGS_READ, &only.folder,
                                              &error)) {
        (void)dun_wasi_result(false, error);
        return NULL;
    }
    if (!filesystem_method_descriptor_read_directory(filesystem_borrow_descriptor(only.folder),
                                                     &only.entries, &error)) {
        filesystem_descriptor_drop_own(only.folder);
        (void)dun_wasi_result(false, error);
        return NULL;
    }
    only.used = true;
    return &only;
}

struct dirent *readdir(DIR *folder)
{
    struct dirent *entry = (struct dirent *)(void *)folder->entry;
    char *name = entry->d_name;
    filesystem_option_directory_entry_t next;
    filesystem_error_code_t error;
    dun_lend(name, NAME_MAX_HERE);
    bool well = filesystem_method_directory_entry_stream_read_directory_entry(
        filesystem_borrow_directory_entry_stream(folder->entries), &next, &error);
    dun_lend(NULL, 0);
    if (dun_wasi_result(well, error) != 0 || !next.is_some || next.val.name.len > NAME_MAX_HERE) {
        return NULL;
    }
    name[next.val.name.len] = '\0';
    return entry;
}

int closedir(DIR *folder)
{
    filesystem_directory_entry_stream_drop_own(folder->entries);
    filesystem_descriptor_drop_own(folder->folder);
    folder->used = false;
    return 0;
}

/* folders.c: a folder's entries, for whoever looks for certificates in one. One is read at a time.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "lend.h"
#include "place.h"
#include "wasi.h"

#define NAME_MAX_HERE 255

struct _DIR {
    bool used;
    int32_t folder, entries;
    _Alignas(struct dirent) char entry[sizeof(struct dirent) + NAME_MAX_HERE + 1];
};

DIR *opendir(const char *path)
{
    static struct _DIR only;
    struct dun_place_of place;
    struct wasi_made opened, entries;
    errno = EMFILE;
    if (only.used || !dun_wasi_find(path, &place)) {
        return NULL;
    }
    wasi_open_at(place.folder, WASI_FOLLOW, place.path, place.size, WASI_FOLDER, WASI_READ,
                 &opened);
    if (dun_wasi_result(opened.failed, opened.error) != 0) {
        return NULL;
    }
    wasi_list_folder(opened.handle, &entries);
    if (dun_wasi_result(entries.failed, entries.error) != 0) {
        wasi_drop_file(opened.handle);
        return NULL;
    }
    only.folder = opened.handle;
    only.entries = entries.handle;
    only.used = true;
    return &only;
}

struct dirent *readdir(DIR *folder)
{
    struct dirent *entry = (struct dirent *)(void *)folder->entry;
    char *name = entry->d_name;
    struct wasi_entry next;
    dun_lend(name, NAME_MAX_HERE);
    wasi_next_entry(folder->entries, &next);
    dun_lend(NULL, 0);
    if (dun_wasi_result(next.failed, next.error) != 0 || !next.there ||
        next.name.size > NAME_MAX_HERE) {
        return NULL;
    }
    name[next.name.size] = '\0';
    return entry;
}

int closedir(DIR *folder)
{
    wasi_drop_entries(folder->entries);
    wasi_drop_file(folder->folder);
    folder->used = false;
    return 0;
}

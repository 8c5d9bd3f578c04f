/*
 * shelf_file.h: the shelf of a host: a file for each record in the state folder, written beside the
 * old one, synced and renamed over it. What is left of a write that was cut short is not looked at.
 */
#ifndef DUN_HOSTED_SHELF_FILE_H
#define DUN_HOSTED_SHELF_FILE_H

#include "remote.h"

/* `folder` is borrowed; one that cannot be written to fails each save. */
void dun_shelf_file_init(struct dun_shelf *shelf, const char *folder);

#endif

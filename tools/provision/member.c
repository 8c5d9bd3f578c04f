/* member.c: see member.h. */
#include "member.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "crc32c.h"

#define PASSWORD_BYTES 24 /* random ones, 32 characters */
#define BLOCK_SIZE     2048u
#define BLOCK_HEAD     16u
#define BOARD_TEXT_MAX 64 /* of a value in a provisioning block */

const char *const dun_role_names[DUN_ROLE_COUNT] = {"device", "reader", "recorder", "operator"};

/* What a member's folder may hold. */
static const char *const member_files[] = {
    "role", "ca.pem", "mqtt-password", "device.pem", "device.key", "dunlind.ini", "card.block"};
#define MEMBER_FILE_COUNT (sizeof member_files / sizeof member_files[0])

static const char *folder_of(bool user)
{
    return user ? "users" : "devices";
}

bool dun_member_path(char path[DUN_PATH_MAX], const struct dun_fleet *fleet, bool user,
                     const char *name, const char *file)
{
    return dun_path(path, "%s/%s/%s/%s", fleet->folder, folder_of(user), name, file);
}

static bool folder_exists(const struct dun_fleet *fleet, bool user, const char *name)
{
    char path[DUN_PATH_MAX];
    return dun_path(path, "%s/%s/%s", fleet->folder, folder_of(user), name) &&
           dun_file_exists(path);
}

/// Credentials ///

static bool make_password(const char *path)
{
    uint8_t bytes[PASSWORD_BYTES];
    unsigned char text[PASSWORD_BYTES / 3 * 4 + 2];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        fprintf(stderr, "dunlin provision: no random numbers to be had\n");
        return false;
    }
    int length = EVP_EncodeBlock(text, bytes, sizeof bytes);
    text[length++] = '\n';
    bool done = dun_file_write(path, DUN_MODE_SECRET, text, (size_t)length);
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(text, sizeof text);
    return done;
}

static bool make_certificate(const struct dun_fleet *fleet, bool user, const char *name)
{
    char key[DUN_PATH_MAX];
    char certificate[DUN_PATH_MAX];
    return dun_member_path(key, fleet, user, name, "device.key") &&
           dun_member_path(certificate, fleet, user, name, "device.pem") &&
           dun_authority_issue(&fleet->authority, name, NULL, fleet->days, key, certificate);
}

static bool make_credentials(const struct dun_fleet *fleet, bool user, const char *name)
{
    char path[DUN_PATH_MAX];
    return fleet->credentials == DUN_CREDENTIALS_CERTIFICATE
               ? make_certificate(fleet, user, name)
               : dun_member_path(path, fleet, user, name, "mqtt-password") && make_password(path);
}

/* A certificate that ends soon is not there any more. */
static bool has_credentials(const struct dun_fleet *fleet, bool user, const char *name)
{
    char path[DUN_PATH_MAX];
    if (fleet->credentials == DUN_CREDENTIALS_PASSWORD) {
        return dun_member_path(path, fleet, user, name, "mqtt-password") && dun_file_exists(path);
    }
    return dun_member_path(path, fleet, user, name, "device.pem") && dun_file_exists(path) &&
           dun_authority_signed(&fleet->authority, path, NULL);
}

/// Files of a member ///

static bool copy_authority(const struct dun_fleet *fleet, bool user, const char *name)
{
    char from[DUN_PATH_MAX];
    char to[DUN_PATH_MAX];
    return dun_path(from, "%s/ca/ca.pem", fleet->folder) &&
           dun_member_path(to, fleet, user, name, "ca.pem") && dun_file_copy(from, to);
}

/* It is the owner's once it is there: a person may have set intervals in it. */
static bool write_configuration(const struct dun_fleet *fleet, const char *name)
{
    char path[DUN_PATH_MAX];
    struct dun_text text = {NULL, 0, false};
    const char *folder = fleet->device_folder;
    if (!dun_member_path(path, fleet, false, name, "dunlind.ini")) {
        return false;
    }
    if (dun_file_exists(path)) {
        return true;
    }
    dun_text_add(&text, "[agent]\ndevice = %s\nfleet = %s\nprefix = %s\n\n", name, fleet->fleet,
                 fleet->prefix);
    dun_text_add(&text, "[broker]\nhost = %s\nport = %u\n", fleet->host, fleet->port);
    if (fleet->credentials == DUN_CREDENTIALS_PASSWORD) {
        dun_text_add(&text, "username = %s\npassword_file = %s/mqtt-password\n", name, folder);
    }
    dun_text_add(&text, "\n[tls]\ncafile = %s/ca.pem\n", folder);
    if (fleet->credentials == DUN_CREDENTIALS_CERTIFICATE) {
        dun_text_add(&text, "cert = %s/device.pem\nkey = %s/device.key\n", folder, folder);
    }
    return dun_text_write(&text, path, DUN_MODE_OPEN);
}

/* The block that `make_card --block` writes: "DUNLINID", size, CRC-32C, lines. */
static bool write_block(const struct dun_fleet *fleet, const char *name)
{
    char password_path[DUN_PATH_MAX];
    char path[DUN_PATH_MAX];
    uint8_t block[BLOCK_SIZE] = {'D', 'U', 'N', 'L', 'I', 'N', 'I', 'D'};
    size_t size = 0;
    if (fleet->plain_port == 0) {
        return true;
    }
    if (!dun_member_path(password_path, fleet, false, name, "mqtt-password") ||
        !dun_member_path(path, fleet, false, name, "card.block")) {
        return false;
    }
    char *password = dun_file_read(password_path, &size);
    if (password == NULL) {
        return false;
    }
    password[strcspn(password, "\n")] = '\0';
    int length = snprintf((char *)block + BLOCK_HEAD, BLOCK_SIZE - BLOCK_HEAD,
                          "device=%s\nfleet=%s\nhost=%s\nport=%u\nuser=%s\npassword=%s\n", name,
                          fleet->fleet, fleet->host, fleet->plain_port, name, password);
    dun_put32(block + 8, (uint32_t)length);
    dun_put32(block + 12, dun_crc32c(0, block + BLOCK_HEAD, (size_t)length));
    bool done = strlen(password) <= BOARD_TEXT_MAX &&
                dun_file_write(path, DUN_MODE_SECRET, block, sizeof block);
    OPENSSL_cleanse(password, size);
    OPENSSL_cleanse(block, sizeof block);
    free(password);
    return done;
}

static bool write_role(const struct dun_fleet *fleet, const char *name, enum dun_role role)
{
    char path[DUN_PATH_MAX];
    struct dun_text text = {NULL, 0, false};
    dun_text_add(&text, "%s\n", dun_role_names[role]);
    return dun_member_path(path, fleet, true, name, "role") &&
           dun_text_write(&text, path, DUN_MODE_OPEN);
}

bool dun_member_role(const struct dun_fleet *fleet, const char *name, enum dun_role *role)
{
    char path[DUN_PATH_MAX];
    size_t size;
    char *text =
        dun_member_path(path, fleet, true, name, "role") ? dun_file_read(path, &size) : NULL;
    int found = 0;
    for (int i = DUN_ROLE_READER; text != NULL && i < DUN_ROLE_COUNT; i++) {
        size_t length = strlen(dun_role_names[i]);
        found = strncmp(text, dun_role_names[i], length) == 0 && text[length] == '\n' ? i : found;
    }
    if (text != NULL && found == 0) {
        fprintf(stderr, "dunlin provision: %s: not reader, recorder or operator\n", path);
    }
    free(text);
    *role = (enum dun_role)found;
    return found != 0;
}

/// Members ///

bool dun_member_make(const struct dun_fleet *fleet, const char *name, enum dun_role role,
                     bool *made)
{
    char path[DUN_PATH_MAX];
    bool user = role != DUN_ROLE_DEVICE;
    if (folder_exists(fleet, !user, name)) {
        fprintf(stderr, "dunlin provision: '%s' is a %s of this fleet already\n", name,
                user ? "device" : "user");
        return false;
    }
    if (!dun_path(path, "%s/%s/%s", fleet->folder, folder_of(user), name) ||
        !dun_folder_make(path)) {
        return false;
    }
    *made = !has_credentials(fleet, user, name);
    return (user ? write_role(fleet, name, role) : write_configuration(fleet, name)) &&
           copy_authority(fleet, user, name) && (!*made || make_credentials(fleet, user, name)) &&
           (user || !*made || write_block(fleet, name));
}

static bool find(const struct dun_fleet *fleet, const char *name, bool *user)
{
    *user = folder_exists(fleet, true, name);
    if (!*user && !folder_exists(fleet, false, name)) {
        fprintf(stderr, "dunlin provision: '%s' is no device or user of this fleet\n", name);
        return false;
    }
    return true;
}

static bool end_certificate(const struct dun_fleet *fleet, bool user, const char *name)
{
    char path[DUN_PATH_MAX];
    char folder[DUN_PATH_MAX];
    char list[DUN_PATH_MAX];
    if (!dun_member_path(path, fleet, user, name, "device.pem") ||
        !dun_path(folder, "%s/ca", fleet->folder) ||
        !dun_path(list, "%s/broker/revoked.pem", fleet->folder)) {
        return false;
    }
    return !dun_file_exists(path) || (dun_authority_revoke(folder, path) &&
                                      dun_authority_write_list(&fleet->authority, folder, list));
}

bool dun_member_rotate(const struct dun_fleet *fleet, const char *name)
{
    bool user;
    return find(fleet, name, &user) && end_certificate(fleet, user, name) &&
           make_credentials(fleet, user, name) && (user || write_block(fleet, name));
}

bool dun_member_revoke(const struct dun_fleet *fleet, const char *name)
{
    char path[DUN_PATH_MAX];
    bool user;
    if (!find(fleet, name, &user) || !end_certificate(fleet, user, name)) {
        return false;
    }
    for (size_t i = 0; i < MEMBER_FILE_COUNT; i++) {
        if (!dun_member_path(path, fleet, user, name, member_files[i]) ||
            (unlink(path) != 0 && errno != ENOENT)) {
            return dun_file_complain(path);
        }
    }
    return dun_path(path, "%s/%s/%s", fleet->folder, folder_of(user), name) &&
           (rmdir(path) == 0 || dun_file_complain(path));
}

/// Lists ///

static int is_member(const struct dirent *entry)
{
    return dun_fleet_name_ok(entry->d_name);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int dun_member_list(const struct dun_fleet *fleet, bool users, char ***names)
{
    char path[DUN_PATH_MAX];
    struct dirent **entries;
    if (!dun_path(path, "%s/%s", fleet->folder, folder_of(users))) {
        return -1;
    }
    int count = scandir(path, &entries, is_member, by_name);
    *names = count < 0 ? NULL : calloc((size_t)count + 1, sizeof **names);
    if (*names == NULL) {
        (void)dun_file_complain(path);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        (*names)[i] = strdup(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return count;
}

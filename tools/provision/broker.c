/*
 * broker.c: see broker.h. Passwords are hashed as Mosquitto 2 does it: $7$, PBKDF2 with SHA-512,
 * 101 rounds (enough for 192 random bits), a salt of 12 bytes.
 */
#include "broker.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "member.h"

#define ROUNDS      101
#define SALT_SIZE   12
#define HASH_SIZE   64
#define SALT_TEXT   (SALT_SIZE / 3 * 4)
#define HASH_TEXT   ((HASH_SIZE + 2) / 3 * 4)
#define LINE_FORMAT "%s:$7$%d$%s$%s\n"

static bool broker_path(char path[DUN_PATH_MAX], const struct dun_fleet *fleet, const char *file)
{
    return dun_path(path, "%s/broker/%s", fleet->folder, file);
}

/// Passwords ///

/* The lines of the file as it is: a name keeps its line as long as its password fits, so that
 * nothing changes when nothing changed. */
struct passwords {
    char *text;
    char **lines; /* into `text`, in the order of the file: sorted, since we write it so */
    size_t count;
};

static bool read_passwords(struct passwords *passwords, const char *path)
{
    size_t size = 0;
    *passwords = (struct passwords){NULL, NULL, 0};
    if (!dun_file_exists(path)) {
        return true;
    }
    passwords->text = dun_file_read(path, &size);
    if (passwords->text == NULL) {
        return false;
    }
    size_t count = 1;
    for (const char *at = passwords->text; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    passwords->lines = calloc(count, sizeof *passwords->lines);
    if (passwords->lines == NULL) {
        free(passwords->text);
        return false;
    }
    char *rest = NULL;
    for (char *line = strtok_r(passwords->text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        passwords->lines[passwords->count++] = line;
    }
    return true;
}

static int compare_name(const void *name, const void *line)
{
    const char *text = *(char *const *)line;
    size_t length = strcspn(text, ":");
    int order = strncmp(name, text, length);
    return order != 0 ? order : ((const char *)name)[length] != '\0';
}

static bool hash(const char *password, const uint8_t salt[SALT_SIZE], char text[HASH_TEXT + 1])
{
    uint8_t bytes[HASH_SIZE];
    bool done = PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, SALT_SIZE, ROUNDS,
                                  EVP_sha512(), HASH_SIZE, bytes) == 1;
    (void)EVP_EncodeBlock((unsigned char *)text, bytes, HASH_SIZE);
    return done;
}

/* Whether the line is the one of this password. */
static bool fits(const char *line, const char *password)
{
    char salt_text[SALT_TEXT + 1];
    char hash_text[HASH_TEXT + 1];
    char computed[HASH_TEXT + 1];
    uint8_t salt[SALT_SIZE + 3];
    int rounds;
    return sscanf(line, "%*[^:]:$7$%d$%16[^$]$%88s", &rounds, salt_text, hash_text) == 3 &&
           rounds == ROUNDS && strlen(salt_text) == SALT_TEXT &&
           EVP_DecodeBlock(salt, (unsigned char *)salt_text, SALT_TEXT) == SALT_SIZE &&
           hash(password, salt, computed) && strcmp(computed, hash_text) == 0;
}

static bool add_password(struct dun_text *text, const struct passwords *before, const char *name,
                         const char *password)
{
    char *const *line = before->count == 0 ? NULL
                                           : bsearch(name, before->lines, before->count,
                                                     sizeof *before->lines, compare_name);
    if (line != NULL && fits(*line, password)) {
        dun_text_add(text, "%s\n", *line);
        return true;
    }
    uint8_t salt[SALT_SIZE];
    char salt_text[SALT_TEXT + 1];
    char hash_text[HASH_TEXT + 1];
    if (RAND_bytes(salt, sizeof salt) != 1 || !hash(password, salt, hash_text)) {
        fprintf(stderr, "dunlin provision: %s: the password cannot be hashed\n", name);
        return false;
    }
    (void)EVP_EncodeBlock((unsigned char *)salt_text, salt, sizeof salt);
    dun_text_add(text, LINE_FORMAT, name, ROUNDS, salt_text, hash_text);
    return true;
}

static bool add_member(struct dun_text *text, const struct passwords *before,
                       const struct dun_fleet *fleet, bool user, const char *name)
{
    char path[DUN_PATH_MAX];
    size_t size = 0;
    char *password = dun_member_path(path, fleet, user, name, "mqtt-password")
                         ? dun_file_read(path, &size)
                         : NULL;
    if (password == NULL) {
        return false;
    }
    password[strcspn(password, "\r\n")] = '\0';
    bool done = add_password(text, before, name, password);
    OPENSSL_cleanse(password, size);
    free(password);
    return done;
}

/* Devices and users come sorted each; one sorted file comes of both. */
static bool add_members(struct dun_text *text, const struct passwords *before,
                        const struct dun_fleet *fleet, char **names[2], const int counts[2])
{
    int next[2] = {0, 0};
    bool done = true;
    while (done && (next[0] < counts[0] || next[1] < counts[1])) {
        int from = next[0] == counts[0]   ? 1
                   : next[1] == counts[1] ? 0
                                          : strcmp(names[0][next[0]], names[1][next[1]]) > 0;
        done = add_member(text, before, fleet, from == 1, names[from][next[from]]);
        next[from]++;
    }
    return done;
}

static void free_names(char **names, int count)
{
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

static bool write_passwords(const struct dun_fleet *fleet)
{
    char path[DUN_PATH_MAX];
    struct dun_text text = {NULL, 0, false};
    struct passwords before;
    char **names[2] = {NULL, NULL};
    if (!broker_path(path, fleet, "passwords") || !read_passwords(&before, path)) {
        return false;
    }
    int counts[2] = {dun_member_list(fleet, false, &names[0]),
                     dun_member_list(fleet, true, &names[1])};
    bool done =
        counts[0] >= 0 && counts[1] >= 0 && add_members(&text, &before, fleet, names, counts);
    dun_text_add(&text, "%s", "");
    done = done && dun_text_write(&text, path, DUN_MODE_SECRET);
    free_names(names[0], counts[0]);
    free_names(names[1], counts[1]);
    free(before.lines);
    free(before.text);
    free(text.data);
    return done;
}

/// Access list ///

static void add_role(struct dun_text *text, const struct dun_fleet *fleet, const char *name,
                     enum dun_role role)
{
    const char *channel = role == DUN_ROLE_RECORDER   ? "stored"
                          : role == DUN_ROLE_OPERATOR ? "config"
                                                      : NULL;
    dun_text_add(text, "\nuser %s\ntopic read %s/%s/#\n", name, fleet->prefix, fleet->fleet);
    if (channel != NULL) {
        dun_text_add(text, "topic write %s/%s/+/%s\n", fleet->prefix, fleet->fleet, channel);
    }
}

/* %u is the name that was authenticated: a device reaches its own topics, whatever it calls
 * itself. Users of the fleet come after the patterns, which hold for everybody. */
static bool write_access(const struct dun_fleet *fleet)
{
    static const char *const up[] = {"batch", "samples", "status",
                                     "about", "catalog", "config/reported"};
    static const char *const down[] = {"config", "stored"};
    char path[DUN_PATH_MAX];
    char **names = NULL;
    struct dun_text text = {NULL, 0, false};
    for (size_t i = 0; i < sizeof up / sizeof up[0]; i++) {
        dun_text_add(&text, "pattern write %s/%s/%%u/%s\n", fleet->prefix, fleet->fleet, up[i]);
    }
    for (size_t i = 0; i < sizeof down / sizeof down[0]; i++) {
        dun_text_add(&text, "pattern read %s/%s/%%u/%s\n", fleet->prefix, fleet->fleet, down[i]);
    }
    int count = dun_member_list(fleet, true, &names);
    bool done = count >= 0;
    for (int i = 0; i < count && done; i++) {
        enum dun_role role;
        done = dun_member_role(fleet, names[i], &role);
        if (done) {
            add_role(&text, fleet, names[i], role);
        }
    }
    free_names(names, count);
    done = done && broker_path(path, fleet, "acl") && dun_text_write(&text, path, DUN_MODE_OPEN);
    free(text.data);
    return done;
}

/// Configuration ///

static void add_listener(struct dun_text *text, const struct dun_fleet *fleet, unsigned port)
{
    dun_text_add(text, "listener %u%s%s\n", port, fleet->listen[0] != '\0' ? " " : "",
                 fleet->listen);
}

static bool write_configuration(const struct dun_fleet *fleet)
{
    char path[DUN_PATH_MAX];
    struct dun_text text = {NULL, 0, false};
    const char *folder = fleet->broker_folder;
    dun_text_add(&text, "# Mosquitto for the fleet %s; include it, or run mosquitto -c with it.\n",
                 fleet->fleet);
    dun_text_add(&text, "allow_anonymous false\nacl_file %s/acl\n", folder);
    if (fleet->credentials == DUN_CREDENTIALS_PASSWORD) {
        dun_text_add(&text, "password_file %s/passwords\n", folder);
    }
    dun_text_add(&text, "# Kept for recorders that are away: messages of a session.\n"
                        "max_queued_messages 100000\n");
    dun_text_add(&text, "\n");
    add_listener(&text, fleet, fleet->port);
    dun_text_add(&text, "cafile %s/ca.pem\n", folder);
    dun_text_add(&text, "certfile %s/server.pem\nkeyfile %s/server.key\n", folder, folder);
    if (fleet->credentials == DUN_CREDENTIALS_CERTIFICATE) {
        dun_text_add(&text,
                     "require_certificate true\nuse_identity_as_username true\n"
                     "crlfile %s/revoked.pem\n",
                     folder);
    }
    if (fleet->plain_port != 0) {
        dun_text_add(&text, "\n# For boards without TLS: keep it inside a network you trust.\n");
        add_listener(&text, fleet, fleet->plain_port);
    }
    return broker_path(path, fleet, "mosquitto.conf") && dun_text_write(&text, path, DUN_MODE_OPEN);
}

static bool write_certificates(const struct dun_fleet *fleet)
{
    char authority[DUN_PATH_MAX];
    char path[DUN_PATH_MAX];
    char key[DUN_PATH_MAX];
    return dun_path(authority, "%s/ca/ca.pem", fleet->folder) &&
           broker_path(path, fleet, "ca.pem") && dun_file_copy(authority, path) &&
           broker_path(path, fleet, "server.pem") && broker_path(key, fleet, "server.key") &&
           ((dun_file_exists(path) && dun_authority_signed(&fleet->authority, path, fleet->host)) ||
            dun_authority_issue(&fleet->authority, fleet->host, fleet->host, fleet->days, key,
                                path));
}

static bool write_list(const struct dun_fleet *fleet)
{
    char folder[DUN_PATH_MAX];
    char path[DUN_PATH_MAX];
    return dun_path(folder, "%s/ca", fleet->folder) && broker_path(path, fleet, "revoked.pem") &&
           (dun_file_exists(path) || dun_authority_write_list(&fleet->authority, folder, path));
}

bool dun_broker_write(const struct dun_fleet *fleet)
{
    bool certificates = fleet->credentials == DUN_CREDENTIALS_CERTIFICATE;
    return write_certificates(fleet) && write_access(fleet) && write_configuration(fleet) &&
           (certificates ? write_list(fleet) : write_passwords(fleet));
}

/* fleet.c: see fleet.h. */
#include "fleet.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decoder.h"

const char *const dun_fleet_keys[] = {"fleet",         "prefix",     "host",        "listen",
                                      "port",          "plain_port", "credentials", "device_folder",
                                      "broker_folder", "days",       NULL};

/// Values ///

bool dun_fleet_name_ok(const char *name)
{
    return dun_name_ok(dun_span_of(name)) && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool set_name(char to[DUN_NAME_SIZE], const char *value)
{
    if (!dun_fleet_name_ok(value)) {
        return false;
    }
    memcpy(to, value, strlen(value) + 1);
    return true;
}

/* Names and addresses, and nothing that could end a line of a configuration file. */
static bool set_host(char to[254], const char *value)
{
    size_t length = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789.:-");
    if (length == 0 || length >= 254 || value[length] != '\0') {
        return false;
    }
    memcpy(to, value, length + 1);
    return true;
}

static bool set_path(char to[200], const char *value)
{
    size_t length = strlen(value);
    if (value[0] != '/' || length >= 200 || strpbrk(value, "\r\n;#") != NULL) {
        return false;
    }
    memcpy(to, value, length + 1);
    return true;
}

static bool set_number(unsigned *to, const char *value, unsigned long low, unsigned long high)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || number < low || number > high) {
        return false;
    }
    *to = (unsigned)number;
    return true;
}

static bool set_days(struct dun_fleet *fleet, const char *value)
{
    unsigned days;
    if (!set_number(&days, value, 1, 36500)) {
        return false;
    }
    fleet->days = (int)days;
    return true;
}

static bool set_credentials(struct dun_fleet *fleet, const char *value)
{
    fleet->credentials =
        strcmp(value, "certificate") == 0 ? DUN_CREDENTIALS_CERTIFICATE : DUN_CREDENTIALS_PASSWORD;
    return fleet->credentials == DUN_CREDENTIALS_CERTIFICATE || strcmp(value, "password") == 0;
}

bool dun_fleet_set(struct dun_fleet *fleet, const char *key, const char *value)
{
    return strcmp(key, "fleet") == 0           ? set_name(fleet->fleet, value)
           : strcmp(key, "prefix") == 0        ? set_name(fleet->prefix, value)
           : strcmp(key, "host") == 0          ? set_host(fleet->host, value)
           : strcmp(key, "listen") == 0        ? set_host(fleet->listen, value)
           : strcmp(key, "port") == 0          ? set_number(&fleet->port, value, 1, 65535)
           : strcmp(key, "plain_port") == 0    ? set_number(&fleet->plain_port, value, 0, 65535)
           : strcmp(key, "credentials") == 0   ? set_credentials(fleet, value)
           : strcmp(key, "device_folder") == 0 ? set_path(fleet->device_folder, value)
           : strcmp(key, "broker_folder") == 0 ? set_path(fleet->broker_folder, value)
           : strcmp(key, "days") == 0          ? set_days(fleet, value)
                                               : false;
}

/// The file ///

struct reading {
    struct dun_fleet *fleet;
    const char *path;
    bool failed;
};

static int take_value(void *user, const char *section, const char *key, const char *value)
{
    struct reading *reading = user;
    if (strcmp(section, "fleet") == 0 && dun_fleet_set(reading->fleet, key, value)) {
        return 1;
    }
    fprintf(stderr, "dunlin provision: %s: [%.40s] %.40s = %.80s: not a key and value of it\n",
            reading->path, section, key, value);
    reading->failed = true;
    return 0;
}

bool dun_fleet_read(struct dun_fleet *fleet, bool *exists)
{
    char path[DUN_PATH_MAX];
    struct reading reading = {fleet, path, false};
    if (!dun_path(path, "%s/fleet.ini", fleet->folder)) {
        return false;
    }
    *exists = dun_file_exists(path);
    if (!*exists) {
        return true;
    }
    int line = ini_parse(path, take_value, &reading);
    if (line < 0) {
        return dun_file_complain(path);
    }
    if (line > 0 && !reading.failed) {
        fprintf(stderr, "dunlin provision: %s: line %d is neither [section] nor key = value\n",
                path, line);
    }
    return line == 0;
}

bool dun_fleet_write(const struct dun_fleet *fleet)
{
    char path[DUN_PATH_MAX];
    struct dun_text text = {NULL, 0, false};
    dun_text_add(&text, "; What `dunlin provision` makes this fleet from.\n[fleet]\n");
    dun_text_add(&text, "fleet = %s\nprefix = %s\n", fleet->fleet, fleet->prefix);
    dun_text_add(&text, "host = %s\nport = %u\nplain_port = %u\n", fleet->host, fleet->port,
                 fleet->plain_port);
    if (fleet->listen[0] != '\0') {
        dun_text_add(&text, "listen = %s\n", fleet->listen);
    }
    dun_text_add(&text, "credentials = %s\n",
                 fleet->credentials == DUN_CREDENTIALS_PASSWORD ? "password" : "certificate");
    dun_text_add(&text, "device_folder = %s\nbroker_folder = %s\n", fleet->device_folder,
                 fleet->broker_folder);
    dun_text_add(&text, "days = %d\n", fleet->days);
    return dun_path(path, "%s/fleet.ini", fleet->folder) &&
           dun_text_write(&text, path, DUN_MODE_OPEN);
}

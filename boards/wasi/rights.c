/*
 * rights.c: see rights.h. Each right is tried in the cheapest way that shows it; nothing is
 * connected to and nothing is written that was not there.
 */
#define _GNU_SOURCE
#include "rights.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "link_wasi.h"
#include "say.h"
#include "system.h"

static void lacks(const char *message, const char *what, const char *name, const char *flag)
{
    struct dun_say say;
    dun_say_begin(&say, DUN_SAY_WARNING, message);
    dun_say_text(&say, what, name);
    dun_say_text(&say, "grant", flag);
    dun_say_end(&say, dun_system_uptime(), dun_system_unix());
}

static void survey_network(const struct dun_config *config)
{
    if (dun_link_wasi_may_connect() != DUN_OK) {
        lacks("no right to the network, nothing is sent", "host", config->host,
              "-S inherit-network");
    } else if (dun_link_wasi_may_resolve(config->host) != DUN_OK) {
        lacks("no right to look names up, give an address as host or the right", "host",
              config->host, "-S allow-ip-name-lookup");
    }
}

static bool may_write(const char *folder)
{
    char path[DUN_TEXT_MAX + 8];
    strcpy(path, folder);
    strcat(path, "/lock");
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static void survey_state(const struct dun_config *config)
{
    struct stat status;
    if (stat(config->state, &status) != 0 && mkdir(config->state, 0700) != 0) {
        lacks("no folder for the log, it is kept in memory and ends with the component", "state",
              config->state, "--dir FOLDER::STATE");
    } else if (!may_write(config->state)) {
        lacks("the folder of the log cannot be written to, the log is kept in memory and ends "
              "with the component",
              "state", config->state, "--dir FOLDER::STATE, of a folder that may be written to");
    }
}

static void survey_files(const struct dun_config *config, const char *folder,
                         enum dun_builtin first, enum dun_builtin last, const char *flag)
{
    struct stat status;
    bool wanted = false;
    for (int i = (int)first; i <= (int)last; i++) {
        wanted = wanted ||
                 (i != DUN_BUILTIN_AGENT && dun_config_interval(config, (enum dun_builtin)i) > 0);
    }
    if (wanted && stat(folder, &status) != 0) {
        lacks("no right to a folder that sensors read, what they measure is absent", "folder",
              folder, flag);
    }
}

void dun_rights_survey(const struct dun_config *config)
{
    survey_network(config);
    survey_state(config);
    survey_files(config, config->proc, (enum dun_builtin)0,
                 (enum dun_builtin)(DUN_BUILTIN_COUNT - 1), "--dir /proc");
    survey_files(config, config->sys, DUN_BUILTIN_TEMPERATURE, DUN_BUILTIN_TEMPERATURE,
                 "--dir /sys");
}

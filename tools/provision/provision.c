/*
 * provision.c: `dunlin provision`: makes the members of a fleet with their credentials and the
 * files of its broker. Run again it changes nothing that is as it shall be. Secrets are written to
 * files of mode 0600 and are never printed, nor taken from the command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker.h"
#include "member.h"
#include "options.h"

static const char command[] = "dunlin provision";

static const char help_text[] =
    "usage: dunlin provision [OPTIONS] FOLDER [NAME...]      (- reads names from stdin)\n"
    "       dunlin provision rotate FOLDER NAME...\n"
    "       dunlin provision revoke FOLDER NAME...\n"
    "\n"
    "Makes a fleet in FOLDER: its certificate authority, credentials and configuration of each\n"
    "device NAME, and the broker's configuration, password file and access list. Run again it\n"
    "makes what is missing and changes nothing else. rotate makes new credentials, revoke ends\n"
    "them; either holds when the broker has its files (SIGHUP; with certificates, a restart).\n"
    "\n"
    "For a new FOLDER, later kept in FOLDER/fleet.ini:\n"
    "      --host HOST       name or address of the broker, as devices know it (needed)\n"
    "      --fleet FLEET     default: default\n"
    "      --prefix PREFIX   first level of every topic, default: dunlin\n"
    "      --listen ADDRESS  that the broker listens on, default: all\n"
    "      --port PORT       of TLS, default 8883\n"
    "      --plain-port PORT without TLS, for boards that have none; default: no such listener.\n"
    "                        With it each device gets a card.block (tools/make_card --block)\n"
    "      --credentials password|certificate    default: password\n"
    "      --days DAYS       that certificates are good for, default 3650; they are renewed in\n"
    "                        the last 30\n"
    "      --device-folder PATH    where a device keeps its files, default /etc/dunlin\n"
    "      --broker-folder PATH    where the broker does, default /etc/mosquitto/dunlin\n"
    "\n"
    "      --role ROLE       what NAMEs are: device (default), reader (dashboards), recorder\n"
    "                        (dunlin record) or operator (dunlin config)\n"
    "      --help, --version\n"
    "\n"
    "One JSON object a line on stdout: name, role, and whether credentials are new.\n"
    "exit codes: 0 ok, 1 runtime error, 2 usage";

enum verb { VERB_MAKE, VERB_ROTATE, VERB_REVOKE };

enum option_id {
    OPTION_FLEET_KEY = 1, /* and those that follow: dun_fleet_keys */
    OPTION_ROLE = 100,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct dun_option option_table[] = {
    {OPTION_FLEET_KEY, '\0', true, "fleet"},
    {OPTION_FLEET_KEY + 1, '\0', true, "prefix"},
    {OPTION_FLEET_KEY + 2, 'h', true, "host"},
    {OPTION_FLEET_KEY + 3, '\0', true, "listen"},
    {OPTION_FLEET_KEY + 4, 'p', true, "port"},
    {OPTION_FLEET_KEY + 5, '\0', true, "plain-port"},
    {OPTION_FLEET_KEY + 6, '\0', true, "credentials"},
    {OPTION_FLEET_KEY + 7, '\0', true, "device-folder"},
    {OPTION_FLEET_KEY + 8, '\0', true, "broker-folder"},
    {OPTION_FLEET_KEY + 9, '\0', true, "days"},
    {OPTION_ROLE, '\0', true, "role"},
    {OPTION_HELP, '\0', false, "help"},
    {OPTION_VERSION, '\0', false, "version"},
    {0, '\0', false, NULL},
};

struct provision {
    struct dun_fleet fleet;
    enum verb verb;
    enum dun_role role;
    const char *given[10]; /* by key of the fleet; NULL: not said */
    const char **names;
    int name_count;
    int lock;
};

/// Command line ///

static int set_role(struct provision *provision, const char *value)
{
    for (int i = 0; i < DUN_ROLE_COUNT; i++) {
        if (strcmp(value, dun_role_names[i]) == 0) {
            provision->role = (enum dun_role)i;
            return 0;
        }
    }
    return dun_usage_error(command, "--role '%.40s' is not device, reader, recorder or operator",
                           value);
}

static int set_option(struct provision *provision, int id, const char *value)
{
    struct dun_fleet scratch = {0};
    if (id == OPTION_ROLE) {
        return set_role(provision, value);
    }
    const char *key = dun_fleet_keys[id - OPTION_FLEET_KEY];
    if (!dun_fleet_set(&scratch, key, value)) {
        return dun_usage_error(command, "--%s '%.80s': see --help for what it takes",
                               option_table[id - OPTION_FLEET_KEY].name, value);
    }
    provision->given[id - OPTION_FLEET_KEY] = value;
    return 0;
}

static int set_argument(struct provision *provision, const char *value)
{
    if (provision->fleet.folder == NULL && provision->verb == VERB_MAKE &&
        (strcmp(value, "rotate") == 0 || strcmp(value, "revoke") == 0)) {
        provision->verb = value[1] == 'o' ? VERB_ROTATE : VERB_REVOKE;
    } else if (provision->fleet.folder == NULL) {
        provision->fleet.folder = value;
    } else if (strcmp(value, "-") != 0 && !dun_fleet_name_ok(value)) {
        return dun_usage_error(command, "'%.80s' is no name: 1 to 64 of A-Z a-z 0-9 . _ -", value);
    } else {
        provision->names[provision->name_count++] = value;
    }
    return 0;
}

/* -1: go on; else the exit code. */
static int read_options(struct provision *provision, int argc, char **argv)
{
    struct dun_options options = {
        .command = command, .table = option_table, .argc = argc, .argv = argv, .next = 1};
    const char *value;
    int id;
    while ((id = dun_options_next(&options, &value)) != DUN_OPTION_END) {
        int error = 0;
        if (id == OPTION_HELP || id == OPTION_VERSION) {
            puts(id == OPTION_HELP ? help_text : "dunlin " DUN_VERSION);
            return fflush(stdout) == 0 ? DUN_EXIT_OK : DUN_EXIT_RUNTIME;
        }
        if (id == DUN_OPTION_ERROR) {
            return DUN_EXIT_USAGE;
        }
        error = id == DUN_OPTION_ARGUMENT ? set_argument(provision, value)
                                          : set_option(provision, id, value);
        if (error != 0) {
            return error;
        }
    }
    if (provision->fleet.folder == NULL) {
        return dun_usage_error(command, "the folder of the fleet is needed");
    }
    if (provision->verb != VERB_MAKE && provision->name_count == 0) {
        return dun_usage_error(command, "whose credentials? A name is needed");
    }
    return -1;
}

/// The fleet ///

/* What is given must be what the file says: a change would not reach devices that are out. */
static int compare_given(const struct provision *provision)
{
    for (size_t i = 0; dun_fleet_keys[i] != NULL; i++) {
        struct dun_fleet asked = provision->fleet;
        if (provision->given[i] != NULL &&
            (!dun_fleet_set(&asked, dun_fleet_keys[i], provision->given[i]) ||
             memcmp(&asked, &provision->fleet, sizeof asked) != 0)) {
            return dun_usage_error(command,
                                   "--%s %.80s is not what %s/fleet.ini says; change it there, "
                                   "and in dunlind.ini of each device",
                                   option_table[i].name, provision->given[i],
                                   provision->fleet.folder);
        }
    }
    return -1;
}

static int check_new(struct provision *provision)
{
    struct dun_fleet *fleet = &provision->fleet;
    for (size_t i = 0; dun_fleet_keys[i] != NULL; i++) {
        if (provision->given[i] != NULL) {
            (void)dun_fleet_set(fleet, dun_fleet_keys[i], provision->given[i]);
        }
    }
    if (provision->verb != VERB_MAKE) {
        return dun_usage_error(command, "%s holds no fleet (fleet.ini)", fleet->folder);
    }
    if (fleet->host[0] == '\0') {
        return dun_usage_error(command, "%s is a new fleet: --host says where its broker is",
                               fleet->folder);
    }
    if (fleet->plain_port != 0 && fleet->credentials == DUN_CREDENTIALS_CERTIFICATE) {
        return dun_usage_error(command, "--plain-port goes with --credentials password: a "
                                        "certificate is nothing without TLS");
    }
    return -1;
}

static bool make_folders(const struct dun_fleet *fleet)
{
    static const char *const folders[] = {"broker", "devices", "users"};
    char path[DUN_PATH_MAX];
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if (!dun_path(path, "%s/%s", fleet->folder, folders[i]) || !dun_folder_make(path)) {
            return false;
        }
    }
    return true;
}

/* Two at once would each write a password file without the other's names. */
static bool take_lock(struct provision *provision)
{
    char path[DUN_PATH_MAX];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (!dun_path(path, "%s/lock", provision->fleet.folder)) {
        return false;
    }
    provision->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (provision->lock >= 0 && fcntl(provision->lock, F_SETLK, &lock) == 0) {
        return true;
    }
    if (errno == EACCES || errno == EAGAIN) {
        fprintf(stderr, "dunlin provision: %s is being provisioned by another process\n",
                provision->fleet.folder);
        return false;
    }
    return dun_file_complain(path);
}

static int open_fleet(struct provision *provision)
{
    struct dun_fleet *fleet = &provision->fleet;
    char path[DUN_PATH_MAX];
    bool exists;
    if (!dun_fleet_read(fleet, &exists)) {
        return DUN_EXIT_RUNTIME;
    }
    int code = exists ? compare_given(provision) : check_new(provision);
    if (code >= 0) {
        return code;
    }
    return dun_folder_make(fleet->folder) && take_lock(provision) && make_folders(fleet) &&
                   dun_fleet_write(fleet) && dun_path(path, "%s/ca", fleet->folder) &&
                   dun_authority_open(&fleet->authority, path, fleet->fleet, fleet->days)
               ? -1
               : DUN_EXIT_RUNTIME;
}

/// Members ///

static bool do_one(const struct provision *provision, const char *name)
{
    static const char *const words[] = {"provisioned", "rotated", "revoked"};
    bool made = true;
    bool done = provision->verb == VERB_ROTATE ? dun_member_rotate(&provision->fleet, name)
                : provision->verb == VERB_REVOKE
                    ? dun_member_revoke(&provision->fleet, name)
                    : dun_member_make(&provision->fleet, name, provision->role, &made);
    if (done && provision->verb == VERB_MAKE) {
        printf("{\"type\":\"provisioned\",\"name\":\"%s\",\"role\":\"%s\",\"new\":%s}\n", name,
               dun_role_names[provision->role], made ? "true" : "false");
    } else if (done) {
        printf("{\"type\":\"%s\",\"name\":\"%s\"}\n", words[provision->verb], name);
    }
    return done;
}

/* Names on stdin: one a line; what follows a # is a comment. */
static bool do_lines(const struct provision *provision)
{
    char line[256];
    bool done = true;
    while (done && fgets(line, sizeof line, stdin) != NULL) {
        char *name = line + strspn(line, " \t");
        name[strcspn(name, " \t\r\n#")] = '\0';
        if (*name != '\0' && !dun_fleet_name_ok(name)) {
            fprintf(stderr, "dunlin provision: '%.80s' is no name: 1 to 64 of A-Z a-z 0-9 . _ -\n",
                    name);
            done = false;
        } else if (*name != '\0') {
            done = do_one(provision, name);
        }
    }
    return done;
}

static bool do_all(const struct provision *provision)
{
    bool done = true;
    for (int i = 0; i < provision->name_count && done; i++) {
        const char *name = provision->names[i];
        done = strcmp(name, "-") == 0 ? do_lines(provision) : do_one(provision, name);
    }
    return done;
}

int dun_provision_main(int argc, char **argv)
{
    struct provision provision = {.fleet = {.fleet = "default",
                                            .prefix = "dunlin",
                                            .port = 8883,
                                            .days = 3650,
                                            .device_folder = "/etc/dunlin",
                                            .broker_folder = "/etc/mosquitto/dunlin"},
                                  .lock = -1};
    provision.names = calloc((size_t)argc, sizeof *provision.names);
    if (provision.names == NULL) {
        return DUN_EXIT_RUNTIME;
    }
    int code = read_options(&provision, argc, argv);
    code = code < 0 ? open_fleet(&provision) : code;
    if (code < 0) {
        /* The broker's files are right also when a member in the middle failed. */
        bool done = do_all(&provision);
        done = dun_broker_write(&provision.fleet) && done;
        code = done && fflush(stdout) == 0 ? DUN_EXIT_OK : DUN_EXIT_RUNTIME;
    }
    dun_authority_close(&provision.fleet.authority);
    if (provision.lock >= 0) {
        (void)close(provision.lock);
    }
    free(provision.names);
    return code;
}

/*
 * config_options.c: the command line and the environment. Letters are Mosquitto's. Options that
 * would put a secret into argv or make TLS weaker are refused by name and never ignored.
 */
#include "config_keys.h"

#include <string.h>

struct refusal {
    const char *option;
    char letter;
    const char *why;
};

#define NO_ARGV "a password on the command line is visible to everyone; use --password-file FILE"
#define NO_PSK  "a key on the command line is visible to everyone; use --psk-file FILE"

static const struct refusal refusals[] = {
    {"pw", 'P', NO_ARGV},
    {"password", 0, NO_ARGV},
    {"psk", 0, NO_PSK},
    {"keypass", 0, "use --key-password-file FILE"},
    {"insecure", 0, "there is no insecure mode; name the broker's authority with --cafile FILE"},
    {"tls-version", 0, "it is TLS 1.2, and nothing older"},
    {"ciphers", 0, "the ciphers are fixed; all of them are good"},
    {"tls-use-os-certs", 0, "that is the default without --cafile and --capath"},
};

/* One word of argv taken apart: -p 1, -p1, --port 1, --port=1. */
struct word {
    char spelled[64]; /* "-p" or "--port" */
    const char *name; /* "port" for --port, NULL for a letter */
    char letter;
    const char *attached; /* value in the same word, or NULL */
};

static bool take_word(const char *text, struct word *word)
{
    *word = (struct word){0};
    if (text[0] != '-' || text[1] == '\0') {
        return false;
    }
    if (text[1] != '-') {
        word->letter = text[1];
        word->spelled[0] = '-';
        word->spelled[1] = text[1];
        word->attached = text[2] != '\0' ? text + 2 : NULL;
        return true;
    }
    size_t size = strcspn(text, "=");
    if (size >= sizeof word->spelled) {
        size = sizeof word->spelled - 1;
    }
    memcpy(word->spelled, text, size);
    word->name = word->spelled + 2;
    word->attached = text[size] == '=' ? text + size + 1 : NULL;
    return true;
}

static bool is_named(const struct word *word, const char *option, char letter)
{
    if (word->name != NULL) {
        return option != NULL && strcmp(word->name, option) == 0;
    }
    return letter != 0 && word->letter == letter;
}

static const struct dun_key *find_option(const struct word *word)
{
    for (size_t i = 0; i < dun_key_count; i++) {
        if (is_named(word, dun_keys[i].option, dun_keys[i].letter)) {
            return &dun_keys[i];
        }
    }
    return NULL;
}

static bool take_command(struct dun_config *config, const struct word *word)
{
    static const struct {
        const char *option;
        enum dun_command command;
    } commands[] = {
        {"help", DUN_COMMAND_HELP},          {"version", DUN_COMMAND_VERSION},
        {"check-config", DUN_COMMAND_CHECK}, {"config-check", DUN_COMMAND_CHECK},
        {"print-config", DUN_COMMAND_PRINT},
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (is_named(word, commands[i].option, 0)) {
            if (config->command == DUN_COMMAND_RUN) {
                config->command = commands[i].command;
            }
            return true;
        }
    }
    return false;
}

static void blame_option(struct dun_config *config, const struct word *word, const char *why)
{
    struct dun_place place = {.kind = DUN_ORIGIN_OPTION};
    dun_config_blame(config, &place);
    dun_config_print_raw(config->errors, word->spelled);
    fprintf(config->errors, ": %s\n", why);
}

static bool refuse(struct dun_config *config, const struct word *word)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (is_named(word, refusals[i].option, refusals[i].letter)) {
            blame_option(config, word, refusals[i].why);
            return true;
        }
    }
    return false;
}

/* The value of an option: in its own word or the next, which it then uses up. NULL: there is none.
 */
static const char *take_value(const struct word *word, char *const argv[], int argc, int *index)
{
    if (word->attached != NULL) {
        return word->attached;
    }
    return *index + 1 < argc ? argv[++*index] : NULL;
}

static void set_config_path(struct dun_config *config, const struct word *word, const char *value,
                            bool second)
{
    bool fits = strlen(value) < sizeof config->path && *value != '\0';
    if (fits && !second) {
        strcpy(config->path, value);
    } else if (!fits && second) {
        blame_option(config, word, "must be a path of at most 255 bytes");
    }
}

/* The first reading finds the file and the command, the second one the keys and what is wrong. */
static void read_word(struct dun_config *config, const struct word *word, char *const argv[],
                      int argc, int *index, bool second)
{
    bool is_path = is_named(word, "config", 'c');
    const struct dun_key *key = find_option(word);
    if (take_command(config, word)) {
        if (second && word->attached != NULL) {
            blame_option(config, word, "takes no value");
        }
        return;
    }
    if (!is_path && key == NULL) {
        if (second && !refuse(config, word)) {
            blame_option(config, word, "no such option; --help lists them");
        }
        /* What follows is its value, perhaps a secret: not to be shown as a wrong argument. */
        if (word->attached == NULL && *index + 1 < argc && argv[*index + 1][0] != '-') {
            ++*index;
        }
        return;
    }
    const char *value = take_value(word, argv, argc, index);
    if (value == NULL) {
        if (second) {
            blame_option(config, word, "needs a value");
        }
    } else if (is_path) {
        set_config_path(config, word, value, second);
    } else if (second) {
        struct dun_place place = {.kind = DUN_ORIGIN_OPTION, .spelled = word->spelled};
        dun_key_set(config, key, value, &place);
    }
}

void dun_config_read_options(struct dun_config *config, int argc, char *const argv[], bool second)
{
    for (int i = 1; i < argc; i++) {
        struct word word;
        if (take_word(argv[i], &word)) {
            read_word(config, &word, argv, argc, &i, second);
        } else if (second) {
            struct dun_place place = {.kind = DUN_ORIGIN_OPTION};
            dun_config_blame(config, &place);
            dun_config_print_raw(config->errors, argv[i]);
            fputs(": no such argument; options begin with -, see --help\n", config->errors);
        }
    }
}

static const char *find_variable(char *const environment[], const char *name)
{
    size_t size = strlen(name);
    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=') {
            return *environment + size + 1;
        }
    }
    return NULL;
}

void dun_config_read_environment(struct dun_config *config, char *const environment[])
{
    struct dun_place place = {.kind = DUN_ORIGIN_ENVIRONMENT};
    if (find_variable(environment, "DUNLIN_PASSWORD") != NULL) {
        dun_config_blame(config, &place);
        fputs("DUNLIN_PASSWORD is not read, other processes could see it; use "
              "DUNLIN_PASSWORD_FILE\n",
              config->errors);
    }
    for (size_t i = 0; i < dun_key_count; i++) {
        const char *name = dun_keys[i].environment;
        const char *value = name != NULL ? find_variable(environment, name) : NULL;
        /* A variable that is set but empty is how shells and compose files say "not set". */
        if (value != NULL && *value != '\0') {
            dun_key_set(config, &dun_keys[i], value, &place);
        }
    }
}

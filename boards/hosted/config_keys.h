/* config_keys.h: the table of keys, and what the readers of the three sources share. Private. */
#ifndef DUN_HOSTED_CONFIG_KEYS_H
#define DUN_HOSTED_CONFIG_KEYS_H

#include "config.h"

enum dun_key_type {
    DUN_KEY_TEXT,
    DUN_KEY_NAME, /* [A-Za-z0-9._-]{1,64} */
    DUN_KEY_PATH, /* absolute */
    DUN_KEY_INTEGER,
    DUN_KEY_DURATION, /* ms */
    DUN_KEY_SIZE,     /* bytes */
    DUN_KEY_CHOICE,
    DUN_KEY_SENSOR, /* duration or "off" */
    DUN_KEY_URL,    /* mqtt://[USER@]HOST[:PORT]: sets host, port, username */
};

struct dun_choice {
    const char *word;
    int64_t value;
};

struct dun_key {
    const char *section, *key;
    const char *environment; /* NULL: none */
    const char *option;      /* NULL: none; "host" for --host */
    char letter;             /* 0: none */
    uint8_t type;            /* enum dun_key_type */
    uint16_t offset, size;   /* in struct dun_config; size: of a text */
    int64_t min, max;
    const struct dun_choice *choices;
    const char *fallback; /* default, as text; "" for none */
    const char *help;
};

enum dun_origin_kind {
    DUN_ORIGIN_DEFAULT,
    DUN_ORIGIN_FILE,
    DUN_ORIGIN_ENVIRONMENT,
    DUN_ORIGIN_OPTION,
};

extern const struct dun_key dun_keys[];
extern const size_t dun_key_count;

/* Where a value stands, for the error lines. */
struct dun_place {
    enum dun_origin_kind kind;
    int line;            /* in the file */
    const char *spelled; /* the option as it was written */
    const char *section; /* of the file, with its NAME if it has one */
};

/* NULL if there is no such key. '-' and '_' are the same. */
const struct dun_key *dun_key_find(const char *section, const char *key);
bool dun_key_same(const char *a, const char *b);

/* Begins a line on config->errors that names the place and counts an error; the caller ends it. */
void dun_config_blame(struct dun_config *config, const struct dun_place *place);

/* Parses `value` and stores it, or tells what is wrong with it. */
void dun_key_set(struct dun_config *config, const struct dun_key *key, const char *value,
                 const struct dun_place *place);

/* Copies a value of text. False: empty, too long, no UTF-8, or the file could not give it: there
 * blanks at its ends are dropped, and a ; in front or behind a blank begins a comment. */
bool dun_config_text(char *out, size_t size, const char *text);

/* Says what values a key takes: "a duration from 100ms to 1h". */
void dun_key_print_allowed(const struct dun_key *key, FILE *out);

/* The value in force, as text that can be read again. */
void dun_key_print_value(const struct dun_config *config, const struct dun_key *key, FILE *out);

/* A value as somebody wrote it, safe to print: control bytes replaced, cut at 64 bytes. */
void dun_config_print_raw(FILE *out, const char *value);

/* config_file.c */
void dun_config_read_file(struct dun_config *config);

/* config_sections.c: sections with a NAME, which the structs of their kinds begin with. */
struct dun_section_key {
    const char *key;
    bool (*set)(void *section, const char *value); /* false: not allowed */
    const char *allowed;
};
/* Fills in `section`, or tells what is wrong with its name. */
bool dun_section_begin(struct dun_config *config, struct dun_section *section, const char *kind,
                       const char *label, int line);
void dun_section_set(struct dun_config *config, struct dun_section *section,
                     const struct dun_section_key *keys, size_t count, const char *key,
                     const char *value, const struct dun_place *place);
/* A whole error line about the section, or about one of its keys if that is not "". */
void dun_section_blame(struct dun_config *config, const struct dun_section *section, int line,
                       const char *key, const char *why);
bool dun_section_pairs(struct dun_pairs *pairs, const char *value);
void dun_section_print_pairs(const struct dun_pairs *pairs, FILE *out);

/* config_files.c: keys of a [file NAME] section. */
struct dun_file_config *dun_file_section(struct dun_config *config, const char *label, int line);
void dun_file_set(struct dun_config *config, struct dun_file_config *file, const char *key,
                  const char *value, const struct dun_place *place);
void dun_file_check(struct dun_config *config, struct dun_file_config *file);
void dun_file_print(const struct dun_file_config *file, FILE *out);

/* config_limits.c: keys of a [limit NAME] or [metric NAME] section. */
struct dun_limit_config *dun_limit_section(struct dun_config *config, const char *kind,
                                           const char *label, int line);
/* Sections of the board's profile, behind those of the file. */
void dun_limit_defaults(struct dun_config *config, const struct dun_config_limits *limits);
void dun_limit_set(struct dun_config *config, struct dun_limit_config *limit, const char *key,
                   const char *value, const struct dun_place *place);
void dun_limit_check(struct dun_config *config, const struct dun_limit_config *limit);
void dun_limit_print(const struct dun_limit_config *limit, FILE *out);

/* config_options.c */
void dun_config_read_options(struct dun_config *config, int argc, char *const argv[], bool second);
void dun_config_read_environment(struct dun_config *config, char *const environment[]);

#endif

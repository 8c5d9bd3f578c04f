/*
 * config_sections.c: what sections with a NAME of their own share, [file NAME] and [limit NAME]:
 * the name, their keys by a table, and how errors in them are told.
 */
#include "config_keys.h"

#include <string.h>

#include "value.h"

void dun_section_blame(struct dun_config *config, const struct dun_section *section, int line,
                       const char *key, const char *why)
{
    char name[48];
    snprintf(name, sizeof name, "%s %s", section->kind, section->label);
    struct dun_place place = {.kind = DUN_ORIGIN_FILE, .line = line, .section = name};
    dun_config_blame(config, &place);
    fprintf(config->errors, "%s%s%s\n", key, *key != '\0' ? ": " : "", why);
}

bool dun_section_begin(struct dun_config *config, struct dun_section *section, const char *kind,
                       const char *label, int line)
{
    *section = (struct dun_section){.kind = kind, .line = line};
    snprintf(section->label, sizeof section->label, "%s", label);
    if (!dun_agent_name_ok(label) || strlen(label) >= sizeof section->label) {
        dun_section_blame(config, section, line, "",
                          "a name must be 1 to 32 of the characters A-Z a-z 0-9 . _ -");
        return false;
    }
    return true;
}

/* Whether the section takes the key; a key given twice is told, and not taken again. */
static bool take_key(struct dun_config *config, struct dun_section *section,
                     const struct dun_section_key *key, unsigned bit, const struct dun_place *place)
{
    bool again = (section->given & bit) != 0;
    section->given |= (uint16_t)bit;
    if (again) {
        dun_config_blame(config, place);
        fprintf(config->errors, "%s: given before in this section\n", key->key);
    }
    return !again;
}

void dun_section_set(struct dun_config *config, struct dun_section *section,
                     const struct dun_section_key *keys, size_t count, const char *key,
                     const char *value, const struct dun_place *place)
{
    for (size_t i = 0; i < count; i++) {
        if (!dun_key_same(keys[i].key, key)) {
            continue;
        }
        if (take_key(config, section, &keys[i], 1u << i, place) && !keys[i].set(section, value)) {
            dun_config_blame(config, place);
            fprintf(config->errors, "%s = ", keys[i].key);
            dun_config_print_raw(config->errors, value);
            fprintf(config->errors, ": %s\n", keys[i].allowed);
        }
        return;
    }
    dun_config_blame(config, place);
    dun_config_print_raw(config->errors, key);
    fputs(": no such key; there are", config->errors);
    for (size_t i = 0; i < count; i++) {
        fprintf(config->errors, " %s", keys[i].key);
    }
    fputc('\n', config->errors);
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t')) {
        text[--size] = '\0';
    }
    return text;
}

static bool has_key(const struct dun_pairs *pairs, const char *key)
{
    for (uint8_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->list[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

bool dun_section_pairs(struct dun_pairs *pairs, const char *value)
{
    pairs->count = 0;
    if (!dun_config_text(pairs->text, sizeof pairs->text, value)) {
        return false;
    }
    char *next = pairs->text;
    while (next != NULL) {
        char *pair = next;
        char *comma = strchr(pair, ',');
        next = comma != NULL ? comma + 1 : NULL;
        if (comma != NULL) {
            *comma = '\0';
        }
        char *equals = strchr(pair, '=');
        if (equals == NULL || pairs->count == DUN_PAIRS_MAX) {
            return false;
        }
        *equals = '\0';
        const char *key = trim(pair);
        if (*key == '\0' || has_key(pairs, key)) {
            return false;
        }
        pairs->list[pairs->count++] = (struct dun_attribute){key, trim(equals + 1)};
    }
    return true;
}

void dun_section_print_pairs(const struct dun_pairs *pairs, FILE *out)
{
    for (uint8_t i = 0; i < pairs->count; i++) {
        fprintf(out, "%s%s=%s", i == 0 ? "attributes = " : ",", pairs->list[i].key,
                pairs->list[i].value);
    }
    fputs(pairs->count > 0 ? "\n" : "", out);
}

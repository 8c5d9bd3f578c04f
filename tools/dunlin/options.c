/*
 * options.c: the command line, from a table. Long names must be written out; letters may be
 * bundled.
 */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int dun_usage_error(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", command);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " (see %s --help)\n", command);
    va_end(arguments);
    return DUN_EXIT_USAGE;
}

static int usage(const struct dun_options *options, const char *format, const char *name)
{
    char text[256];
    (void)snprintf(text, sizeof text, format, name);
    (void)dun_usage_error(options->command, "%s", text);
    return DUN_OPTION_ERROR;
}

static const char *next_word(struct dun_options *options)
{
    return options->next < options->argc ? options->argv[options->next++] : NULL;
}

static int long_option(struct dun_options *options, const char *word, const char **value)
{
    size_t length = strcspn(word, "=");
    const struct dun_option *option = options->table;
    while (option->id != 0 && (option->name == NULL || strlen(option->name) != length ||
                               strncmp(option->name, word, length) != 0)) {
        option++;
    }
    if (option->id == 0) {
        return usage(options, "unknown option --%.200s", word);
    }
    bool has_value = word[length] == '=';
    if (!option->takes_value) {
        return has_value ? usage(options, "--%.200s takes no value", option->name) : option->id;
    }
    *value = has_value ? word + length + 1 : next_word(options);
    return *value != NULL ? option->id : usage(options, "--%.200s needs a value", option->name);
}

static int letter_option(struct dun_options *options, const char **value)
{
    char letter[2] = {*options->letters++, '\0'};
    const struct dun_option *option = options->table;
    while (option->id != 0 && option->letter != letter[0]) {
        option++;
    }
    if (option->id == 0) {
        return usage(options, "unknown option -%s", letter);
    }
    if (!option->takes_value) {
        return option->id;
    }
    *value = *options->letters != '\0' ? options->letters : next_word(options);
    options->letters = NULL;
    return *value != NULL ? option->id : usage(options, "-%s needs a value", letter);
}

int dun_options_next(struct dun_options *options, const char **value)
{
    *value = NULL;
    if (options->letters != NULL && *options->letters != '\0') {
        return letter_option(options, value);
    }
    const char *word = next_word(options);
    if (word == NULL) {
        return DUN_OPTION_END;
    }
    if (options->only_arguments || word[0] != '-' || word[1] == '\0') {
        *value = word;
        return DUN_OPTION_ARGUMENT;
    }
    if (word[1] != '-') {
        options->letters = word + 1;
        return letter_option(options, value);
    }
    if (word[2] == '\0') {
        options->only_arguments = true;
        return dun_options_next(options, value);
    }
    return long_option(options, word + 2, value);
}

bool dun_options_number(const struct dun_options *options, const char *name, const char *text,
                        uint64_t minimum, uint64_t maximum, uint64_t *number)
{
    uint64_t value = 0;
    const char *at = text;
    while (*at >= '0' && *at <= '9' && value <= maximum) {
        value = value * 10 + (uint64_t)(*at++ - '0');
    }
    if (*text == '\0' || *at != '\0' || value < minimum || value > maximum) {
        (void)dun_usage_error(options->command,
                              "%s: '%.100s' is not a whole number from %llu to %llu", name, text,
                              (unsigned long long)minimum, (unsigned long long)maximum);
        return false;
    }
    *number = value;
    return true;
}

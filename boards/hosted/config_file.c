/*
 * config_file.c: reads the INI file through inih.
 *
 * inih's Debian build neither tells its handler the line nor reports more than the first bad line,
 * and it cuts long lines and names silently. So the lines reach it through a reader of ours, which
 * counts them, refuses what inih would cut or skip, and hands on the rest one at a time.
 */
#include "config_keys.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <string.h>

#define NAME_SIZE_MAX 49 /* what inih keeps of a section or a key */

struct file_reader {
    struct dun_config *config;
    FILE *file;
    int line;
    char section[NAME_SIZE_MAX + 1];
    bool section_known;
    struct dun_file_config *file_section;   /* the [file NAME] being filled, or */
    struct dun_limit_config *limit_section; /* the [limit NAME] or [metric NAME] */
    int seen[DUN_KEYS_MAX];                 /* line that gave the key of this row, 0: none */
};

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

static struct dun_place place_at(const struct file_reader *reader, const char *section)
{
    return (struct dun_place){.kind = DUN_ORIGIN_FILE, .line = reader->line, .section = section};
}

static void blame_line(struct file_reader *reader, const char *section, const char *why)
{
    struct dun_place place = place_at(reader, section);
    dun_config_blame(reader->config, &place);
    fprintf(reader->config->errors, "%s\n", why);
}

/* What is wrong with a line as such, before inih sees it; NULL: nothing. */
static const char *line_problem(const char *line)
{
    const char *end = line + strlen(line);
    while (end > line && isspace((unsigned char)end[-1])) {
        end--;
    }
    if (end == line) {
        return NULL;
    }
    if (*line == '[') {
        size_t size = strcspn(line, "]");
        if (line[size] == '\0') {
            return "a section must end with ]";
        }
        return size - 1 > NAME_SIZE_MAX ? "this section name is too long" : NULL;
    }
    size_t size = strcspn(line, "=:");
    if (line[size] == '\0') {
        return "this line is neither [section] nor key = value";
    }
    return size > NAME_SIZE_MAX ? "this key is too long" : NULL;
}

static bool is_known_section(const char *section)
{
    for (size_t i = 0; i < dun_key_count; i++) {
        if (strcmp(dun_keys[i].section, section) == 0) {
            return true;
        }
    }
    return false;
}

static void blame_section(struct file_reader *reader, const char *section)
{
    struct dun_place place = place_at(reader, NULL);
    FILE *out = reader->config->errors;
    dun_config_blame(reader->config, &place);
    fputc('[', out);
    dun_config_print_raw(out, section);
    fputs("]: no such section; there are", out);
    const char *last = "";
    for (size_t i = 0; i < dun_key_count; i++) {
        if (strcmp(last, dun_keys[i].section) != 0) {
            last = dun_keys[i].section;
            fprintf(out, " [%s]", last);
        }
    }
    fputs(" [file NAME], [limit NAME] and [metric NAME]\n", out);
}

static void enter_section(struct file_reader *reader, const char *name, size_t size)
{
    char *section = reader->section;
    memcpy(section, name, size);
    section[size] = '\0';
    reader->file_section = NULL;
    reader->limit_section = NULL;
    reader->section_known = is_known_section(section);
    if (strncmp(section, "file ", 5) == 0) {
        const char *label = skip_blanks(section + 5);
        reader->file_section = dun_file_section(reader->config, label, reader->line);
    } else if (strncmp(section, "limit ", 6) == 0) {
        const char *label = skip_blanks(section + 6);
        reader->limit_section = dun_limit_section(reader->config, "limit", label, reader->line);
    } else if (strncmp(section, "metric ", 7) == 0) {
        const char *label = skip_blanks(section + 7);
        reader->limit_section = dun_limit_section(reader->config, "metric", label, reader->line);
    } else if (!reader->section_known) {
        blame_section(reader, section);
    }
}

static bool is_one_of(const char *key, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (dun_key_same(key, words[i])) {
            return true;
        }
    }
    return false;
}

/* A key that the table does not have. Its value is not shown: it may be a secret. */
static void blame_key(struct file_reader *reader, const char *section, const char *key)
{
    static const char *const secrets[] = {"password", "pw", "passwd", "psk", "secret"};
    static const char *const weaker[] = {"insecure", "tls_version", "ciphers"};
    struct dun_place place = place_at(reader, section);
    FILE *out = reader->config->errors;
    dun_config_blame(reader->config, &place);
    dun_config_print_raw(out, key);
    if (is_one_of(key, secrets, sizeof secrets / sizeof secrets[0])) {
        fputs(dun_key_same(key, "psk") ? ": secrets do not stand in this file; use [tls] psk_file\n"
                                       : ": secrets do not stand in this file; use password_file\n",
              out);
        return;
    }
    if (is_one_of(key, weaker, sizeof weaker / sizeof weaker[0])) {
        fputs(": TLS is 1.2 with good ciphers and verifies the host, always\n", out);
        return;
    }
    fputs(": no such key; there are", out);
    for (size_t i = 0; i < dun_key_count; i++) {
        if (strcmp(dun_keys[i].section, section) == 0) {
            fprintf(out, " %s", dun_keys[i].key);
        }
    }
    fputc('\n', out);
}

static void set_key(struct file_reader *reader, const char *section, const char *name,
                    const char *value)
{
    const struct dun_key *key = dun_key_find(section, name);
    if (key == NULL) {
        blame_key(reader, section, name);
        return;
    }
    int *seen = &reader->seen[key - dun_keys];
    struct dun_place place = place_at(reader, section);
    if (*seen != 0) {
        dun_config_blame(reader->config, &place);
        fprintf(reader->config->errors, "%s: given before, on line %d\n", key->key, *seen);
        return;
    }
    *seen = reader->line;
    dun_key_set(reader->config, key, value, &place);
}

/* The next line, cut at size - 1 bytes. Returns its whole length, -1 at the end of the file. */
static int take_line(FILE *file, char *out, int size, bool *nul)
{
    int used = 0;
    int c = fgetc(file);
    if (c == EOF) {
        return -1;
    }
    for (; c != EOF && c != '\n'; c = fgetc(file)) {
        *nul = *nul || c == '\0';
        if (used < size - 1) {
            out[used] = (char)c;
        }
        used += used < INT_MAX ? 1 : 0;
    }
    out[used < size - 1 ? used : size - 1] = '\0';
    return used;
}

/* fgets for inih: one whole line, never longer than it keeps, blanked out when it is refused. */
static char *read_line(char *out, int size, void *stream)
{
    struct file_reader *reader = stream;
    bool nul = false;
    int used = take_line(reader->file, out, size, &nul);
    if (used < 0) {
        return NULL;
    }
    reader->line++;
    if (reader->line == 1 && strncmp(out, "\xef\xbb\xbf", 3) == 0) {
        memmove(out, out + 3, strlen(out + 3) + 1); /* the mark that some editors begin with */
    }
    const char *text = skip_blanks(out);
    const char *problem = nul                            ? "this line holds a NUL byte"
                          : *text == ';' || *text == '#' ? NULL
                          : used > DUN_LINE_MAX ? "this line is too long (at most 198 bytes)"
                                                : line_problem(text);
    if (problem != NULL) {
        blame_line(reader, NULL, problem);
    }
    if (problem != NULL || used > DUN_LINE_MAX) {
        text = "";
    }
    if (*text == '[') {
        enter_section(reader, text + 1, strcspn(text + 1, "]"));
    }
    /* Without its blanks: an indented key is a key, not more of the value above. */
    memmove(out, text, strlen(text) + 1);
    return out;
}

static int handle(void *user, const char *section, const char *name, const char *value)
{
    struct file_reader *reader = user;
    struct dun_place place = place_at(reader, reader->section);
    if (*section == '\0') {
        blame_line(reader, NULL, "this key stands before any [section]");
    } else if (reader->file_section != NULL) {
        dun_file_set(reader->config, reader->file_section, name, value, &place);
    } else if (reader->limit_section != NULL) {
        dun_limit_set(reader->config, reader->limit_section, name, value, &place);
    } else if (reader->section_known) {
        set_key(reader, reader->section, name, value);
    }
    return 1;
}

void dun_config_read_file(struct dun_config *config)
{
    struct file_reader reader = {.config = config, .file = fopen(config->path, "r")};
    struct dun_place place = {.kind = DUN_ORIGIN_OPTION};
    if (reader.file == NULL) {
        dun_config_blame(config, &place);
        fprintf(config->errors, "%s: %s\n", config->path, strerror(errno));
        return;
    }
    ini_parse_stream(read_line, &reader, handle, &reader);
    if (ferror(reader.file)) {
        dun_config_blame(config, &place);
        fprintf(config->errors, "%s: %s\n", config->path, strerror(errno));
    }
    fclose(reader.file);
}

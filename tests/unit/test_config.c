/*
 * test_config.c: the three sources and their order, and that each bad value is told in one line
 * that names place, key, value and what is allowed - all of them, and never a secret.
 */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

static struct dun_config_limits limits = {.points_max = 1000,
                                          .record_max = 4096,
                                          .log_size_min = 16384,
                                          .log_size_default = 1 << 20,
                                          .has_tls = true};

static struct {
    struct dun_config config;
    FILE *errors;
    char path[64]; /* of the file, empty: none */
    char text[16384];
} fixture;

static int setup(void **state)
{
    (void)state;
    fixture.errors = tmpfile();
    fixture.path[0] = '\0';
    return fixture.errors == NULL;
}

static void remove_file(void)
{
    if (fixture.path[0] != '\0') {
        unlink(fixture.path);
    }
}

static int teardown(void **state)
{
    (void)state;
    remove_file();
    return fclose(fixture.errors);
}

static void write_file(const char *text, size_t size)
{
    remove_file(); /* of an earlier reading in the same test */
    strcpy(fixture.path, "/tmp/dunlin-config-XXXXXX");
    int fd = mkstemp(fixture.path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
}

/* Reads the file (NULL: none), then these variables and words. */
static int read_all(const char *file, const char *const *environment, const char *const *words)
{
    char *argv[32] = {"dunlind"};
    char *environ_copy[16] = {NULL};
    int argc = 1;
    if (file != NULL) {
        write_file(file, strlen(file));
        argv[argc++] = "-c";
        argv[argc++] = fixture.path;
    }
    for (; words != NULL && *words != NULL; words++) {
        argv[argc++] = (char *)*words;
    }
    for (int i = 0; environment != NULL && environment[i] != NULL; i++) {
        environ_copy[i] = (char *)environment[i];
    }
    dun_config_init(&fixture.config, "dunlind", fixture.errors);
    return dun_config_read(&fixture.config, argc, argv, environ_copy, "host-1", &limits);
}

static const char *errors(void)
{
    fflush(fixture.errors);
    ssize_t size = pread(fileno(fixture.errors), fixture.text, sizeof fixture.text - 1, 0);
    fixture.text[size > 0 ? size : 0] = '\0';
    return fixture.text;
}

static void assert_says(const char *words)
{
    if (strstr(errors(), words) == NULL) {
        fail_msg("not told: %s\nin:\n%s", words, errors());
    }
}

static void assert_silent_about(const char *words)
{
    if (strstr(errors(), words) != NULL) {
        fail_msg("told: %s\nin:\n%s", words, errors());
    }
}

static int count_errors(void)
{
    int lines = 0;
    for (const char *at = errors(); *at != '\0'; at++) {
        lines += *at == '\n';
    }
    return lines;
}

static void test_defaults(void **state)
{
    const struct dun_config *config = &fixture.config;
    (void)state;
    assert_int_equal(read_all(NULL, NULL, NULL), DUN_OK);
    assert_string_equal(errors(), "");
    assert_string_equal(config->device, "host-1");
    assert_string_equal(config->client_id, "host-1");
    assert_string_equal(config->prefix, "dunlin");
    assert_string_equal(config->host, "localhost");
    assert_int_equal(config->port, 1883);
    assert_int_equal(config->mqtt_version, 0);
    assert_int_equal(config->session_expiry_ms, 3600000);
    assert_int_equal(config->log_size, 1 << 20);
    assert_int_equal(config->batch_points, 1000);
    assert_int_equal(dun_config_interval(config, DUN_BUILTIN_CPU), 5000);
}

static void test_the_order_of_the_sources(void **state)
{
    const char *file = "[broker]\nhost = from-file\nport = 1\nkeepalive = 10\n";
    const char *const environment[] = {"DUNLIN_PORT=2", "DUNLIN_KEEPALIVE=20",
                                       "DUNLIN_HOST=", NULL};
    const char *const words[] = {"-k", "30", NULL};
    (void)state;
    assert_int_equal(read_all(file, environment, words), DUN_OK);
    assert_string_equal(fixture.config.host, "from-file"); /* an empty variable is no value */
    assert_int_equal(fixture.config.port, 2);
    assert_int_equal(fixture.config.keepalive_s, 30);
}

static void test_every_spelling_of_an_option(void **state)
{
    const char *const words[] = {"-h",   "a.example", "-p1884", "--fleet=north",
                                 "-ume", "--device",  "d-1",    "--log-size",
                                 "2M",   NULL};
    (void)state;
    assert_int_equal(read_all(NULL, NULL, words), DUN_OK);
    assert_string_equal(fixture.config.host, "a.example");
    assert_int_equal(fixture.config.port, 1884);
    assert_string_equal(fixture.config.fleet, "north");
    assert_string_equal(fixture.config.username, "me");
    assert_string_equal(fixture.config.client_id, "d-1");
    assert_int_equal(fixture.config.log_size, 2 << 20);
}

static void test_sensors_and_comments(void **state)
{
    const char *file = "\xef\xbb\xbf; a comment\n\n[sensors]\n  interval = 1s ; inline\n"
                       "cpu = 250ms\n\tdisk = off\n# another\n";
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_OK);
    assert_int_equal(dun_config_interval(&fixture.config, DUN_BUILTIN_MEMORY), 1000);
    assert_int_equal(dun_config_interval(&fixture.config, DUN_BUILTIN_CPU), 250);
    assert_int_equal(dun_config_interval(&fixture.config, DUN_BUILTIN_DISK), 0);
}

static void test_urls(void **state)
{
    const char *const plain[] = {"-L", "mqtt://broker.example", NULL};
    const char *const all[] = {"-L", "tcp://me@[fe80::1%eth0]:1999/", NULL};
    (void)state;
    assert_int_equal(read_all("[broker]\nport = 99\n", NULL, plain), DUN_OK);
    assert_string_equal(fixture.config.host, "broker.example");
    assert_int_equal(fixture.config.port, 1883);
    unlink(fixture.path);
    fixture.path[0] = '\0';
    assert_int_equal(read_all(NULL, NULL, all), DUN_OK);
    assert_string_equal(fixture.config.host, "fe80::1%eth0");
    assert_string_equal(fixture.config.username, "me");
    assert_int_equal(fixture.config.port, 1999);
}

static void test_bad_urls_are_told_without_their_text(void **state)
{
    static const struct {
        const char *url;
        const char *problem;
    } bad[] = {
        {"mqtt://u:sesame@h", "must not hold a password"},
        {"wss://h", "must begin with mqtt:// or mqtts://"},
        {"http://h", "must begin with mqtt://"},
        {"mqtt://", "must name a host"},
        {"mqtt://h:0", "must have a port from 1 to 65535"},
        {"mqtt://h:x", "must have a port from 1 to 65535"},
        {"mqtt://h/topic", "must not name a path"},
        {"mqtt://[::1", "must close the ["},
        {"mqtt://[::1]x", "must be mqtt://[USER@]HOST[:PORT]"},
        {"mqtt://@h", "must not have an empty user name"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *const words[] = {"-L", bad[i].url, NULL};
        assert_int_equal(read_all(NULL, NULL, words), DUN_E_INVALID);
        assert_says(bad[i].problem);
        assert_int_equal(count_errors(), i + 1);
    }
    assert_silent_about("sesame");
}

static void test_all_errors_are_told_with_their_lines(void **state)
{
    const char *file = "[broker]\n"
                       "port = 99999\n"
                       "\n"
                       "keepalive = soon\n"
                       "; comment\n"
                       "colour = red\n"
                       "[batch]\n"
                       "points = 2000\n"
                       "bytes = 1M\n"
                       "[agent]\n"
                       "device = a/b\n"
                       "encoding = json\n"
                       "state = relative\n"
                       "[sensors]\n"
                       "cpu = 1ms\n"
                       "cpu = 1s\n"
                       "[colours]\n"
                       "a = b\n"
                       "no equals sign\n"
                       "[broken\n"
                       "[log]\nsize = 1K\n";
    char expected[256];
    static const char *const lines[] = {
        ":2: [broker] port = 99999: must be a whole number from 1 to 65535\n",
        ":4: [broker] keepalive = soon: must be a whole number from 5 to 65535\n",
        ":6: [broker] colour: no such key; there are url host port",
        ":8: [batch] points = 2000: must be at most 1000 on this board\n",
        ":9: [batch] bytes = 1M: must be a size from 64 to 256K",
        ":11: [agent] device = a/b: must be 1 to 64 of the characters A-Z a-z 0-9 . _ -\n",
        ":12: [agent] encoding = json: must be one of columns plain\n",
        ":13: [agent] state = relative: must be an absolute path of at most 255 bytes\n",
        ":15: [sensors] cpu = 1ms: must be off, or a duration from 100ms to 24h, such as",
        ":16: [sensors] cpu: given before, on line 15\n",
        ":17: [colours]: no such section; there are [agent] [broker] [tls] [log] [batch]",
        ":19: this line is neither [section] nor key = value\n",
        ":20: a section must end with ]\n",
        ":22: [log] size = 1K: must be a size from 16K to 1G",
    };
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_E_INVALID);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        snprintf(expected, sizeof expected, "dunlind: %s%.60s", fixture.path, lines[i]);
        assert_says(expected);
        assert_says(lines[i]);
    }
    assert_int_equal(count_errors(), sizeof lines / sizeof lines[0]);
}

static void test_what_does_not_go_together(void **state)
{
    (void)state;
    assert_int_equal(read_all("[log]\npolicy = drop-newest\n[send]\nack = stored\n", NULL, NULL),
                     DUN_OK);
    assert_int_equal(read_all("[broker]\nreconnect_min = 5s\nreconnect_max = 1s\n", NULL, NULL),
                     DUN_E_INVALID);
    assert_says(":3: [broker] reconnect_max = 1s: must not be less than reconnect_min");
}

static void test_bad_words_and_variables(void **state)
{
    const char *const environment[] = {"DUNLIN_PORT=many", "DUNLIN_PASSWORD=sesame", NULL};
    const char *const words[] = {"-P",     "sesame", "--psk",  "sesame", "--nonsense",
                                 "sesame", "stray",  "--port", "0",      "--device",
                                 "a b",    "--host", NULL};
    static const char *const lines[] = {
        "dunlind: environment: DUNLIN_PORT = many: must be a whole number from 1 to 65535\n",
        "dunlind: environment: DUNLIN_PASSWORD is not read",
        "dunlind: -P: a password on the command line is visible to everyone; use --password-file",
        "dunlind: --psk: a key on the command line is visible to everyone; use --psk-file",
        "dunlind: --nonsense: no such option",
        "dunlind: stray: no such argument",
        "dunlind: --port 0: must be a whole number from 1 to 65535\n",
        "dunlind: --device a b: must be 1 to 64 of the characters",
        "dunlind: --host: needs a value\n",
    };
    (void)state;
    assert_int_equal(read_all(NULL, environment, words), DUN_E_INVALID);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_says(lines[i]);
    }
    assert_int_equal(count_errors(), sizeof lines / sizeof lines[0]);
    assert_silent_about("sesame");
}

static void expect_tls(const char *const *words, int64_t use, int64_t port)
{
    assert_int_equal(read_all(NULL, NULL, words), DUN_OK);
    assert_int_equal(fixture.config.tls, use);
    assert_int_equal(fixture.config.port, port);
}

static void test_what_turns_tls_on(void **state)
{
    (void)state;
    expect_tls((const char *const[]){"-h", "h", NULL}, DUN_TLS_OFF, 1883);
    expect_tls((const char *const[]){"-L", "mqtt://h", NULL}, DUN_TLS_OFF, 1883);
    expect_tls((const char *const[]){"-L", "mqtts://h", NULL}, DUN_TLS_ON, 8883);
    expect_tls((const char *const[]){"-L", "ssl://h:1", NULL}, DUN_TLS_ON, 1);
    expect_tls((const char *const[]){"-L", "tls://h", "-p", "443", NULL}, DUN_TLS_ON, 443);
    expect_tls((const char *const[]){"--tls", "yes", NULL}, DUN_TLS_ON, 8883);
    expect_tls((const char *const[]){"--cafile", "/c", NULL}, DUN_TLS_ON, 8883);
    expect_tls((const char *const[]){"--capath", "/c", "-p", "1", NULL}, DUN_TLS_ON, 1);
    expect_tls((const char *const[]){"--cert", "/c", "--key", "/k", NULL}, DUN_TLS_ON, 8883);
    expect_tls((const char *const[]){"--psk-identity", "me", "--psk-file", "/k", NULL}, DUN_TLS_ON,
               8883);
    const char *const environment[] = {"DUNLIN_CAFILE=/c", "DUNLIN_TLS_ALPN=mqtt", NULL};
    assert_int_equal(
        read_all("[tls]\nunset_clock = grace\nmax_fragment = 1024\n", environment, NULL), DUN_OK);
    assert_int_equal(fixture.config.tls, DUN_TLS_ON);
    assert_string_equal(fixture.config.alpn, "mqtt");
    assert_int_equal(fixture.config.unset_clock, 1);
    assert_int_equal(fixture.config.fragment_max, 1024);
}

/* What asks for TLS is never followed by a connection without. */
static void test_tls_that_does_not_fit_together(void **state)
{
    static const struct {
        const char *const words[7];
        const char *line;
    } rows[] = {
        {{"-L", "mqtt://h", "--cafile", "/c"}, "dunlind: cafile: needs TLS, but mqtt:// or use"},
        {{"--tls", "no", "--capath", "/c"}, "dunlind: capath: needs TLS"},
        {{"--tls", "no", "--psk-identity", "x"}, "dunlind: psk_identity: needs TLS"},
        {{"--key", "/k"}, "dunlind: key: needs cert"},
        {{"--psk-file", "/k"}, "dunlind: psk_file: needs psk_identity"},
        {{"--psk-identity", "x", "--cafile", "/c"}, "dunlind: cafile: does not go with"},
        {{"--tls", "maybe"}, "dunlind: --tls maybe: must be one of auto yes no"},
        {{"--tls-max-fragment", "900"}, "must be one of off 512 1024 2048 4096"},
        {{"--cafile", "ca.pem"}, "--cafile ca.pem: must be an absolute path"},
        {{"--insecure"}, "--insecure: there is no insecure mode"},
        {{"--ciphers", "NULL"}, "--ciphers: the ciphers are fixed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rewind(fixture.errors);
        assert_int_equal(read_all(NULL, NULL, rows[i].words), DUN_E_INVALID);
        assert_says(rows[i].line);
    }
    limits.has_tls = false;
    const char *const secure[] = {"-L", "mqtts://h", NULL};
    int error = read_all(NULL, NULL, secure);
    limits.has_tls = true;
    assert_int_equal(error, DUN_E_INVALID);
    assert_says("dunlind: use: this build has no TLS\n");
}

static void test_secrets_do_not_stand_in_the_file(void **state)
{
    (void)state;
    assert_int_equal(
        read_all("[broker]\npassword = sesame\n[tls]\npsk = sesame\ninsecure = 1\n", NULL, NULL),
        DUN_E_INVALID);
    assert_says(":2: [broker] password: secrets do not stand in this file; use password_file\n");
    assert_says(":4: [tls] psk: secrets do not stand in this file; use [tls] psk_file\n");
    assert_says(":5: [tls] insecure: TLS is 1.2 with good ciphers and verifies the host, always\n");
    assert_int_equal(count_errors(), 3);
    assert_silent_about("sesame");
}

static void test_hostile_files(void **state)
{
    static const char nul[] = "[broker]\nport\0 = 1\nkeepalive = 7\n";
    char text[1200];
    (void)state;
    write_file(nul, sizeof nul - 1);
    char *argv[] = {"dunlind", "-c", fixture.path};
    char *none[] = {NULL};
    dun_config_init(&fixture.config, "dunlind", fixture.errors);
    assert_int_equal(dun_config_read(&fixture.config, 3, argv, none, "h", &limits), DUN_E_INVALID);
    assert_says(":2: this line holds a NUL byte\n");
    unlink(fixture.path);

    memset(text, 'x', sizeof text);
    strcpy(text + 600, " = 1\n[broker]\nport = bad\n[file s]\npath = /x\nname = \xff\n");
    assert_int_equal(read_all(text, NULL, NULL), DUN_E_INVALID);
    assert_says(":1: this line is too long (at most 198 bytes)\n");
    assert_says(":3: [broker] port = bad: must be"); /* the count is right after it */
    assert_says(":6: [file s] name = ");
    unlink(fixture.path);

    assert_int_equal(read_all("port = 1\n", NULL, NULL), DUN_E_INVALID);
    assert_says(":1: this key stands before any [section]\n");
}

static void test_a_file_that_is_not_there(void **state)
{
    const char *const words[] = {"-c", "/nonexistent/dunlind.ini", NULL};
    (void)state;
    assert_int_equal(read_all(NULL, NULL, words), DUN_E_INVALID);
    assert_says("dunlind: /nonexistent/dunlind.ini: No such file or directory\n");
}

static void test_a_host_name_that_is_no_id(void **state)
{
    char *argv[] = {"dunlind"};
    char *none[] = {NULL};
    (void)state;
    dun_config_init(&fixture.config, "dunlind", fixture.errors);
    assert_int_equal(dun_config_read(&fixture.config, 1, argv, none, "my host", &limits),
                     DUN_E_INVALID);
    assert_says("the host name \"my host\" cannot be a device id; give one with --device");
}

static void test_file_sensors(void **state)
{
    const char *file = "[file room]\npath = /sys/x\nname = hw.temperature\nunit = Cel\n"
                       "scale = 0.001\ndecimals = 2\nkind = gauge\ninterval = 1m\n"
                       "attributes = hw.id = room , site=north\n"
                       "[file hits]\npath = /run/hits\nname = hits\nkind = counter\n";
    const struct dun_file_config *room = &fixture.config.files[0];
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_OK);
    assert_int_equal(fixture.config.file_count, 2);
    assert_string_equal(room->section.label, "room");
    assert_int_equal(room->scale, -3);
    assert_int_equal(room->decimals, 2);
    assert_int_equal(room->interval_ms, 60000);
    assert_int_equal(room->attributes.count, 2);
    assert_string_equal(room->attributes.list[0].key, "hw.id");
    assert_string_equal(room->attributes.list[0].value, "room");
    assert_string_equal(room->attributes.list[1].value, "north");
    assert_int_equal(fixture.config.files[1].kind, DUN_COUNTER);
    assert_string_equal(fixture.config.files[1].unit, "1");
    assert_int_equal(fixture.config.files[1].interval_ms, DUN_INTERVAL_INHERIT);
}

static void test_decimals_of_file_sensors(void **state)
{
    const char *file = "[file gauge]\npath = /x\nname = n\n"
                       "[file fine]\npath = /x\nname = n\nscale = 1e-4\n"
                       "[file finer]\npath = /x\nname = n\nscale = 1e-12\n"
                       "[file whole]\npath = /x\nname = n\ndecimals = 0\nscale = 0.1\n"
                       "[file counter]\npath = /x\nname = n\nkind = counter\n";
    static const uint8_t decimals[] = {3, 4, 9, 0, 0};
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_OK);
    for (size_t i = 0; i < sizeof decimals; i++) {
        assert_int_equal(fixture.config.files[i].decimals, decimals[i]);
    }
}

static void test_files_of_words_and_doubles(void **state)
{
    const char *file = "[file door]\npath = /x\nname = n\nstates = closed ,ajar,  wide open\n"
                       "[file lamp]\npath = /x\nname = n\nkind = boolean\n"
                       "[file flow]\npath = /x\nname = n\ntype = real\nscale = 0.001\n";
    const struct dun_file_config *files = fixture.config.files;
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_OK);
    assert_int_equal(files[0].kind, DUN_STATE);
    assert_int_equal(files[0].state_count, 3);
    assert_string_equal(files[0].states[0], "closed");
    assert_string_equal(files[0].states[2], "wide open");
    assert_int_equal(files[1].kind, DUN_BOOLEAN);
    assert_true(files[2].real && files[2].scale == -3);
}

static void test_words_and_numbers_do_not_mix(void **state)
{
    const char *file = "[file a]\npath = /x\nname = n\nkind = state\n"
                       "[file b]\npath = /x\nname = n\nkind = gauge\nstates = a,b\n"
                       "[file c]\npath = /x\nname = n\nstates = a,b\nscale = 10\n"
                       "[file d]\npath = /x\nname = n\nkind = boolean\ndecimals = 1\n"
                       "[file e]\npath = /x\nname = n\ntype = real\ndecimals = 1\n"
                       "[file f]\npath = /x\nname = n\nstates = a,b,a\n"
                       "[file g]\npath = /x\nname = n\nstates = a,,b\n"
                       "[file h]\npath = /x\nname = n\ntype = float\n";
    static const char *const lines[] = {
        ":1: [file a] states: and kind = state need each other\n",
        ":5: [file b] states: and kind = state need each other\n",
        ":10: [file c] scale: goes with numbers only",
        ":15: [file d] decimals: goes with numbers only",
        ":20: [file e] decimals: does not go with type = real",
        ":28: [file f] states = a,b,a: must be 1 to 32 different names",
        ":32: [file g] states = a,,b: must be 1 to 32 different names",
        ":36: [file h] type = float: must be decimal or real\n",
    };
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_E_INVALID);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_says(lines[i]);
    }
}

static void test_bad_file_sensors(void **state)
{
    const char *file = "[file a]\npath = x\nname = n\nscale = 3\ndecimals = 10\nkind = both\n"
                       "interval = 1\nattributes = a\nsize = 1\n[file a]\n[file b/c]\n[file e]\n"
                       "name = n\nname = m\n";
    static const char *const lines[] = {
        ":2: [file a] path = x: must be an absolute path",
        ":4: [file a] scale = 3: must be a power of ten",
        ":5: [file a] decimals = 10: must be a whole number from 0 to 9\n",
        ":6: [file a] kind = both: must be gauge, counter, state or boolean\n",
        ":7: [file a] interval = 1: must be a duration",
        ":8: [file a] attributes = a: must be at most 4 pairs",
        ":9: [file a] size: no such key; there are path name scale",
        ":10: [file a] there is a section of this name already\n",
        ":11: [file b/c] a name must be 1 to 32",
        ":12: [file e] path: is missing\n",
        ":14: [file e] name: given before in this section\n",
    };
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_E_INVALID);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_says(lines[i]);
    }
    assert_int_equal(count_errors(), sizeof lines / sizeof lines[0]);
}

static void test_too_many_file_sensors(void **state)
{
    char text[8192] = "";
    (void)state;
    for (int i = 0; i < DUN_FILES_MAX + 1; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "[file s%d]\npath = /p\nname = n\n", i);
    }
    assert_int_equal(read_all(text, NULL, NULL), DUN_E_INVALID);
    assert_says("too many [file] sections");
    assert_int_equal(count_errors(), 1);
}

static const struct dun_limit_config *limit_of(const char *name, const struct dun_attribute *list,
                                               uint8_t count)
{
    const struct dun_metric metric = {.name = name, .attributes = list, .attribute_count = count};
    return dun_limit_for(&fixture.config, &metric);
}

static void test_limits(void **state)
{
    const char *file = "[limit idle]\nmetric = cpu\nattributes = mode = idle\nlow = 0.05\n"
                       "[limit any]\nmetric = cpu\nlow = -1\nhigh = -1\n"
                       "[limit late]\nmetric = cpu\nattributes = mode=user\nhigh = 9e-1\n";
    static const struct dun_attribute idle[] = {{"core", "1"}, {"mode", "idle"}};
    static const struct dun_attribute user[] = {{"mode", "user"}};
    const struct dun_limit_config *limits_read = fixture.config.limits;
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_OK);
    assert_int_equal(fixture.config.limit_count, 3);
    assert_string_equal(limits_read[0].section.label, "idle");
    assert_string_equal(limits_read[0].low_text, "0.05");
    assert_string_equal(limits_read[0].high_text, "");
    assert_int_equal(limits_read[0].low.fraction, 50000000000000000);
    assert_ptr_equal(limit_of("cpu", idle, 2), &limits_read[0]);
    assert_ptr_equal(limit_of("cpu", idle, 1), &limits_read[1]);
    assert_ptr_equal(limit_of("cpu", user, 1), &limits_read[1]); /* the first that fits */
    assert_ptr_equal(limit_of("cpu", NULL, 0), &limits_read[1]);
    assert_null(limit_of("cpus", idle, 2));
}

static void test_metrics(void **state)
{
    static const struct dun_metric_default defaults[] = {{"m", "0.5", "", ""},
                                                         {"other", "", "0", "5m"}};
    const char *file = "[metric m]\nmetric = m\nresolution = 0.01\ndead_band = 2\n"
                       "heartbeat = 90s\n[limit l]\nmetric = m\nlow = 3\n"
                       "[metric both]\nmetric = n\nhigh = 4\ndead_band = 0.1\n";
    (void)state;
    limits.metrics = defaults;
    limits.metric_count = 2;
    assert_int_equal(read_all(file, NULL, NULL), DUN_OK);
    limits.metric_count = 0;
    struct dun_metric metric = {.name = "m"};
    const struct dun_limit_config *tuning = dun_tuning_for(&fixture.config, &metric);
    assert_ptr_equal(tuning, &fixture.config.limits[0]);
    assert_string_equal(tuning->section.kind, "metric");
    assert_string_equal(tuning->resolution_text, "0.01");
    assert_int_equal(tuning->dead_band.whole, 2);
    assert_int_equal(tuning->heartbeat_ms, 90000);
    assert_ptr_equal(limit_of("m", NULL, 0), &fixture.config.limits[1]);
    metric.name = "n";
    assert_ptr_equal(dun_tuning_for(&fixture.config, &metric), limit_of("n", NULL, 0));
    metric.name = "other"; /* of the profile, behind the sections of the file */
    tuning = dun_tuning_for(&fixture.config, &metric);
    assert_ptr_equal(tuning, &fixture.config.limits[4]);
    assert_int_equal(tuning->heartbeat_ms, 300000);
    metric.name = "none";
    assert_null(dun_tuning_for(&fixture.config, &metric));
}

static void test_the_profile_gives_way(void **state)
{
    static const struct dun_metric_default defaults[] = {{"m", "5", "", ""}, {"n", "5", "", ""}};
    const char *printed = "[metric profile-0]\nmetric = m\nresolution = 7\n";
    (void)state;
    limits.metrics = defaults;
    limits.metric_count = 2;
    assert_int_equal(read_all(printed, NULL, NULL), DUN_OK);
    assert_int_equal(fixture.config.limit_count, 2); /* the label is not given twice */
    assert_string_equal(fixture.config.limits[0].resolution_text, "7");
    assert_string_equal(fixture.config.limits[1].metric, "n");
    assert_int_equal(read_all("[sensors]\nresolution = exact\n", NULL, NULL), DUN_OK);
    assert_int_equal(fixture.config.limit_count, 0);
    limits.metric_count = 0;
}

static void test_bad_metrics(void **state)
{
    const char *file = "[metric a]\nmetric = m\nresolution = 0\ndead_band = -0.5\n"
                       "[metric b]\nmetric = m\nresolution = 1\nheartbeat = 5s\n"
                       "[metric c]\nmetric = m\ndead_band = 1\nheartbeat = 0.5s\n";
    static const char *const lines[] = {
        ":3: [metric a] resolution = 0: must be a number above 0",
        ":4: [metric a] dead_band = -0.5: must be a number from 0",
        ":5: [metric b] heartbeat: needs a dead_band\n",
        ":12: [metric c] heartbeat = 0.5s: must be a duration from 1s to 24h\n",
    };
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_E_INVALID);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_says(lines[i]);
    }
}

static void test_bad_limits(void **state)
{
    const char *file = "[limit a]\nlow = 1x\nhigh = 1e-19\n"
                       "[limit b]\nmetric = m\nattributes = a\nlow = 0.2\nhigh = 0.10\n"
                       "[limit c]\nmetric = m\n[limit a]\n[limit d/e]\n"
                       "[limit f]\nmetric = m\nmetric = m\nhigh = 1\nabove = 1\n"
                       "[limit g]\nmetric = m\nlow = 00000000000000000000000000000001\n"
                       "[limit]\n";
    static const char *const lines[] = {
        ":1: [limit a] metric: is missing\n",
        ":2: [limit a] low = 1x: must be a number",
        ":3: [limit a] high = 1e-19: must be a number of at most 18 digits, such as 0.9",
        ":4: [limit b] low: must not be more than high\n",
        ":6: [limit b] attributes = a: must be at most 4 pairs",
        ":9: [limit c] low, high, resolution, dead_band: one of them is needed\n",
        ":11: [limit a] there is a section of this name already\n",
        ":12: [limit d/e] a name must be 1 to 32",
        ":15: [limit f] metric: given before in this section\n",
        ":17: [limit f] above: no such key; there are metric low high resolution dead_band",
        ":20: [limit g] low = 00000000000000000000000000000001: must be a number",
        ":21: [limit]: no such section; there are [agent]",
        "[sensors] [file NAME], [limit NAME] and [metric NAME]\n",
    };
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_E_INVALID);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_says(lines[i]);
    }
    assert_int_equal(count_errors(), sizeof lines / sizeof lines[0] - 1);
}

static void test_too_many_limits(void **state)
{
    char text[8192] = "";
    (void)state;
    for (int i = 0; i < DUN_LIMITS_MAX + 1; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "[limit s%d]\nmetric = n\nlow = 1\n", i);
    }
    assert_int_equal(read_all(text, NULL, NULL), DUN_E_INVALID);
    assert_says("too many [limit] and [metric] sections");
    assert_int_equal(count_errors(), 1);
}

static size_t print_config(char *out, size_t size)
{
    FILE *file = tmpfile();
    dun_config_print(&fixture.config, file);
    fflush(file);
    ssize_t used = pread(fileno(file), out, size - 1, 0);
    fclose(file);
    out[used > 0 ? used : 0] = '\0';
    return (size_t)used;
}

static void test_versions_of_mqtt(void **state)
{
    static const struct {
        const char *word;
        int64_t version;
    } words[] = {{"3.1.1", 4}, {"5", 5}, {"mqttv5", 5}, {"mqttv311", 4}, {"311", 4}, {"auto", 0}};
    char text[8192];
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *const line[] = {"-V", words[i].word, NULL};
        assert_int_equal(read_all(NULL, NULL, line), DUN_OK);
        assert_int_equal(fixture.config.mqtt_version, words[i].version);
        print_config(text, sizeof text);
        assert_non_null(strstr(text, words[i].version == 5 ? "\nversion = 5 ; command line\n"
                                     : words[i].version == 4
                                         ? "\nversion = 3.1.1 ; command line\n"
                                         : "\nversion = auto ; command line\n"));
    }
    const char *const wrong[] = {"-V", "4", NULL};
    assert_int_equal(read_all(NULL, NULL, wrong), DUN_E_INVALID);
    assert_says("-V 4: must be one of auto 5 3.1.1 ");
}

static void test_what_is_printed_reads_back(void **state)
{
    const char *file = "[agent]\ndevice = d-1\nencoding = plain\n[sensors]\ncpu = off\ndisk = 1s\n"
                       "[file a]\npath = /x\nname = n\nscale = 1e-3\nattributes = k=v, l=w\n"
                       "[limit b]\nmetric = n\nattributes = k=v\nlow = -0.50\nhigh = 9e-1\n";
    const char *const words[] = {"-h", "broker", "--batch-points", "17", NULL};
    char first[8192];
    char second[8192];
    (void)state;
    assert_int_equal(read_all(file, NULL, words), DUN_OK);
    print_config(first, sizeof first);
    assert_non_null(strstr(first, "\nhost = broker ; command line\n"));
    assert_non_null(strstr(first, ":3\n")); /* where `encoding` stands */
    unlink(fixture.path);
    assert_int_equal(read_all(first, NULL, NULL), DUN_OK);
    assert_string_equal(errors(), "");
    assert_int_equal(fixture.config.encoding, DUN_ENCODING_PLAIN);
    assert_int_equal(fixture.config.batch_points, 17);
    assert_int_equal(dun_config_interval(&fixture.config, DUN_BUILTIN_CPU), 0);
    assert_int_equal(fixture.config.files[0].scale, -3);
    assert_string_equal(fixture.config.files[0].attributes.list[1].value, "w");
    assert_string_equal(fixture.config.limits[0].metric, "n");
    assert_string_equal(fixture.config.limits[0].attributes.list[0].key, "k");
    assert_int_equal(fixture.config.limits[0].low.whole, -1);
    assert_int_equal(fixture.config.limits[0].high.fraction, 900000000000000000);
    print_config(second, sizeof second);
    assert_non_null(strstr(second, "device = d-1"));
}

static void test_help_names_every_option(void **state)
{
    static const char *const words[] = {
        "--device",        "-h, --host",     "-p, --port",      "-L, --url", "-i, --id",
        "-k, --keepalive", "-u, --username", "--password-file", "--state",   "DUNLIN_HOST",
        "[file NAME]",     "[limit NAME]",   "[metric NAME]",   "Exit codes"};
    (void)state;
    const char *const help[] = {"--nonsense", "--help", NULL};
    assert_int_equal(read_all(NULL, NULL, help), DUN_OK);
    assert_int_equal(fixture.config.command, DUN_COMMAND_HELP);
    dun_config_help("dunlind", fixture.errors);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_says(words[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_the_order_of_the_sources),
        TEST(test_every_spelling_of_an_option),
        TEST(test_sensors_and_comments),
        TEST(test_urls),
        TEST(test_bad_urls_are_told_without_their_text),
        TEST(test_all_errors_are_told_with_their_lines),
        TEST(test_what_does_not_go_together),
        TEST(test_bad_words_and_variables),
        TEST(test_secrets_do_not_stand_in_the_file),
        TEST(test_what_turns_tls_on),
        TEST(test_tls_that_does_not_fit_together),
        TEST(test_hostile_files),
        TEST(test_a_file_that_is_not_there),
        TEST(test_a_host_name_that_is_no_id),
        TEST(test_file_sensors),
        TEST(test_decimals_of_file_sensors),
        TEST(test_files_of_words_and_doubles),
        TEST(test_words_and_numbers_do_not_mix),
        TEST(test_bad_file_sensors),
        TEST(test_too_many_file_sensors),
        TEST(test_limits),
        TEST(test_metrics),
        TEST(test_the_profile_gives_way),
        TEST(test_bad_metrics),
        TEST(test_bad_limits),
        TEST(test_too_many_limits),
        TEST(test_versions_of_mqtt),
        TEST(test_what_is_printed_reads_back),
        TEST(test_help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

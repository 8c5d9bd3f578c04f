/*
 * test_config.c: the three sources and their order, and that each bad value is told in one line
 * that names place, key, value and what is allowed - all of them, and never a secret.
 */
#include "config_bench.h"

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
    const char *const words[] = {"-P",    "sesame", "--psk", "sesame",   "--nonsense", "sesame",
                                 "stray", "--port", "0",     "--device", "a b",        "--id",
                                 "a ;b",  "-u",     ";",     "--host",   NULL};
    static const char *const lines[] = {
        "dunlind: environment: DUNLIN_PORT = many: must be a whole number from 1 to 65535\n",
        "dunlind: environment: DUNLIN_PASSWORD is not read",
        "dunlind: -P: a password on the command line is visible to everyone; use --password-file",
        "dunlind: --psk: a key on the command line is visible to everyone; use --psk-file",
        "dunlind: --nonsense: no such option",
        "dunlind: stray: no such argument",
        "dunlind: --port 0: must be a whole number from 1 to 65535\n",
        "dunlind: --device a b: must be 1 to 64 of the characters",
        "dunlind: --id a ;b: must be 1 to 255 bytes of text, no blank at an end or before a ;\n",
        "dunlind: -u ;: must be 1 to 255 bytes of text",
        "dunlind: --host: needs a value\n",
    };
    (void)state;
    assert_int_equal(read_all(NULL, environment, words), DUN_E_INVALID);
    assert_says_each(lines, sizeof lines / sizeof lines[0]);
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

/* A line of the file holds 198 bytes, a word of the command line more. */
static void test_what_the_file_cannot_hold_is_printed_as_a_comment(void **state)
{
    char text[8192], id[200];
    const char *const words[] = {"--id", id, NULL};
    (void)state;
    memset(id, 'i', sizeof id);
    for (size_t size = 170; size < sizeof id; size++) {
        id[size] = '\0';
        assert_int_equal(read_all(NULL, NULL, words), DUN_OK);
        print_config(text, sizeof text);
        assert_true((strstr(text, " ; command line\n") != NULL) == (size + 12 + 15 <= 198));
        assert_true((strstr(text, "give it as --id or DUNLIN_CLIENT_ID:\n; client_id = i") !=
                     NULL) == (size + 12 > 198));
        id[size] = 'i';
        assert_int_equal(read_all(text, NULL, NULL), DUN_OK);
        assert_string_equal(errors(), "");
        unlink(fixture.path);
    }
}

static void test_help_with_a_path_too_long(void **state)
{
    char path[300];
    const char *const words[] = {"--help", "-c", path, NULL};
    (void)state;
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(read_all(NULL, NULL, words), DUN_OK);
    assert_string_equal(errors(), "");
    assert_int_equal(read_all(NULL, NULL, words + 1), DUN_E_INVALID);
    assert_says("-c: must be a path of at most 255 bytes\n");
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
        TEST(test_versions_of_mqtt),
        TEST(test_what_is_printed_reads_back),
        TEST(test_what_the_file_cannot_hold_is_printed_as_a_comment),
        TEST(test_help_with_a_path_too_long),
        TEST(test_help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

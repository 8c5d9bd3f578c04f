/*
 * run_transcript.c: plays a file of this folder against a dun_mqtt_session: bytes in, bytes
 * expected out, events, time. README.md is the format.
 *
 * Each file is played whole, then once for each byte of its input with the input cut there, then
 * byte by byte. What goes out and what happens must be the same each time.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/session.h"

#define LINE_MAX_  1024
#define BYTES_MAX  70000 /* longer than the longest MQTT string */
#define TEXT_MAX   1024
#define EVENTS_MAX 32
#define SLOTS_MAX  64

#define EACH_BYTE SIZE_MAX /* as `cut`: cut everywhere */

/* One playing of one file. */
struct play {
    const char *file;
    unsigned line;
    size_t cut; /* cut the input before this byte; 0: nowhere */
    size_t fed; /* bytes of input so far */
    bool failed;

    struct dun_mqtt_session session;
    struct dun_mqtt_connect connect;
    struct dun_mqtt_times times;
    struct dun_mqtt_slot slots[SLOTS_MAX];
    uint16_t slot_count;
    size_t rx_size, tx_size;
    bool started;

    dun_ms now;
    size_t room; /* bytes that may still go out */
    int result;  /* of the last call */
    struct dun_span payloads[SLOTS_MAX];
    char events[EVENTS_MAX][TEXT_MAX];
    size_t event_count, event_next;
    uint8_t out[BYTES_MAX];
    size_t out_size;
    uint8_t rx[BYTES_MAX], tx[BYTES_MAX];
    uint8_t strings[6][BYTES_MAX]; /* what the settings and calls point into */
    uint8_t payload_bytes[SLOTS_MAX][TEXT_MAX];
};

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static void fail(struct play *play, const char *format, ...)
{
    va_list arguments;
    if (play->failed) {
        return;
    }
    play->failed = true;
    fprintf(stderr, "%s:%u: ", play->file, play->line);
    if (play->cut == EACH_BYTE) {
        fprintf(stderr, "(byte by byte) ");
    } else if (play->cut > 0) {
        fprintf(stderr, "(cut before byte %zu) ", play->cut);
    }
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/// Reading the file ///

static char *skip_space(char *at)
{
    while (isspace((unsigned char)*at)) {
        at++;
    }
    return at;
}

/* Cuts the next word off. */
static char *next_word(char **at)
{
    char *word = skip_space(*at);
    char *end = word;
    while (*end != '\0' && !isspace((unsigned char)*end)) {
        end++;
    }
    *at = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

static long next_number(char **at)
{
    return strtol(next_word(at), NULL, 0);
}

/* Reads hex bytes (41), repeated ones (41*100) and quoted text; up to the end, or one string. */
static size_t next_bytes(struct play *play, char **at, bool all, uint8_t *bytes, size_t max)
{
    size_t size = 0;
    char *c = skip_space(*at);
    while (*c != '\0') {
        size_t count = 1;
        if (*c == '"') {
            for (c++; *c != '"' && *c != '\0' && size < max; c++) {
                bytes[size++] = (uint8_t)*c;
            }
            c += *c == '"';
        } else {
            char *end;
            unsigned long byte = strtoul(c, &end, 16);
            if (end == c || byte > 0xFF) {
                fail(play, "not a byte: %s", c);
                break;
            }
            count = *end == '*' ? strtoul(end + 1, &end, 10) : 1;
            for (c = end; count > 0 && size < max; count--) {
                bytes[size++] = (uint8_t)byte;
            }
        }
        c = skip_space(c);
        if (!all) {
            break;
        }
    }
    *at = c;
    return size;
}

static struct dun_span next_string(struct play *play, char **at, unsigned store)
{
    size_t size = next_bytes(play, at, false, play->strings[store], BYTES_MAX);
    return (struct dun_span){play->strings[store], size};
}

static const char *error_name(int error)
{
    static const char *const names[] = {"OK",          "IO",       "FULL",        "AGAIN",
                                        "CORRUPT",     "INVALID",  "TOO_LARGE",   "NOT_FOUND",
                                        "CLOSED",      "PROTOCOL", "REFUSED",     "TIMEOUT",
                                        "UNREACHABLE", "BUSY",     "UNSUPPORTED", "NO_SPACE"};
    size_t index = (size_t)-error;
    return index < sizeof names / sizeof names[0] ? names[index] : "?";
}

/// The driver ///

static size_t put_text(char *text, size_t at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text + at, TEXT_MAX - at, format, arguments);
    va_end(arguments);
    at += (size_t)size;
    return at < TEXT_MAX ? at : TEXT_MAX - 1;
}

static size_t put_span(char *text, size_t at, struct dun_span span)
{
    at = put_text(text, at, " \"");
    for (size_t i = 0; i < span.size; i++) {
        at = put_text(text, at, isprint(span.data[i]) ? "%c" : "\\%02x", span.data[i]);
    }
    return put_text(text, at, "\"");
}

/* An event in the words of the file. */
static void describe(const struct dun_mqtt_event *event, char *text)
{
    size_t at;
    switch (event->kind) {
    case DUN_MQTT_EVENT_CONNECTED:
        put_text(text, 0, "up present=%d", event->session_present);
        break;
    case DUN_MQTT_EVENT_ACKED:
        at = put_text(text, 0, "acked %u", event->token);
        if (event->reason != 0) {
            put_text(text, at, " reason=%u", event->reason);
        }
        break;
    case DUN_MQTT_EVENT_MESSAGE:
        at = put_text(text, 0, "message");
        at = put_span(text, at, event->topic);
        at = put_span(text, at, event->payload);
        put_text(text, at, event->retain ? " retain" : "");
        break;
    case DUN_MQTT_EVENT_SUBSCRIBED:
        put_text(text, 0, "subscribed %u", event->reason);
        break;
    default:
        at = put_text(text, 0, "closed %s", error_name(event->error));
        if (event->reason != 0) {
            at = put_text(text, at, " reason=%u", event->reason);
        }
        if (event->server.data != NULL) {
            put_span(text, at, event->server);
        }
        break;
    }
}

static void take_events(struct play *play)
{
    const struct dun_mqtt_event *event;
    while ((event = dun_mqtt_next_event(&play->session)) != NULL) {
        if (play->event_count == EVENTS_MAX) {
            fail(play, "more than %d events", EVENTS_MAX);
            return;
        }
        describe(event, play->events[play->event_count++]);
    }
}

/* Takes output as far as there is room. */
static void take_output(struct play *play)
{
    struct dun_mqtt_piece piece;
    while (play->room > 0 && dun_mqtt_output(&play->session, &piece)) {
        size_t size = piece.size < play->room ? piece.size : play->room;
        if (size > BYTES_MAX - play->out_size) {
            fail(play, "too much output");
            return;
        }
        const uint8_t *from =
            piece.data != NULL ? piece.data : play->payloads[piece.token].data + piece.offset;
        memcpy(play->out + play->out_size, from, size);
        play->out_size += size;
        play->room -= play->room == SIZE_MAX ? 0 : size;
        dun_mqtt_taken(&play->session, size, play->now);
    }
}

static void turn(struct play *play)
{
    take_events(play);
    take_output(play);
}

/* Feeds a piece that may be taken in parts; stops when the session takes nothing more. */
static void feed_piece(struct play *play, struct dun_span piece)
{
    size_t used = 1;
    while (piece.size > 0 && used > 0) {
        used = dun_mqtt_feed(&play->session, piece, play->now);
        piece.data += used;
        piece.size -= used;
        turn(play);
    }
}

static void feed(struct play *play, struct dun_span input)
{
    while (input.size > 0) {
        size_t size = input.size;
        if (play->cut == EACH_BYTE) {
            size = 1;
        } else if (play->cut > play->fed && play->cut < play->fed + input.size) {
            size = play->cut - play->fed;
        }
        feed_piece(play, (struct dun_span){input.data, size});
        play->fed += size;
        input.data += size;
        input.size -= size;
    }
}

/// Commands ///

static void do_connect(struct play *play)
{
    if (!play->started) {
        play->started = true;
        struct dun_mqtt_memory memory = {.rx = {play->rx, play->rx_size},
                                         .tx = {play->tx, play->tx_size},
                                         .slots = play->slots,
                                         .slot_count = play->slot_count};
        if (dun_mqtt_init(&play->session, &memory) != DUN_OK) {
            fail(play, "memory refused");
        }
    }
    struct dun_mqtt_times times = play->times;
    if (times.connack_deadline != 0) {
        times.connack_deadline += play->now;
    }
    play->result = dun_mqtt_connect(&play->session, &play->connect, &times, play->now);
}

/* A connection that the broker accepts, where the way there is not the matter. */
static void do_up(struct play *play, bool present)
{
    bool v5 = play->connect.version == DUN_MQTT_5;
    const uint8_t connack[] = {0x20, v5 ? 3 : 2, present, 0x00, 0x00};
    do_connect(play);
    take_output(play);
    play->out_size = 0;
    feed_piece(play, (struct dun_span){connack, v5 ? 5 : 4});
    play->event_count = play->event_next = 0;
    if (play->session.state != DUN_MQTT_UP) {
        fail(play, "not up");
    }
}

static void do_publish(struct play *play, char *rest)
{
    long token = next_number(&rest);
    struct dun_mqtt_publish publish = {.qos = 1, .topic = next_string(play, &rest, 4)};
    if (token < 0 || token >= SLOTS_MAX) {
        fail(play, "tokens go to %d", SLOTS_MAX - 1);
        return;
    }
    if (strncmp(rest, "qos0 ", 5) == 0) {
        publish.qos = 0;
        rest += 5;
    }
    if (strncmp(rest, "retain ", 7) == 0) {
        publish.retain = true;
        rest += 7;
    }
    if (strncmp(rest, "text ", 5) == 0) {
        publish.text = true;
        rest += 5;
    }
    if (strncmp(rest, "alias ", 6) == 0) {
        rest += 6;
        publish.alias = (uint16_t)next_number(&rest);
    }
    uint8_t *bytes = play->payload_bytes[token];
    play->payloads[token].data = bytes;
    play->payloads[token].size = next_bytes(play, &rest, true, bytes, TEXT_MAX);
    publish.payload_size = (uint32_t)play->payloads[token].size;
    play->result = dun_mqtt_send_publish(&play->session, &publish, (uint16_t)token, play->now);
}

static void expect_output(struct play *play, char *rest)
{
    static uint8_t wanted[BYTES_MAX];
    size_t size = next_bytes(play, &rest, true, wanted, sizeof wanted);
    if (size > play->out_size || memcmp(wanted, play->out, size) != 0) {
        char got[TEXT_MAX];
        size_t at = 0;
        for (size_t i = 0; i < play->out_size && i < 64; i++) {
            at = put_text(got, at, " %02x", play->out[i]);
        }
        fail(play, "other bytes went out:%s", play->out_size > 0 ? got : " none");
        return;
    }
    play->out_size -= size;
    memmove(play->out, play->out + size, play->out_size);
}

static void expect_event(struct play *play, const char *wanted)
{
    if (play->event_next == play->event_count) {
        fail(play, "no event, wanted: %s", wanted);
    } else if (strcmp(play->events[play->event_next], wanted) != 0) {
        fail(play, "other event: %s", play->events[play->event_next]);
    } else {
        play->event_next++;
    }
    if (play->event_next == play->event_count) {
        play->event_next = play->event_count = 0;
    }
}

static void expect_number(struct play *play, const char *what, int64_t got, int64_t wanted)
{
    if (got != wanted) {
        fail(play, "%s is %lld", what, (long long)got);
    }
}

static void expect_deadline(struct play *play, const char *wanted)
{
    dun_ms deadline = dun_mqtt_deadline(&play->session);
    bool never = strcmp(wanted, "never") == 0;
    if (never || deadline == DUN_MS_NEVER) {
        expect_number(play, "deadline", deadline == DUN_MS_NEVER, never);
    } else {
        expect_number(play, "deadline", deadline - play->now, strtoll(wanted, NULL, 10));
    }
}

static void expect_state(struct play *play, const char *wanted)
{
    static const char *const names[] = {"idle", "connecting", "up", "leaving", "closed"};
    if (strcmp(names[play->session.state], wanted) != 0) {
        fail(play, "state is %s", names[play->session.state]);
    }
}

/* Settings, before connect. True: it was one. */
static bool setting(struct play *play, const char *word, char *rest)
{
    if (strcmp(word, "slots") == 0) {
        play->slot_count = (uint16_t)next_number(&rest);
    } else if (strcmp(word, "rx") == 0) {
        play->rx_size = (size_t)next_number(&rest);
    } else if (strcmp(word, "tx") == 0) {
        play->tx_size = (size_t)next_number(&rest);
    } else if (strcmp(word, "keepalive") == 0) {
        play->connect.keepalive_s = (uint16_t)next_number(&rest);
    } else if (strcmp(word, "connect_timeout") == 0) {
        play->times.connack_deadline = next_number(&rest);
    } else if (strcmp(word, "version") == 0) {
        play->connect.version = next_number(&rest) == 5 ? DUN_MQTT_5 : DUN_MQTT_3_1_1;
    } else if (strcmp(word, "expiry") == 0) {
        play->connect.session_expiry_s = (uint32_t)next_number(&rest);
    } else if (strcmp(word, "clean") == 0) {
        play->connect.clean_start = next_number(&rest) != 0;
    } else if (strcmp(word, "id") == 0) {
        play->connect.client_id = next_string(play, &rest, 0);
    } else if (strcmp(word, "username") == 0) {
        play->connect.username = next_string(play, &rest, 1);
    } else if (strcmp(word, "password") == 0) {
        play->connect.password = next_string(play, &rest, 2);
    } else if (strcmp(word, "will") == 0) {
        play->connect.will_topic = next_string(play, &rest, 3);
        play->connect.will_payload = next_string(play, &rest, 5);
        play->connect.will_qos = 1;
        play->connect.will_retain = true;
    } else {
        return false;
    }
    return true;
}

/* What is expected after what went before. True: it was such a line. */
static bool expectation(struct play *play, const char *word, char *rest)
{
    if (strcmp(word, ">") == 0) {
        expect_output(play, rest);
    } else if (strcmp(word, "event") == 0) {
        expect_event(play, skip_space(rest));
    } else if (strcmp(word, "result") == 0) {
        if (strcmp(next_word(&rest), error_name(play->result)) != 0) {
            fail(play, "result is %s", error_name(play->result));
        }
        play->result = DUN_OK;
    } else if (strcmp(word, "state") == 0) {
        expect_state(play, next_word(&rest));
    } else if (strcmp(word, "deadline") == 0) {
        expect_deadline(play, next_word(&rest));
    } else if (strcmp(word, "unmatched") == 0) {
        expect_number(play, word, play->session.stats.unmatched_acks, next_number(&rest));
    } else if (strcmp(word, "skipped") == 0) {
        expect_number(play, word, play->session.stats.skipped_messages, next_number(&rest));
    } else {
        return false;
    }
    return true;
}

/* What the driver does. */
static void action(struct play *play, const char *word, char *rest)
{
    static uint8_t input[BYTES_MAX];
    if (strcmp(word, "<") == 0) {
        size_t size = next_bytes(play, &rest, true, input, sizeof input);
        feed(play, (struct dun_span){input, size});
    } else if (strcmp(word, "connect") == 0) {
        do_connect(play);
    } else if (strcmp(word, "up") == 0) {
        do_up(play, strcmp(skip_space(rest), "present") == 0);
    } else if (strcmp(word, "publish") == 0) {
        do_publish(play, rest);
    } else if (strcmp(word, "subscribe") == 0) {
        struct dun_span filter = next_string(play, &rest, 4);
        play->result = dun_mqtt_send_subscribe(&play->session, filter, 1, play->now);
    } else if (strcmp(word, "disconnect") == 0) {
        dun_mqtt_send_disconnect(&play->session, 0);
    } else if (strcmp(word, "lost") == 0) {
        dun_mqtt_lost(&play->session);
    } else if (strcmp(word, "wait") == 0) {
        play->now += next_number(&rest);
        dun_mqtt_tick(&play->session, play->now);
    } else if (strcmp(word, "room") == 0) {
        char *room = next_word(&rest);
        play->room = strcmp(room, "all") == 0 ? SIZE_MAX : (size_t)strtoul(room, NULL, 10);
    } else if (strcmp(word, "next_id") == 0) {
        play->session.next_id = (uint16_t)next_number(&rest);
        play->session.ids_clear = 0;
    } else {
        fail(play, "unknown word: %s", word);
    }
    turn(play);
}

static void play_line(struct play *play, char *line)
{
    char *end = line + strlen(line);
    while (end > line && isspace((unsigned char)end[-1])) {
        *--end = '\0';
    }
    if (*skip_space(line) == '\0' || *line == '#') {
        return;
    }
    char *rest = line;
    const char *word = next_word(&rest);
    if (expectation(play, word, rest)) {
        return;
    }
    if (play->result != DUN_OK) {
        fail(play, "the call before failed: %s", error_name(play->result));
    }
    if (!setting(play, word, rest)) {
        action(play, word, rest);
    }
}

/// Playing ///

/* Plays the file once. Returns the bytes of input it has, 0 after a failure. */
static size_t play_file(struct play *play, const char *file, size_t cut)
{
    char line[LINE_MAX_];
    FILE *stream = fopen(file, "r");
    memset(play, 0, sizeof *play);
    play->file = file;
    play->cut = cut;
    play->slot_count = 4;
    play->rx_size = 64;
    play->tx_size = 256;
    play->room = SIZE_MAX;
    play->now = 1000;
    play->connect.client_id = (struct dun_span){(const uint8_t *)"d", 1};
    if (stream == NULL) {
        fail(play, "cannot be opened");
        return 0;
    }
    while (!play->failed && fgets(line, sizeof line, stream) != NULL) {
        play->line++;
        play_line(play, line);
    }
    fclose(stream);
    if (play->event_next != play->event_count) {
        fail(play, "event not expected: %s", play->events[play->event_next]);
    }
    if (play->out_size > 0) {
        expect_output(play, (char[]){"00*65536"});
    }
    return play->failed ? 0 : play->fed + 1;
}

int main(int argc, char **argv)
{
    static struct play play;
    for (int i = 1; i < argc; i++) {
        size_t size = play_file(&play, argv[i], 0);
        if (size == 0) {
            return 1;
        }
        for (size_t cut = 1; cut < size - 1; cut++) {
            if (play_file(&play, argv[i], cut) == 0) {
                return 1;
            }
        }
        if (play_file(&play, argv[i], EACH_BYTE) == 0) {
            return 1;
        }
        printf("%s: %zu cuts\n", argv[i], size - 1);
    }
    return argc > 1 ? 0 : 2;
}

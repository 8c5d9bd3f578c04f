/*
 * secure.c: see secure.h. The file of the last time known is replaced as a whole, so that a cut of
 * power leaves the old one or the new one; one that cannot be read counts as none.
 */
#define _GNU_SOURCE
#include "secure.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system.h"

#define KEEP_EVERY_MS 3600000
#define HEX_MAX       (2 * DUN_TLS_PSK_MAX)

/* Seconds since 1970, given by hosted.cmake; a build that does not tell is younger than this. */
#ifndef DUN_BUILD_TIME
#define DUN_BUILD_TIME 1767225600
#endif

static void say_file(enum dun_say_level level, const char *message, const char *path, int error)
{
    struct dun_say say;
    dun_say_begin(&say, level, message);
    dun_say_text(&say, "path", path);
    if (error != DUN_OK) {
        dun_say_text(&say, "error", dun_say_error(error));
    }
    dun_say_end(&say, dun_system_uptime(), dun_system_unix());
}

/// Secrets ///

/* False: systemd placed no such credential. */
static bool credential_path(const char *name, char *out, size_t size)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    return folder != NULL && strlen(folder) < DUN_TEXT_MAX &&
           snprintf(out, size, "%s/%s", folder, name) < (int)size && access(out, F_OK) == 0;
}

int dun_secure_secret(const char *asked, const char *name, struct dun_buffer out,
                      const char *unusable, const char *exposed)
{
    char path[DUN_SECURE_PATH_MAX];
    bool open_to_others = false;
    bool by_us = asked[0] != '\0';
    if (by_us) {
        snprintf(path, sizeof path, "%s", asked);
    } else if (!credential_path(name, path, sizeof path)) {
        return DUN_E_NOT_FOUND;
    }
    int size = dun_system_secret(path, out.data, out.size, &open_to_others);
    if (size < 0) {
        say_file(DUN_SAY_ERROR, unusable, path, size);
    } else if (open_to_others && by_us) {
        say_file(DUN_SAY_WARNING, exposed, path, DUN_OK);
    }
    return size;
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    int letter = c | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* The key in hexadecimal, as mosquitto_pub --psk takes it. */
static int load_psk(struct dun_secure *secure, const struct dun_config *config)
{
    uint8_t text[HEX_MAX + 1];
    int size = dun_secure_secret(config->psk_file, "mqtt-psk", (struct dun_buffer){text, HEX_MAX},
                                 "the PSK file cannot be used",
                                 "others may read the PSK file, chmod 600 it");
    if (size < 0) {
        if (config->psk_file[0] == '\0' && size == DUN_E_NOT_FOUND) {
            say_file(DUN_SAY_ERROR, "there is no key for psk_identity, give psk_file", "mqtt-psk",
                     DUN_OK);
        }
        return size;
    }
    bool hex = size > 0 && size % 2 == 0;
    for (int i = 0; hex && i < size; i++) {
        hex = digit(text[i]) >= 0;
    }
    for (int i = 0; hex && i < size; i += 2) {
        secure->psk[i / 2] = (uint8_t)(digit(text[i]) * 16 + digit(text[i + 1]));
    }
    explicit_bzero(text, sizeof text);
    if (!hex) {
        const char *path = config->psk_file[0] != '\0' ? config->psk_file : "mqtt-psk";
        say_file(DUN_SAY_ERROR, "the PSK file must hold 2 to 128 hexadecimal digits", path, DUN_OK);
        return DUN_E_INVALID;
    }
    secure->tls.psk = (struct dun_span){secure->psk, (size_t)size / 2};
    return DUN_OK;
}

static int load_key(struct dun_secure *secure, const struct dun_config *config)
{
    int size = dun_secure_secret(
        config->key_password_file, "mqtt-key-password",
        (struct dun_buffer){secure->key_password, sizeof secure->key_password - 1},
        "the file with the password of the key cannot be used",
        "others may read the file with the password of the key, chmod 600 it");
    if (size == DUN_E_NOT_FOUND && config->key_password_file[0] == '\0') {
        size = 0;
    }
    if (size < 0) {
        return size;
    }
    secure->key_password[size] = '\0';
    secure->tls.key_password = (struct dun_span){secure->key_password, (size_t)size};
    secure->tls.cert_file = config->cert_file;
    secure->tls.key_file = config->key_file;
    if (config->cert_file[0] != '\0' && config->key_file[0] == '\0') {
        if (!credential_path("mqtt-key", secure->key_file, sizeof secure->key_file)) {
            say_file(DUN_SAY_ERROR, "there is no key for the client certificate, give key",
                     config->cert_file, DUN_OK);
            return DUN_E_NOT_FOUND;
        }
        secure->tls.key_file = secure->key_file;
    }
    return DUN_OK;
}

/// The last time known ///

static dun_ms read_known(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    int64_t seconds = 0;
    text[size > 0 && text[size - 1] == '\n' ? size - 1 : size > 0 ? size : 0] = '\0';
    if (dun_value_integer(text, &seconds) != DUN_OK || seconds < 0 || seconds > INT64_MAX / 1000) {
        say_file(DUN_SAY_WARNING, "the last time known cannot be read, taking the build's", path,
                 DUN_OK);
        return 0;
    }
    return seconds * 1000;
}

static bool write_known(const char *path, dun_ms unix_ms)
{
    char draft[DUN_SECURE_PATH_MAX + 8];
    char text[32];
    snprintf(draft, sizeof draft, "%s.new", path);
    int size = snprintf(text, sizeof text, "%lld\n", (long long)(unix_ms / 1000));
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return false;
    }
    bool ok = write(fd, text, (size_t)size) == size && fsync(fd) == 0;
    ok = close(fd) == 0 && ok && rename(draft, path) == 0;
    return ok;
}

static void keep_time(struct dun_secure *secure, const struct dun_tls_report *report,
                      dun_ms unix_ms)
{
    /* With a PSK nobody vouches for a time. A certificate's begin is past in any case. */
    dun_ms known = report->clock_unset ? report->good_from_ms : unix_ms;
    if (!report->up || report->good_until_ms == DUN_MS_NEVER || known > report->good_until_ms ||
        known < secure->tls.earliest_unix_ms || known < secure->saved_ms + KEEP_EVERY_MS) {
        return;
    }
    if (write_known(secure->known_path, known)) {
        secure->tls.earliest_unix_ms = known;
    } else {
        say_file(DUN_SAY_WARNING, "the last time known cannot be kept", secure->known_path, DUN_OK);
    }
    secure->saved_ms = known; /* or tried in vain: not again before the hour is over */
}

/// Begin ///

static int begin(struct dun_secure *secure, const struct dun_config *config)
{
    const dun_ms built_ms = (dun_ms)DUN_BUILD_TIME * 1000;
    secure->tls = (struct dun_tls_config){
        .enabled = true,
        .ca_file = config->ca_file,
        .ca_folder = config->ca_folder,
        .alpn = config->alpn,
        .fragment_max = (uint16_t)config->fragment_max,
        .unset_clock = (uint8_t)config->unset_clock,
    };
    snprintf(secure->known_path, sizeof secure->known_path, "%s/known-time", config->state);
    secure->saved_ms = read_known(secure->known_path);
    secure->tls.earliest_unix_ms = secure->saved_ms > built_ms ? secure->saved_ms : built_ms;
    if (config->psk_identity[0] != '\0') {
        secure->tls.psk_identity = config->psk_identity;
        return load_psk(secure, config);
    }
    return load_key(secure, config);
}

/// Words ///

struct words {
    const char *what;
    const char *remedy;
};

static const struct words words[] = {
    [DUN_TLS_NO_TROUBLE] = {NULL, NULL},
    [DUN_TLS_WRONG_NAME] = {"wrong host name", "connect by a name that the certificate has"},
    [DUN_TLS_EXPIRED] = {"expired", "renew the broker's certificate, or set this clock"},
    [DUN_TLS_NOT_YET_VALID] = {"not yet valid", "set this clock; the certificate begins later"},
    [DUN_TLS_CLOCK_UNSET] = {"clock not set", "set this clock, or [tls] unset_clock = grace"},
    [DUN_TLS_UNKNOWN_CA] = {"unknown authority", "name the one that signed with [tls] cafile"},
    [DUN_TLS_BAD_CERT] = {"bad certificate",
                          "its key or signature is weak, or it is not for servers"},
    [DUN_TLS_REFUSED] = {"refused", NULL},
    [DUN_TLS_NOT_TLS] = {"not TLS", "this port speaks something else; TLS is usually on 8883"},
    [DUN_TLS_NO_ANSWER] = {"no answer", "a port without TLS closes like this; try 8883"},
    [DUN_TLS_CUT] = {"cut off", "the connection ended in the handshake"},
    [DUN_TLS_STALLED] = {"stalled", "the handshake came to a halt"},
    [DUN_TLS_OLD_VERSION] = {"version", "the broker must speak TLS 1.2"},
    [DUN_TLS_NO_COMMON] = {"nothing in common",
                           "the broker must speak TLS 1.2 with ECDHE and AES-GCM or ChaCha20"},
    [DUN_TLS_BROKEN] = {"broken", "what the broker sent breaks the protocol"},
    [DUN_TLS_CREDENTIALS] = {"credentials", "a file of [tls] cannot be used, see above"},
    [DUN_TLS_MEMORY] = {"memory", "a connection needs about 40 KB"},
    [DUN_TLS_NO_ENTROPY] = {"no entropy", "the kernel has no randomness yet"},
};

static const struct {
    uint8_t alert; /* RFC 5246 7.2, RFC 6066, RFC 7301, RFC 4279 */
    struct words words;
} alerts[] = {
    {20, {"bad record mac", "with a PSK: another key"}},
    {40, {"handshake failure", "it may want a client certificate: [tls] cert and key"}},
    {42, {"bad certificate", "it does not take our client certificate"}},
    {43, {"unsupported certificate", "it does not take our client certificate"}},
    {44, {"certificate revoked", "our client certificate was revoked"}},
    {45, {"certificate expired", "our client certificate has expired"}},
    {46, {"certificate unknown", "it does not take our client certificate"}},
    {48, {"unknown ca", "it does not know who signed our client certificate"}},
    {49, {"access denied", "it does not take our client certificate"}},
    {51, {"decrypt error", "another key, of the certificate or PSK"}},
    {70, {"protocol version", "the broker must speak TLS 1.2"}},
    {71, {"insufficient security", "it asks for stronger keys or ciphers"}},
    {80, {"internal error", "see the broker's log"}},
    {112, {"unrecognized name", "it serves no host of this name"}},
    {115, {"unknown psk identity", "it does not know [tls] psk_identity"}},
    {116, {"certificate required", "it wants a client certificate: [tls] cert and key"}},
    {120, {"no application protocol", "it does not take [tls] alpn"}},
};

static void say_alert(struct dun_say *say, uint8_t alert)
{
    struct words told = {"unknown", "see the broker's log"};
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
        if (alerts[i].alert == alert) {
            told = alerts[i].words;
        }
    }
    dun_say_number(say, "alert", alert);
    dun_say_text(say, "alert_name", told.what);
    dun_say_text(say, "remedy", told.remedy);
}

static void say_trouble(struct dun_say *say, const struct dun_tls_report *report)
{
    size_t trouble = report->trouble;
    if (trouble == DUN_TLS_NO_TROUBLE || trouble >= sizeof words / sizeof words[0]) {
        return;
    }
    dun_say_text(say, "tls", words[trouble].what);
    if (trouble == DUN_TLS_REFUSED) {
        say_alert(say, report->alert);
    } else {
        dun_say_text(say, "remedy", words[trouble].remedy);
    }
}

static void say_up(struct dun_say *say, const struct dun_tls_report *report)
{
    if (report->up) {
        dun_say_text(say, "tls", report->version != NULL ? report->version : "yes");
        dun_say_text(say, "cipher", report->cipher != NULL ? report->cipher : "unknown");
        dun_say_text(say, "resumed", report->resumed ? "yes" : "no");
    }
}

const struct dun_secure_calls dun_secure_calls = {
    .begin = begin,
    .keep_time = keep_time,
    .say_trouble = say_trouble,
    .say_up = say_up,
};

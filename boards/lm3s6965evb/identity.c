/* identity.c: see identity.h. Nothing of the block is trusted before its check passed. */
#include "identity.h"

#include <stddef.h>
#include <string.h>

#include "agent.h"
#include "bytes.h"
#include "crc32c.h"

#define HEAD_SIZE 16u /* "DUNLINID", size, CRC-32C of the text */
#define TEXT_MAX  (DUN_IDENTITY_SIZE - HEAD_SIZE)
#define DAY_MS    (24u * 3600 * 1000)

static const char magic[8] = {'D', 'U', 'N', 'L', 'I', 'N', 'I', 'D'};

/// Values ///

static bool parse_number(const char *text, uint32_t max, uint32_t *number)
{
    uint64_t value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > max) {
            return false;
        }
        value = value * 10 + (uint32_t)(*text - '0');
    }
    *number = (uint32_t)value;
    return value <= max;
}

/* Dotted quad, in network order. */
static bool parse_address(const char *text, uint32_t *address)
{
    uint8_t bytes[4];
    for (int i = 0; i < 4; i++) {
        char part[4] = "";
        size_t size = strcspn(text, ".");
        uint32_t number;
        if (size >= sizeof part || (text[size] == '.') != (i < 3)) {
            return false;
        }
        memcpy(part, text, size);
        if (!parse_number(part, 255, &number)) {
            return false;
        }
        bytes[i] = (uint8_t)number;
        text += size + 1;
    }
    memcpy(address, bytes, sizeof bytes);
    return true;
}

static bool parse_hardware(const char *text, uint8_t hardware[6])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 12; i++) {
        const char *digit = *text != '\0' ? strchr(digits, *text++) : NULL;
        if (digit == NULL) {
            return false;
        }
        hardware[i / 2] = (uint8_t)(hardware[i / 2] << 4 | (digit - digits));
    }
    return *text == '\0' && (hardware[0] & 1) == 0; /* not a group address */
}

/// Keys ///

static const struct {
    const char *key;
    size_t offset;
} texts[] = {
    {"device", offsetof(struct dun_identity, device)},
    {"fleet", offsetof(struct dun_identity, fleet)},
    {"host", offsetof(struct dun_identity, host)},
    {"user", offsetof(struct dun_identity, user)},
    {"password", offsetof(struct dun_identity, password)},
    {"ntp", offsetof(struct dun_identity, ntp)},
};

static const struct {
    const char *key;
    size_t offset;
} addresses[] = {
    {"address", offsetof(struct dun_identity, address)},
    {"mask", offsetof(struct dun_identity, mask)},
    {"gateway", offsetof(struct dun_identity, gateway)},
    {"dns", offsetof(struct dun_identity, dns)},
};

static bool set_number(struct dun_identity *identity, const char *key, const char *value)
{
    uint32_t number = 0;
    if (strcmp(key, "log_kib") == 0) {
        return parse_number(value, 1024 * 1024, &identity->log_kib) && identity->log_kib >= 16;
    }
    if (strcmp(key, "interval_ms") == 0) {
        return parse_number(value, DAY_MS, &identity->interval_ms);
    }
    if (strcmp(key, "reconnect_max_ms") == 0) {
        return parse_number(value, DAY_MS, &identity->reconnect_max_ms);
    }
    if (strcmp(key, "batch_age_ms") == 0) {
        return parse_number(value, DAY_MS, &identity->batch_age_ms);
    }
    if (strcmp(key, "stored_wait_ms") == 0) {
        return parse_number(value, DAY_MS, &identity->stored_wait_ms);
    }
    if (strcmp(key, "ack") == 0) {
        identity->ack_stored = strcmp(value, "stored") == 0;
        return identity->ack_stored || strcmp(value, "published") == 0;
    }
    if (strcmp(key, "remote") == 0) {
        bool ok = parse_number(value, 1, &number);
        identity->remote = number != 0;
        return ok;
    }
    bool ok = parse_number(value, 65535, &number);
    if (strcmp(key, "port") == 0) {
        identity->port = (uint16_t)number;
    } else if (strcmp(key, "keepalive") == 0) {
        identity->keepalive_s = (uint16_t)number;
    } else {
        return false;
    }
    return ok;
}

static bool set(struct dun_identity *identity, const char *key, const char *value)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(key, texts[i].key) == 0) {
            char *text = (char *)identity + texts[i].offset;
            size_t size = strlen(value);
            if (size >= sizeof identity->device) {
                return false;
            }
            memcpy(text, value, size + 1);
            return true;
        }
    }
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        if (strcmp(key, addresses[i].key) == 0) {
            uint32_t address;
            bool ok = parse_address(value, &address);
            memcpy((char *)identity + addresses[i].offset, &address, ok ? sizeof address : 0);
            return ok;
        }
    }
    return strcmp(key, "hardware") == 0 ? parse_hardware(value, identity->hardware)
                                        : set_number(identity, key, value);
}

/* `text` is cut into its lines in place. */
static int parse(struct dun_identity *identity, char *text, const char **what)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        char *next = text[size] == '\n' ? text + size + 1 : text + size;
        text[size] = '\0';
        char *equals = strchr(text, '=');
        if (equals != NULL) {
            *equals = '\0';
        }
        *what = text;
        bool empty = *text == '\0' && equals == NULL;
        if (!empty && (equals == NULL || !set(identity, text, equals + 1))) {
            return DUN_E_INVALID;
        }
        text = next;
    }
    *what = "device";
    if (!dun_agent_name_ok(identity->device)) {
        return DUN_E_INVALID;
    }
    *what = "host";
    return identity->host[0] != '\0' ? DUN_OK : DUN_E_INVALID;
}

void dun_identity_default(struct dun_identity *identity)
{
    *identity = (struct dun_identity){.device = "unprovisioned",
                                      .fleet = "default",
                                      .port = 1883,
                                      .keepalive_s = 60,
                                      .remote = true,
                                      .log_kib = 1024,
                                      .interval_ms = 5000,
                                      .batch_age_ms = 10000,
                                      .reconnect_max_ms = 300000};
}

int dun_identity_parse(struct dun_identity *identity, uint8_t block[DUN_IDENTITY_SIZE + 1],
                       const char **what)
{
    dun_identity_default(identity);
    identity->device[0] = '\0';
    *what = "provisioning block";
    uint32_t size = dun_get32(block + 8);
    if (memcmp(block, magic, sizeof magic) != 0) {
        return DUN_E_NOT_FOUND;
    }
    if (size > TEXT_MAX || dun_crc32c(0, block + HEAD_SIZE, size) != dun_get32(block + 12)) {
        return DUN_E_CORRUPT;
    }
    block[HEAD_SIZE + size] = '\0';
    return parse(identity, (char *)block + HEAD_SIZE, what);
}

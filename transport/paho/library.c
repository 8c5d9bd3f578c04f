/*
 * library.c: the worker of the Paho uplink, and what the library's threads call back.
 *
 * The worker does one job after the other: end the old connection, free its handle, make the next
 * one. A handle, and with it the session, lives on only if nothing was in flight when its
 * connection ended. Otherwise the library would send again what it holds, beside the agent which
 * does so too: what had not been written yet would overtake the rest, and what the socket does not
 * take at once it would never send. So a new session begins then, and the agent publishes its
 * messages in it.
 *
 * Each publish that the library took is called back exactly once: acknowledged, refused, or failed.
 */
#include "paho/library.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mqtt/packet.h"

#define HANG_UP_MAX_MS 1000
#define SETTLE_MS      20
#define CONNECT_MAX_S  (24 * 3600) /* the uplink's own time-out comes first */
#define NO_LIMIT       65535

/// What happened, with the mutex held ///

void dun_paho_wake(struct dun_uplink_paho *uplink)
{
    if (!uplink->woken) {
        ssize_t written = write(uplink->wake_write, "", 1);
        uplink->woken = written == 1;
    }
}

void dun_paho_ended(struct dun_uplink_paho *uplink, int error, uint8_t reason)
{
    if (uplink->live && !uplink->ended) {
        uplink->ended = true;
        uplink->error = error;
        uplink->reason = reason;
        dun_paho_wake(uplink);
    }
}

void dun_paho_push_ack(struct dun_uplink_paho *uplink, struct dun_uplink_paho_slot *slot)
{
    uint16_t index = (uint16_t)(slot - uplink->parts.slots);
    slot->next = DUN_PAHO_NONE;
    if (uplink->ack_first == DUN_PAHO_NONE) {
        uplink->ack_first = index;
    } else {
        uplink->parts.slots[uplink->ack_last].next = index;
    }
    uplink->ack_last = index;
    dun_paho_wake(uplink);
}

/// Publishes ///

/* True if the slot's connection is the one that the agent knows of. Otherwise the slot is free now,
 * and the message is the agent's to publish again. */
static bool belongs(struct dun_uplink_paho_slot *slot)
{
    slot->state = slot->uplink->live ? slot->state : DUN_UPLINK_PAHO_FREE;
    return slot->uplink->live;
}

static void on_acked(struct dun_uplink_paho_slot *slot, uint8_t reason)
{
    struct dun_uplink_paho *uplink = slot->uplink;
    pthread_mutex_lock(&uplink->mutex);
    if (belongs(slot)) {
        slot->state = DUN_UPLINK_PAHO_ACKED;
        slot->reason = reason;
        dun_paho_push_ack(uplink, slot);
    }
    pthread_mutex_unlock(&uplink->mutex);
}

/* The library gave up on it: so does the connection, if it did not yet, for the agent has to
 * publish it again before what comes after it. */
static void on_failed(struct dun_uplink_paho_slot *slot)
{
    struct dun_uplink_paho *uplink = slot->uplink;
    pthread_mutex_lock(&uplink->mutex);
    if (belongs(slot)) {
        dun_paho_ended(uplink, DUN_E_CLOSED, 0);
        slot->state = DUN_UPLINK_PAHO_FREE;
    }
    pthread_mutex_unlock(&uplink->mutex);
}

static void published(void *context, MQTTAsync_successData *data)
{
    (void)data;
    on_acked(context, 0);
}

static void published5(void *context, MQTTAsync_successData5 *data)
{
    on_acked(context, (uint8_t)data->reasonCode);
}

static void not_published(void *context, MQTTAsync_failureData *data)
{
    (void)data;
    on_failed(context);
}

static void not_published5(void *context, MQTTAsync_failureData5 *data)
{
    if ((int)data->reasonCode >= DUN_MQTT_FAILURE) {
        on_acked(context, (uint8_t)data->reasonCode);
    } else {
        on_failed(context);
    }
}

static int send_error(int code)
{
    switch (code) {
    case MQTTASYNC_SUCCESS:
        return DUN_OK;
    case MQTTASYNC_BAD_UTF8_STRING:
        return DUN_E_INVALID;
    case MQTTASYNC_NO_MORE_MSGIDS:
    case MQTTASYNC_MAX_BUFFERED_MESSAGES:
        return DUN_E_AGAIN;
    default:
        return DUN_E_CLOSED;
    }
}

static void add_number(MQTTProperties *properties, enum MQTTPropertyCodes id, uint32_t value)
{
    MQTTProperty property = {.identifier = id};
    if (id == MQTTPROPERTY_CODE_PAYLOAD_FORMAT_INDICATOR) {
        property.value.byte = (unsigned char)value;
    } else {
        property.value.integer4 = value;
    }
    if (value != 0) {
        MQTTProperties_add(properties, &property);
    }
}

static void add_content_type(MQTTProperties *properties, const char *text)
{
    union { /* the library copies it, and declares it without const */
        const char *ours;
        char *theirs;
    } data = {.ours = text};
    MQTTProperty property = {.identifier = MQTTPROPERTY_CODE_CONTENT_TYPE};
    if (text != NULL && text[0] != '\0') {
        property.value.data = (MQTTLenString){.len = (int)strlen(text), .data = data.theirs};
        MQTTProperties_add(properties, &property);
    }
}

int dun_paho_send(struct dun_uplink_paho *uplink, const struct dun_message *message, bool retain,
                  struct dun_uplink_paho_slot *slot)
{
    bool v5 = uplink->version == DUN_MQTT_5;
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    MQTTAsync_message sent = MQTTAsync_message_initializer;
    sent.payload = uplink->parts.payload.data;
    sent.payloadlen = (int)message->payload.size;
    sent.qos = message->qos;
    sent.retained = retain;
    if (v5) {
        add_number(&sent.properties, MQTTPROPERTY_CODE_PAYLOAD_FORMAT_INDICATOR, message->text);
        add_number(&sent.properties, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL, message->expiry_s);
        add_content_type(&sent.properties, message->content_type);
    }
    if (slot != NULL) {
        response.context = slot;
        response.onSuccess = v5 ? NULL : published;
        response.onFailure = v5 ? NULL : not_published;
        response.onSuccess5 = v5 ? published5 : NULL;
        response.onFailure5 = v5 ? not_published5 : NULL;
    }
    int code = MQTTAsync_sendMessage(uplink->handle, message->topic, &sent, &response);
    MQTTProperties_free(&sent.properties);
    return send_error(code);
}

/// Subscriptions and messages ///

static void on_subscribed(struct dun_uplink_paho *uplink)
{
    pthread_mutex_lock(&uplink->mutex);
    uplink->subscribing = false;
    uplink->writable_due = true;
    dun_paho_wake(uplink);
    pthread_mutex_unlock(&uplink->mutex);
}

static void subscribed(void *context, MQTTAsync_successData *data)
{
    (void)data;
    on_subscribed(context);
}

static void subscribed5(void *context, MQTTAsync_successData5 *data)
{
    (void)data;
    on_subscribed(context);
}

static void not_subscribed(void *context, MQTTAsync_failureData *data)
{
    (void)data;
    on_subscribed(context);
}

static void not_subscribed5(void *context, MQTTAsync_failureData5 *data)
{
    (void)data;
    on_subscribed(context);
}

int dun_paho_subscribe(struct dun_uplink_paho *uplink, const char *filter, uint8_t qos)
{
    bool v5 = uplink->version == DUN_MQTT_5;
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.context = uplink;
    response.onSuccess = v5 ? NULL : subscribed;
    response.onFailure = v5 ? NULL : not_subscribed;
    response.onSuccess5 = v5 ? subscribed5 : NULL;
    response.onFailure5 = v5 ? not_subscribed5 : NULL;
    return send_error(MQTTAsync_subscribe(uplink->handle, filter, qos, &response));
}

void dun_paho_free_inbound(struct dun_uplink_paho_inbound *inbound)
{
    if (inbound->message != NULL) {
        MQTTAsync_freeMessage(&inbound->message);
        MQTTAsync_free(inbound->topic);
        inbound->topic = NULL;
    }
}

/* Takes a message over from the library, without a copy. 0: not now; it is offered again when the
 * socket has something to read. */
static int arrived(void *context, char *topic, int topic_size, MQTTAsync_message *message)
{
    struct dun_uplink_paho *uplink = context;
    struct dun_uplink_paho_inbound inbound = {topic, message};
    size_t size = strlen(topic) + (size_t)message->payloadlen;
    bool nul_within = topic_size > 0 && (size_t)topic_size != strlen(topic);
    bool unwanted = nul_within || size > uplink->parts.inbound_max;
    bool taken = false;
    pthread_mutex_lock(&uplink->mutex);
    uplink->stats.skipped_messages += uplink->live && unwanted;
    unwanted |= !uplink->live || uplink->ended;
    if (!unwanted && uplink->inbound_count < DUN_UPLINK_PAHO_MESSAGES_MAX) {
        unsigned at = uplink->inbound_first + uplink->inbound_count++;
        uplink->inbound[at % DUN_UPLINK_PAHO_MESSAGES_MAX] = inbound;
        dun_paho_wake(uplink);
        taken = true;
    }
    pthread_mutex_unlock(&uplink->mutex);
    if (unwanted) {
        dun_paho_free_inbound(&inbound);
        taken = true;
    }
    return taken;
}

/// The connection ///

static uint32_t number(MQTTProperties *properties, enum MQTTPropertyCodes id, uint32_t otherwise)
{
    bool there = properties != NULL && MQTTProperties_hasProperty(properties, id);
    return there ? (uint32_t)MQTTProperties_getNumericValue(properties, id) : otherwise;
}

/* True if the connection must be made anew, before the agent hears of it, with the keepalive that
 * the broker names: the library leaves that to us (v5 3.2.2.3.14). */
static bool pings_too_late(const struct dun_uplink_paho *uplink)
{
    uint16_t most = uplink->server_keepalive_s;
    return most != 0 && (uplink->keepalive_s == 0 || most < uplink->keepalive_s);
}

/* `properties` NULL: 3.1.1. */
static void on_connected(struct dun_uplink_paho *uplink, bool present, MQTTProperties *properties)
{
    dun_paho_overhear(NULL);
    pthread_mutex_lock(&uplink->mutex);
    uplink->connecting = false;
    uplink->has_session = true;
    uplink->session_broken = false;
    uplink->terms.packet_max =
        number(properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, UINT32_MAX);
    uplink->terms.qos_max = (uint8_t)number(properties, MQTTPROPERTY_CODE_MAXIMUM_QOS, 2);
    uplink->terms.retain = number(properties, MQTTPROPERTY_CODE_RETAIN_AVAILABLE, 1) != 0;
    uplink->receive_max = (uint16_t)number(properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, NO_LIMIT);
    uplink->server_keepalive_s =
        (uint16_t)number(properties, MQTTPROPERTY_CODE_SERVER_KEEP_ALIVE, 0);
    uplink->session_present = present;
    if (present && uplink->clean) {
        dun_paho_ended(uplink, DUN_E_PROTOCOL, 0); /* 3.2.2-2 */
    } else if (uplink->live && pings_too_late(uplink)) {
        uplink->farewell = DUN_MQTT_SUCCESS;
        uplink->hang_up_wanted = true;
        uplink->connect_wanted = true;
        pthread_cond_broadcast(&uplink->changed);
    } else if (uplink->live && !uplink->ended) {
        uplink->up_due = true;
        dun_paho_wake(uplink);
    }
    pthread_mutex_unlock(&uplink->mutex);
}

static void connected(void *context, MQTTAsync_successData *data)
{
    on_connected(context, data->alt.connect.sessionPresent != 0, NULL);
}

static void connected5(void *context, MQTTAsync_successData5 *data)
{
    on_connected(context, data->alt.connect.sessionPresent != 0, &data->properties);
}

/* What the library tells of a failed connect: a CONNACK's reason as a positive code, otherwise
 * hardly more than a sentence. */
static int connect_error(const struct dun_uplink_paho *uplink, int code, const char *message)
{
    if (code > 0) {
        bool old_broker = code == DUN_MQTT_OLD_VERSION || code == DUN_MQTT_VERSION_REFUSED;
        return uplink->version == DUN_MQTT_5 && old_broker ? DUN_E_UNSUPPORTED : DUN_E_REFUSED;
    }
    int tls_error = atomic_load(&uplink->tls_error);
    if (tls_error != DUN_OK) {
        return tls_error;
    }
    if (message == NULL || strcmp(message, "TCP/TLS connect failure") == 0) {
        return DUN_E_UNREACHABLE;
    }
    return strcmp(message, "TCP connect timeout") == 0 ? DUN_E_TIMEOUT : DUN_E_CLOSED;
}

static void on_refused(struct dun_uplink_paho *uplink, int code, const char *message)
{
    pthread_mutex_lock(&uplink->mutex);
    uplink->connecting = false;
    dun_paho_ended(uplink, connect_error(uplink, code, message), code > 0 ? (uint8_t)code : 0);
    pthread_mutex_unlock(&uplink->mutex);
}

static void not_connected(void *context, MQTTAsync_failureData *data)
{
    on_refused(context, data->code, data->message);
}

static void not_connected5(void *context, MQTTAsync_failureData5 *data)
{
    on_refused(context, data->code, data->message);
}

static void lost(void *context, char *cause)
{
    struct dun_uplink_paho *uplink = context;
    (void)cause;
    pthread_mutex_lock(&uplink->mutex);
    dun_paho_ended(uplink, DUN_E_CLOSED, 0);
    pthread_mutex_unlock(&uplink->mutex);
}

/* A DISCONNECT of the broker. It should close the connection too, but need not. */
static void dismissed(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
    struct dun_uplink_paho *uplink = context;
    const MQTTProperty *server =
        MQTTProperties_getProperty(properties, MQTTPROPERTY_CODE_SERVER_REFERENCE);
    pthread_mutex_lock(&uplink->mutex);
    if (server != NULL && server->value.data.len > 0 &&
        server->value.data.len < DUN_UPLINK_PAHO_SERVER_MAX && !uplink->ended) {
        memcpy(uplink->server, server->value.data.data, (size_t)server->value.data.len);
        uplink->server[server->value.data.len] = '\0';
    }
    dun_paho_ended(uplink, DUN_E_CLOSED, (uint8_t)reason);
    pthread_mutex_unlock(&uplink->mutex);
}

/// The worker: the end of a connection ///

static void on_hung_up(struct dun_uplink_paho *uplink)
{
    pthread_mutex_lock(&uplink->mutex);
    uplink->hung_up = true;
    pthread_cond_broadcast(&uplink->changed);
    pthread_mutex_unlock(&uplink->mutex);
}

static void hung_up(void *context, MQTTAsync_successData *data)
{
    (void)data;
    on_hung_up(context);
}

static void hung_up5(void *context, MQTTAsync_successData5 *data)
{
    (void)data;
    on_hung_up(context);
}

/* Waits for the library to be done with a disconnect. False: it is not in time. */
static bool wait_hung_up(struct dun_uplink_paho *uplink)
{
    struct timespec until;
    int waited = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += HANG_UP_MAX_MS / 1000;
    pthread_mutex_lock(&uplink->mutex);
    while (!uplink->hung_up && waited == 0) {
        waited = pthread_cond_timedwait(&uplink->changed, &uplink->mutex, &until);
    }
    bool done = uplink->hung_up;
    pthread_mutex_unlock(&uplink->mutex);
    /* The library's sending thread called us back and does not listen yet: a connect that it
     * missed would wait for a second. */
    nanosleep(&(struct timespec){.tv_nsec = SETTLE_MS * 1000000}, NULL);
    return done;
}

static void free_handle(struct dun_uplink_paho *uplink)
{
    MQTTAsync_destroy(&uplink->handle); /* calls back what it still has */
    pthread_mutex_lock(&uplink->mutex);
    uplink->handle = NULL;
    uplink->has_session = false;
    uplink->connecting = false;
    for (uint16_t i = 0; i < uplink->parts.window; i++) {
        uplink->parts.slots[i].state = DUN_UPLINK_PAHO_FREE;
    }
    pthread_mutex_unlock(&uplink->mutex);
}

/* True if the library holds anything of ours: unsent, or sent and not acknowledged. */
static bool anything_pending(struct dun_uplink_paho *uplink)
{
    MQTTAsync_token *tokens = NULL;
    bool pending =
        MQTTAsync_getPendingTokens(uplink->handle, &tokens) != MQTTASYNC_SUCCESS || tokens != NULL;
    if (tokens != NULL) {
        MQTTAsync_free(tokens);
    }
    return pending;
}

/* After this no callback of the old connection comes any more: those that were under way held the
 * library's lock, which MQTTAsync_isConnected takes. */
static void hang_up(struct dun_uplink_paho *uplink, bool connecting, uint8_t farewell)
{
    if (uplink->handle == NULL) {
        return;
    }
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    if (uplink->version == DUN_MQTT_5) {
        options.struct_version = 1;
        options.reasonCode = (enum MQTTReasonCodes)farewell;
        options.onSuccess5 = hung_up5;
    } else {
        options.onSuccess = hung_up;
    }
    options.context = uplink;
    uplink->hung_up = false;
    bool done =
        MQTTAsync_disconnect(uplink->handle, &options) != MQTTASYNC_SUCCESS || wait_hung_up(uplink);
    bool pending = anything_pending(uplink);
    uplink->session_broken |= pending;
    if (connecting || pending || !done || MQTTAsync_isConnected(uplink->handle)) {
        free_handle(uplink);
    }
}

/// The worker: the beginning of one ///

static bool tls_enabled(const struct dun_uplink_paho *uplink)
{
    return uplink->parts.tls != NULL && uplink->parts.tls->enabled;
}

static bool make_uri(char uri[DUN_UPLINK_PAHO_URI_MAX], bool tls,
                     const struct dun_uplink_config *config)
{
    bool ipv6 = strchr(config->host, ':') != NULL;
    int size = snprintf(uri, DUN_UPLINK_PAHO_URI_MAX, "%s://%s%s%s:%u", tls ? "ssl" : "tcp",
                        ipv6 ? "[" : "", config->host, ipv6 ? "]" : "", (unsigned)config->port);
    return size > 0 && size < DUN_UPLINK_PAHO_URI_MAX;
}

static int make_handle(struct dun_uplink_paho *uplink, const struct dun_uplink_config *config)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    options.MQTTVersion = uplink->version;
    options.maxBufferedMessages = NO_LIMIT;
    int code = MQTTASYNC_SUCCESS;
    if (uplink->keeper == NULL) {
        code = MQTTAsync_create(&uplink->keeper, "tcp://localhost", "keeper",
                                MQTTCLIENT_PERSISTENCE_NONE, NULL);
    }
    if (code == MQTTASYNC_SUCCESS) {
        code = MQTTAsync_createWithOptions(&uplink->handle, uplink->uri, config->client_id,
                                           MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
    }
    if (code == MQTTASYNC_SUCCESS) {
        MQTTAsync_setCallbacks(uplink->handle, uplink, lost, arrived, NULL);
        MQTTAsync_setDisconnected(uplink->handle, uplink, dismissed);
    }
    return code;
}

static void set_will(const struct dun_uplink_config *config, MQTTAsync_connectOptions *options,
                     MQTTAsync_willOptions *will)
{
    if (config->will_topic != NULL) {
        will->topicName = config->will_topic;
        will->payload.len = (int)config->will_payload.size;
        will->payload.data = config->will_payload.data;
        will->qos = config->will_qos;
        will->retained = config->will_retain;
        options->will = will;
    }
}

static int begin(struct dun_uplink_paho *uplink, const struct dun_uplink_config *config)
{
    bool v5 = uplink->version == DUN_MQTT_5;
    MQTTAsync_connectOptions v3_options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions v5_options = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_connectOptions options = v5 ? v5_options : v3_options;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperties will_properties = MQTTProperties_initializer;
    options.keepAliveInterval = uplink->keepalive_s;
    options.MQTTVersion = uplink->version;
    options.connectTimeout = CONNECT_MAX_S;
    options.username = config->username;
    options.binarypwd.data = config->password.data;
    options.binarypwd.len = (int)config->password.size;
    options.context = uplink;
    set_will(config, &options, &will);
    if (tls_enabled(uplink)) {
        dun_paho_set_tls(uplink, &ssl);
        options.ssl = &ssl;
    }
    if (v5) {
        options.cleanstart = uplink->clean;
        options.onSuccess5 = connected5;
        options.onFailure5 = not_connected5;
        add_number(&properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
                   config->session_expiry_s);
        add_number(&properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, uplink->parts.inbound_max);
        add_number(&will_properties, MQTTPROPERTY_CODE_WILL_DELAY_INTERVAL, config->will_delay_s);
        add_number(&will_properties, MQTTPROPERTY_CODE_PAYLOAD_FORMAT_INDICATOR, 1);
        options.connectProperties = &properties;
        options.willProperties = config->will_topic != NULL ? &will_properties : NULL;
    } else {
        options.cleansession = uplink->clean;
        options.onSuccess = connected;
        options.onFailure = not_connected;
    }
    int code = MQTTAsync_connect(uplink->handle, &options);
    MQTTProperties_free(&properties);
    MQTTProperties_free(&will_properties);
    return code;
}

static uint16_t keepalive_of(const struct dun_uplink_paho *uplink, uint16_t wanted)
{
    uint16_t most = uplink->server_keepalive_s;
    return most != 0 && (wanted == 0 || most < wanted) ? most : wanted;
}

static void connect(struct dun_uplink_paho *uplink, const struct dun_uplink_config *config)
{
    uint8_t version = config->mqtt_version == DUN_MQTT_3_1_1 ? DUN_MQTT_3_1_1 : DUN_MQTT_5;
    char uri[DUN_UPLINK_PAHO_URI_MAX];
    bool valid = make_uri(uri, tls_enabled(uplink), config);
    bool other = uplink->version != version || uplink->client_id != config->client_id ||
                 strcmp(uri, uplink->uri) != 0;
    if (uplink->handle != NULL && other) {
        free_handle(uplink);
    }
    strcpy(uplink->uri, valid ? uri : "");
    uplink->client_id = config->client_id;
    pthread_mutex_lock(&uplink->mutex);
    uplink->version = version;
    /* After a boot we know nothing of the session that the broker may have (v5 3.2.2-4). */
    uplink->clean = config->clean_start || uplink->session_broken ||
                    (version == DUN_MQTT_5 && !uplink->has_session);
    uplink->keepalive_s = keepalive_of(uplink, config->keepalive_s);
    uplink->connecting = true;
    atomic_store(&uplink->tls_error, DUN_OK);
    pthread_mutex_unlock(&uplink->mutex);
    if (tls_enabled(uplink) && !dun_paho_clock_is_set(uplink->parts.tls)) {
        atomic_store(&uplink->tls_error, DUN_E_TLS_DATE);
        on_refused(uplink, MQTTASYNC_FAILURE, NULL);
        return;
    }
    int code = uplink->handle == NULL ? make_handle(uplink, config) : MQTTASYNC_SUCCESS;
    if (code == MQTTASYNC_SUCCESS) {
        code = begin(uplink, config);
    }
    if (code != MQTTASYNC_SUCCESS) {
        pthread_mutex_lock(&uplink->mutex);
        uplink->connecting = false;
        dun_paho_ended(uplink, DUN_E_INVALID, 0);
        pthread_mutex_unlock(&uplink->mutex);
    }
}

/// The worker ///

/* Takes the next job and does it, mutex held before and after. False: that was the last. */
static bool do_job(struct dun_uplink_paho *uplink)
{
    if (uplink->hang_up_wanted) {
        bool connecting = uplink->connecting;
        uint8_t farewell = uplink->farewell;
        uplink->hang_up_wanted = false;
        pthread_mutex_unlock(&uplink->mutex);
        hang_up(uplink, connecting, farewell);
        pthread_mutex_lock(&uplink->mutex);
    } else if (uplink->connect_wanted) {
        struct dun_uplink_config config = uplink->config;
        uplink->connect_wanted = false;
        uplink->live = true;
        pthread_mutex_unlock(&uplink->mutex);
        connect(uplink, &config);
        pthread_mutex_lock(&uplink->mutex);
    } else if (uplink->end_wanted) {
        return false;
    } else {
        pthread_cond_wait(&uplink->changed, &uplink->mutex);
    }
    return true;
}

void *dun_paho_work(void *context)
{
    struct dun_uplink_paho *uplink = context;
    pthread_mutex_lock(&uplink->mutex);
    while (do_job(uplink)) {
    }
    pthread_mutex_unlock(&uplink->mutex);
    dun_paho_overhear(NULL);
    if (uplink->handle != NULL) {
        free_handle(uplink);
    }
    if (uplink->keeper != NULL) {
        MQTTAsync_destroy(&uplink->keeper); /* waits for the library's threads to end */
    }
    pthread_mutex_lock(&uplink->mutex);
    uplink->worker_ended = true;
    pthread_cond_broadcast(&uplink->changed);
    pthread_mutex_unlock(&uplink->mutex);
    return NULL;
}

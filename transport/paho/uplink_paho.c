/*
 * uplink_paho.c: the agent's side of the Paho uplink: the functions of the table. None of them
 * waits. What the library's threads noted is told here, in this order: UP, acks, messages, DOWN,
 * WRITABLE. So what was acknowledged before a connection broke is not published again.
 *
 * Time is kept here too, by the agent's `now`: the library has no time-out for acks, and looks at
 * that of a connect only every three seconds.
 */
#include "paho/uplink_paho.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mqtt/packet.h"
#include "paho/library.h"

#define ACK_TIMEOUT_MS   60000
#define PUBLISH_HEAD_MAX 5 /* type and length */
#define STRING_MAX       65535

static struct dun_span text_span(const char *text)
{
    return (struct dun_span){(const uint8_t *)text, text != NULL ? strlen(text) : 0};
}

/* Takes back what was lent to the agent until this call, and the mutex. */
static void lock(struct dun_uplink_paho *uplink)
{
    dun_paho_free_inbound(&uplink->told);
    pthread_mutex_lock(&uplink->mutex);
}

static void unlock(struct dun_uplink_paho *uplink)
{
    pthread_mutex_unlock(&uplink->mutex);
}

/// The end of a connection ///

/* Forgets what was not told, and has the worker end what there is. Slots that the library has are
 * free when it called back. */
static void leave(struct dun_uplink_paho *uplink, uint8_t farewell)
{
    for (uint16_t i = 0; i < uplink->parts.window; i++) {
        struct dun_uplink_paho_slot *slot = &uplink->parts.slots[i];
        slot->state = slot->state == DUN_UPLINK_PAHO_ACKED ? DUN_UPLINK_PAHO_FREE : slot->state;
    }
    uplink->ack_first = DUN_PAHO_NONE;
    uplink->state = DUN_UPLINK_PAHO_CLOSED;
    uplink->live = false;
    uplink->up_due = false;
    uplink->ended = false;
    uplink->connect_wanted = false;
    uplink->hang_up_wanted = true;
    uplink->farewell = farewell;
    pthread_cond_broadcast(&uplink->changed);
}

/* Without the mutex: nothing arrives any more when the connection was left. */
static void drop_inbound(struct dun_uplink_paho *uplink)
{
    for (; uplink->inbound_count > 0; uplink->inbound_count--) {
        dun_paho_free_inbound(&uplink->inbound[uplink->inbound_first]);
        uplink->inbound_first =
            (uint16_t)((uplink->inbound_first + 1) % DUN_UPLINK_PAHO_MESSAGES_MAX);
    }
}

/// Telling what happened ///

static bool tell_up(struct dun_uplink_paho *uplink, struct dun_uplink_event *event)
{
    if (!uplink->up_due) {
        return false;
    }
    uplink->up_due = false;
    uplink->state = DUN_UPLINK_PAHO_UP;
    event->kind = DUN_UPLINK_UP;
    event->session_present = uplink->session_present;
    event->terms = uplink->terms;
    return true;
}

static bool tell_ack(struct dun_uplink_paho *uplink, struct dun_uplink_event *event)
{
    if (uplink->state != DUN_UPLINK_PAHO_UP || uplink->ack_first == DUN_PAHO_NONE) {
        return false;
    }
    struct dun_uplink_paho_slot *slot = &uplink->parts.slots[uplink->ack_first];
    uplink->ack_first = slot->next;
    slot->state = DUN_UPLINK_PAHO_FREE;
    event->kind = DUN_UPLINK_ACKED;
    event->token = slot->token;
    event->reason = slot->reason;
    return true;
}

static bool tell_message(struct dun_uplink_paho *uplink, struct dun_uplink_event *event)
{
    if (uplink->state != DUN_UPLINK_PAHO_UP || uplink->inbound_count == 0) {
        return false;
    }
    struct dun_uplink_paho_inbound *inbound = &uplink->inbound[uplink->inbound_first];
    uplink->told = *inbound;
    *inbound = (struct dun_uplink_paho_inbound){NULL, NULL};
    uplink->inbound_first = (uint16_t)((uplink->inbound_first + 1) % DUN_UPLINK_PAHO_MESSAGES_MAX);
    uplink->inbound_count--;
    event->kind = DUN_UPLINK_MESSAGE;
    event->topic = text_span(uplink->told.topic);
    event->payload =
        (struct dun_span){uplink->told.message->payload, (size_t)uplink->told.message->payloadlen};
    return true;
}

static bool tell_down(struct dun_uplink_paho *uplink, struct dun_uplink_event *event)
{
    if (!uplink->ended) {
        return false;
    }
    event->kind = DUN_UPLINK_DOWN;
    event->error = uplink->error;
    event->reason = uplink->reason;
    event->server = text_span(uplink->server[0] != '\0' ? uplink->server : NULL);
    leave(uplink, DUN_MQTT_LEAVE_WITH_WILL);
    return true;
}

static bool tell_writable(struct dun_uplink_paho *uplink, struct dun_uplink_event *event)
{
    if (uplink->state != DUN_UPLINK_PAHO_UP || !uplink->writable_due) {
        return false;
    }
    uplink->writable_due = false;
    event->kind = DUN_UPLINK_WRITABLE;
    return true;
}

/// Time ///

/* When the oldest answer that is owed will be too late. */
static dun_ms answer_deadline(const struct dun_uplink_paho *uplink)
{
    dun_ms timeout_ms =
        uplink->config.ack_timeout_ms > 0 ? uplink->config.ack_timeout_ms : ACK_TIMEOUT_MS;
    dun_ms oldest = uplink->subscribing ? uplink->subscribe_since : DUN_MS_NEVER;
    for (uint16_t i = 0; i < uplink->parts.window; i++) {
        const struct dun_uplink_paho_slot *slot = &uplink->parts.slots[i];
        if (slot->state == DUN_UPLINK_PAHO_SENT) {
            oldest = dun_ms_earlier(oldest, slot->since);
        }
    }
    return oldest == DUN_MS_NEVER ? DUN_MS_NEVER : oldest + timeout_ms;
}

static dun_ms time_out(const struct dun_uplink_paho *uplink)
{
    switch (uplink->state) {
    case DUN_UPLINK_PAHO_OPENING:
        return uplink->connect_deadline;
    case DUN_UPLINK_PAHO_UP:
        return answer_deadline(uplink);
    default:
        return DUN_MS_NEVER;
    }
}

static dun_ms uplink_deadline(void *context)
{
    struct dun_uplink_paho *uplink = context;
    lock(uplink);
    bool now = uplink->up_due || uplink->ended;
    if (uplink->state == DUN_UPLINK_PAHO_UP) {
        now |=
            uplink->ack_first != DUN_PAHO_NONE || uplink->inbound_count > 0 || uplink->writable_due;
    }
    dun_ms deadline = now ? 0 : time_out(uplink);
    unlock(uplink);
    return deadline;
}

/// The table ///

static bool uplink_poll(void *context, dun_ms now, struct dun_uplink_event *event)
{
    struct dun_uplink_paho *uplink = context;
    *event = (struct dun_uplink_event){.kind = DUN_UPLINK_NONE};
    lock(uplink);
    if (uplink->woken) {
        uint8_t byte;
        uplink->woken = read(uplink->wake_read, &byte, 1) < 0 && errno == EINTR;
    }
    bool told = tell_up(uplink, event) || tell_ack(uplink, event) || tell_message(uplink, event) ||
                tell_down(uplink, event);
    if (!told && now >= time_out(uplink)) {
        uplink->ended = true;
        uplink->error = DUN_E_TIMEOUT;
        uplink->reason = 0;
        told = tell_down(uplink, event);
    }
    told = told || tell_writable(uplink, event);
    unlock(uplink);
    if (event->kind == DUN_UPLINK_DOWN) {
        drop_inbound(uplink);
    }
    return told;
}

static int check(const struct dun_uplink_config *config)
{
    struct dun_span client_id = text_span(config->client_id);
    bool has_will = config->will_topic != NULL;
    bool v3 = config->mqtt_version == DUN_MQTT_3_1_1;
    if (config->host == NULL || config->host[0] == '\0' || config->port == 0 ||
        (config->mqtt_version != 0 && !v3 && config->mqtt_version != DUN_MQTT_5)) {
        return DUN_E_INVALID;
    }
    if (client_id.size > STRING_MAX || config->password.size > STRING_MAX ||
        config->will_payload.size > STRING_MAX || text_span(config->username).size > STRING_MAX ||
        (has_will && (!dun_mqtt_topic_ok(text_span(config->will_topic)) || config->will_qos > 1)) ||
        (client_id.size == 0 && !config->clean_start && v3) ||         /* 3.1.3-8 */
        (config->password.data != NULL && config->username == NULL)) { /* 3.1.2-22 */
        return DUN_E_INVALID;
    }
    bool fits = strlen(config->host) < DUN_UPLINK_PAHO_URI_MAX - 20 &&
                text_span(config->will_topic).size < DUN_UPLINK_PAHO_WILL_MAX;
    return fits ? DUN_OK : DUN_E_TOO_LARGE;
}

static int uplink_open(void *context, const struct dun_uplink_config *config, dun_ms now)
{
    struct dun_uplink_paho *uplink = context;
    int error = check(config);
    lock(uplink);
    if (uplink->state != DUN_UPLINK_PAHO_CLOSED) {
        error = DUN_E_BUSY;
    }
    if (error == DUN_OK) {
        uplink->config = *config;
        if (config->will_topic != NULL) {
            strcpy(uplink->will_topic, config->will_topic);
            uplink->config.will_topic = uplink->will_topic;
        }
        uplink->connect_deadline =
            config->connect_timeout_ms > 0 ? now + config->connect_timeout_ms : DUN_MS_NEVER;
        uplink->state = DUN_UPLINK_PAHO_OPENING;
        uplink->writable_due = false;
        uplink->subscribing = false;
        uplink->server[0] = '\0';
        uplink->connect_wanted = true;
        pthread_cond_broadcast(&uplink->changed);
    }
    unlock(uplink);
    return error;
}

/* v5 3.3; an upper bound for 3.1.1. */
static uint64_t packet_size(const struct dun_message *message)
{
    uint64_t size = PUBLISH_HEAD_MAX + 2 + strlen(message->topic) + 2 + message->payload.size + 1;
    size += message->text ? 2 : 0;
    size += message->expiry_s != 0 ? 5 : 0;
    return size + (message->content_type != NULL ? 3 + strlen(message->content_type) : 0);
}

/* What the broker and our memory say to this message. */
static int may_publish(const struct dun_uplink_paho *uplink, const struct dun_message *message)
{
    if (uplink->state != DUN_UPLINK_PAHO_UP || uplink->ended) {
        return DUN_E_CLOSED;
    }
    if (message->qos > 1 || !dun_mqtt_topic_ok(text_span(message->topic))) {
        return DUN_E_INVALID;
    }
    if (message->qos > uplink->terms.qos_max) {
        return DUN_E_UNSUPPORTED;
    }
    bool fits = message->payload.size <= uplink->parts.payload.size &&
                packet_size(message) <= uplink->terms.packet_max;
    return fits ? DUN_OK : DUN_E_TOO_LARGE;
}

/* A slot for a new message; NULL: the window is full. */
static struct dun_uplink_paho_slot *find_free(struct dun_uplink_paho *uplink)
{
    struct dun_uplink_paho_slot *found = NULL;
    unsigned in_flight = 0;
    for (uint16_t i = 0; i < uplink->parts.window; i++) {
        struct dun_uplink_paho_slot *slot = &uplink->parts.slots[i];
        in_flight += slot->state == DUN_UPLINK_PAHO_SENT;
        found = slot->state == DUN_UPLINK_PAHO_FREE ? slot : found;
    }
    return in_flight < uplink->receive_max ? found : NULL;
}

/* Hands over what is in the payload buffer. The library may call back before its call returns. */
static int send(struct dun_uplink_paho *uplink, const struct dun_message *message, dun_ms now)
{
    struct dun_uplink_paho_slot *slot = message->qos > 0 ? find_free(uplink) : NULL;
    bool retain = message->retain && uplink->terms.retain; /* v5 3.2.2-14 */
    if (slot != NULL) {
        *slot = (struct dun_uplink_paho_slot){
            .uplink = uplink, .since = now, .token = message->token, .state = DUN_UPLINK_PAHO_SENT};
    }
    unlock(uplink);
    int error = dun_paho_send(uplink, message, retain, slot);
    lock(uplink);
    if (error != DUN_OK && slot != NULL) {
        slot->state = DUN_UPLINK_PAHO_FREE;
    }
    return error;
}

/* The payload is read without the mutex: the log may have to wait for its disk. */
static int uplink_publish(void *context, const struct dun_message *message, dun_ms now)
{
    struct dun_uplink_paho *uplink = context;
    lock(uplink);
    int error = may_publish(uplink, message);
    if (error == DUN_OK && message->qos > 0 && find_free(uplink) == NULL) {
        error = DUN_E_AGAIN;
    }
    unlock(uplink);
    if (error != DUN_OK) {
        return error;
    }
    const struct dun_reader *payload = &message->payload;
    int read = payload->size == 0
                   ? DUN_OK
                   : payload->read(payload->context, 0, uplink->parts.payload.data, payload->size);
    lock(uplink);
    if (read < 0) { /* as a link that broke: DOWN follows, and the agent begins anew */
        dun_paho_ended(uplink, read, 0);
    } else {
        error = send(uplink, message, now);
    }
    uplink->writable_due |= error == DUN_OK;
    unlock(uplink);
    return error;
}

static int uplink_subscribe(void *context, const char *filter, uint8_t qos, dun_ms now)
{
    struct dun_uplink_paho *uplink = context;
    int error = DUN_OK;
    lock(uplink);
    if (uplink->state != DUN_UPLINK_PAHO_UP || uplink->ended) {
        error = DUN_E_CLOSED;
    } else if (!dun_mqtt_filter_ok(text_span(filter))) {
        error = DUN_E_INVALID;
    } else if (uplink->subscribing) {
        error = DUN_E_AGAIN;
    } else {
        uplink->subscribing = true;
        uplink->subscribe_since = now;
        unlock(uplink);
        error = dun_paho_subscribe(uplink, filter, qos);
        lock(uplink);
        uplink->subscribing &= error == DUN_OK;
    }
    unlock(uplink);
    return error;
}

/* The library's threads write, and wake nobody for it. */
static bool uplink_wants_write(void *context)
{
    (void)context;
    return false;
}

static bool uplink_wants_read(void *context)
{
    (void)context;
    return true;
}

static void uplink_close(void *context, bool will, dun_ms now)
{
    struct dun_uplink_paho *uplink = context;
    (void)now;
    lock(uplink);
    bool open = uplink->state != DUN_UPLINK_PAHO_CLOSED;
    if (open) {
        leave(uplink, will ? DUN_MQTT_LEAVE_WITH_WILL : DUN_MQTT_SUCCESS);
    }
    unlock(uplink);
    if (open) {
        drop_inbound(uplink);
    }
}

static void uplink_stats(void *context, struct dun_uplink_stats *stats)
{
    struct dun_uplink_paho *uplink = context;
    lock(uplink);
    *stats = uplink->stats;
    unlock(uplink);
}

/// Beginning and end ///

static int open_pipe(struct dun_uplink_paho *uplink)
{
    int ends[2];
    if (pipe(ends) < 0) {
        return DUN_E_IO;
    }
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    }
    uplink->wake_read = ends[0];
    uplink->wake_write = ends[1];
    return DUN_OK;
}

/* Signals are the agent's: the worker, and the library's threads after it, take none. */
static int start_worker(struct dun_uplink_paho *uplink)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&uplink->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&uplink->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&uplink->worker, NULL, dun_paho_work, uplink);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? DUN_OK : DUN_E_IO;
}

int dun_uplink_paho_init(struct dun_uplink_paho *uplink, const struct dun_uplink_paho_parts *parts,
                         struct dun_uplink *table)
{
    if (parts->window == 0 || parts->payload.size == 0) {
        return DUN_E_INVALID;
    }
    *uplink = (struct dun_uplink_paho){.parts = *parts, .ack_first = DUN_PAHO_NONE};
    memset(parts->slots, 0, parts->window * sizeof *parts->slots);
    *table = (struct dun_uplink){
        .context = uplink,
        .open = uplink_open,
        .publish = uplink_publish,
        .subscribe = uplink_subscribe,
        .poll = uplink_poll,
        .deadline = uplink_deadline,
        .wants_write = uplink_wants_write,
        .wants_read = uplink_wants_read,
        .close = uplink_close,
        .stats = uplink_stats,
    };
    int error = open_pipe(uplink);
    if (error != DUN_OK) {
        return error;
    }
    error = start_worker(uplink);
    if (error != DUN_OK) {
        close(uplink->wake_read);
        close(uplink->wake_write);
    }
    return error;
}

int dun_uplink_paho_fd(const struct dun_uplink_paho *uplink)
{
    return uplink->wake_read;
}

int dun_uplink_paho_end(struct dun_uplink_paho *uplink, dun_ms wait_ms)
{
    struct timespec until;
    int waited = 0;
    uplink_close(uplink, false, 0);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    lock(uplink);
    uplink->end_wanted = true;
    pthread_cond_broadcast(&uplink->changed);
    while (!uplink->worker_ended && waited == 0) {
        waited = pthread_cond_timedwait(&uplink->changed, &uplink->mutex, &until);
    }
    bool ended = uplink->worker_ended;
    unlock(uplink);
    if (!ended) {
        pthread_detach(uplink->worker);
        return DUN_E_TIMEOUT;
    }
    pthread_join(uplink->worker, NULL);
    close(uplink->wake_read);
    close(uplink->wake_write);
    pthread_cond_destroy(&uplink->changed);
    pthread_mutex_destroy(&uplink->mutex);
    return DUN_OK;
}

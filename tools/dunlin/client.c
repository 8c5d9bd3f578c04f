/* client.c: see client.h. */
#include "client.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

const char *dun_client_unreadable(const struct dun_broker_options *options)
{
    const char *const paths[] = {options->cafile, options->capath, options->cert, options->key};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (paths[i] != NULL && access(paths[i], R_OK) != 0) {
            return paths[i];
        }
    }
    return NULL;
}

/* Where libmosquitto's TLS settings come from ours. */
static int set_tls(struct mosquitto *client, const struct dun_broker_options *options)
{
    int result = MOSQ_ERR_SUCCESS;
    if (options->psk_identity != NULL) {
        result = mosquitto_tls_psk_set(client, options->psk, options->psk_identity, NULL);
    } else if (options->cafile == NULL && options->capath == NULL) {
        result = mosquitto_int_option(client, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    } else {
        result = mosquitto_tls_set(client, options->cafile, options->capath, options->cert,
                                   options->key, NULL);
    }
    if (result == MOSQ_ERR_SUCCESS && options->alpn != NULL) {
        result = mosquitto_string_option(client, MOSQ_OPT_TLS_ALPN, options->alpn);
    }
    return result;
}

int dun_client_make(struct mosquitto **client, const struct dun_broker_options *options,
                    const char *id, bool clean_session, void *context)
{
    *client = mosquitto_new(id, clean_session, context);
    if (*client == NULL) {
        return MOSQ_ERR_ERRNO;
    }
    int result = mosquitto_int_option(*client, MOSQ_OPT_PROTOCOL_VERSION, options->version);
    if (result == MOSQ_ERR_SUCCESS && options->username != NULL) {
        result = mosquitto_username_pw_set(
            *client, options->username, options->password_file != NULL ? options->password : NULL);
    }
    return result == MOSQ_ERR_SUCCESS && options->tls ? set_tls(*client, options) : result;
}

int dun_client_exit_code(const struct dun_broker_options *options, int result)
{
    bool tls_error = result == MOSQ_ERR_TLS || result == MOSQ_ERR_TLS_HANDSHAKE ||
                     (options->tls && result == MOSQ_ERR_ERRNO && errno == EPROTO);
    if (tls_error) {
        return DUN_EXIT_TLS;
    }
    return result == MOSQ_ERR_NOMEM || result == MOSQ_ERR_INVAL ? DUN_EXIT_RUNTIME
                                                                : DUN_EXIT_UNREACHABLE;
}

int dun_client_make_exit_code(const struct dun_broker_options *options, int result)
{
    return options->tls && result != MOSQ_ERR_NOMEM ? DUN_EXIT_TLS : DUN_EXIT_RUNTIME;
}

const char *dun_client_why(int result)
{
    return result == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(result);
}

const char *dun_client_refusal(const struct dun_broker_options *options, int reason)
{
    return options->version == MQTT_PROTOCOL_V5 ? mosquitto_reason_string(reason)
                                                : mosquitto_connack_string(reason);
}

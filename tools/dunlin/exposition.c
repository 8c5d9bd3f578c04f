/* exposition.c: see exposition.h. */
#include "exposition.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#define CONNECTIONS_MAX 16
#define TIMEOUT_S       10 /* of a connection that says nothing */

struct dun_exposition {
    struct MHD_Daemon *daemon;
    dun_exposition_write write;
    void *context;
    struct dun_out out;
};

/* The text as a file without a name, which the library sends and closes. -1: no. */
static int written_text(struct dun_exposition *exposition, uint64_t *size)
{
    FILE *file = tmpfile();
    if (file == NULL) {
        return -1;
    }
    int fd = dup(fileno(file));
    (void)fclose(file);
    if (fd < 0) {
        return -1;
    }
    dun_out_init(&exposition->out, fd);
    exposition->write(exposition->context, &exposition->out);
    bool whole = dun_out_flush(&exposition->out);
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (!whole || end < 0) {
        (void)close(fd);
        return -1;
    }
    *size = (uint64_t)end;
    return fd;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status,
                              struct MHD_Response *response)
{
    if (response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *text)
{
    return answer(connection, status,
                  MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                  MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    uint64_t size;
    if (strcmp(url, "/metrics") != 0) {
        return answer_text(connection, MHD_HTTP_NOT_FOUND, "see /metrics\n");
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
    }
    int fd = written_text(context, &size);
    struct MHD_Response *response = fd < 0 ? NULL : MHD_create_response_from_fd64(size, fd);
    if (response == NULL) {
        return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no room for the answer\n");
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                  "text/plain; version=0.0.4; charset=utf-8");
    return answer(connection, MHD_HTTP_OK, response);
}

/* Splits ADDRESS:PORT at its last colon; brackets are an IPv6 address's. */
static bool split(const char *where, char host[256], const char **port)
{
    const char *colon = strrchr(where, ':');
    const char *from = where[0] == '[' ? where + 1 : where;
    const char *to = colon != NULL && colon > where && colon[-1] == ']' ? colon - 1 : colon;
    *port = colon == NULL ? where : colon + 1;
    (void)snprintf(host, 256, "127.0.0.1");
    if (colon == NULL) {
        return true;
    }
    if (to <= from || to - from >= 256) {
        return false;
    }
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = '\0';
    return true;
}

struct dun_exposition *dun_exposition_open(const char *where, dun_exposition_write write,
                                           void *context, const char **problem)
{
    static const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                          .ai_socktype = SOCK_STREAM};
    struct dun_exposition *exposition = calloc(1, sizeof *exposition);
    struct addrinfo *address = NULL;
    char host[256];
    const char *port;
    if (exposition == NULL || !split(where, host, &port) ||
        getaddrinfo(host, port, &hints, &address) != 0) {
        *problem = exposition == NULL ? "memory is out" : "not ADDRESS:PORT";
        free(exposition);
        return NULL;
    }
    exposition->write = write;
    exposition->context = context;
    unsigned flags = MHD_USE_EPOLL | (address->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0u);
    exposition->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, exposition, MHD_OPTION_SOCK_ADDR,
                         address->ai_addr, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_END);
    *problem = strerror(errno);
    freeaddrinfo(address);
    if (exposition->daemon == NULL) {
        free(exposition);
        return NULL;
    }
    return exposition;
}

unsigned dun_exposition_port(const struct dun_exposition *exposition)
{
    return MHD_get_daemon_info(exposition->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void dun_exposition_serve(struct dun_exposition *exposition)
{
    if (exposition != NULL) {
        (void)MHD_run(exposition->daemon);
    }
}

void dun_exposition_close(struct dun_exposition *exposition)
{
    if (exposition != NULL) {
        MHD_stop_daemon(exposition->daemon);
        free(exposition);
    }
}

/*
 * test_link_posix.c: the TCP link against sockets of this process on loopback, and the resolver's
 * child process. Waits are poll(2) with a deadline, never a sleep.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "link_null.h"
#include "link_posix.h"

#define PATIENCE_MS 40000 /* longer than the resolver may take */

struct fixture {
    struct dun_link_posix posix;
    struct dun_link link;
    int listener, peer;
    uint16_t port;
};

static dun_ms now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (dun_ms)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* A listener on loopback; -1 if there is no such family here. */
static int listen_on(int family, uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr *name = family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
    socklen_t size = family == AF_INET ? sizeof in : sizeof in6;
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, name, size) != 0 || listen(fd, 4) != 0 ||
        getsockname(fd, name, &size) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(family == AF_INET ? in.sin_port : in6.sin6_port);
    return fd;
}

static void init(struct fixture *f, int family)
{
    *f = (struct fixture){.listener = -1, .peer = -1};
    dun_link_posix_init(&f->posix, 0, 0, &f->link);
    f->listener = listen_on(family, &f->port);
}

static void end(struct fixture *f)
{
    f->link.close(f->link.context);
    if (f->peer >= 0) {
        close(f->peer);
    }
    if (f->listener >= 0) {
        close(f->listener);
    }
    assert_int_equal(dun_link_posix_fd(&f->posix), -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, not even a zombie */
    assert_int_equal(errno, ECHILD);
}

static void wait_link(struct fixture *f, short more)
{
    struct pollfd wait = {.fd = dun_link_posix_fd(&f->posix),
                          .events = (short)(dun_link_posix_events(&f->posix) | more)};
    assert_true(wait.fd >= 0);
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
}

/* Opens and waits for what becomes of it, as a board would. */
static int connect_to(struct fixture *f, const char *host)
{
    int result = f->link.open(f->link.context, host, f->port, now_ms());
    while (result == 0 && (result = f->link.ready(f->link.context, now_ms())) == 0) {
        wait_link(f, 0);
    }
    return result;
}

static void accept_peer(struct fixture *f)
{
    struct pollfd wait = {.fd = f->listener, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    f->peer = accept(f->listener, NULL, NULL);
    assert_true(f->peer >= 0);
}

static void bytes_go_both_ways(struct fixture *f)
{
    char bytes[8];
    assert_int_equal(f->link.read(f->link.context, bytes, sizeof bytes), 0);
    assert_int_equal(f->link.write(f->link.context, "ping", 4), 4);
    assert_int_equal(recv(f->peer, bytes, 4, MSG_WAITALL), 4);
    assert_memory_equal(bytes, "ping", 4);
    assert_int_equal(send(f->peer, "pong!", 5, 0), 5);
    wait_link(f, 0);
    assert_int_equal(f->link.read(f->link.context, bytes, 2), 2);
    assert_int_equal(f->link.read(f->link.context, bytes + 2, 6), 3);
    assert_memory_equal(bytes, "pong!", 5);
    assert_int_equal(f->link.read(f->link.context, bytes, sizeof bytes), 0);
    assert_int_equal(f->link.read(f->link.context, bytes, sizeof bytes), 0);
}

static void connects_and_moves_bytes(void **state)
{
    (void)state;
    static const struct {
        int family;
        const char *host;
    } rows[] = {{AF_INET, "127.0.0.1"}, {AF_INET6, "::1"}, {AF_INET, "localhost"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        init(&f, rows[i].family);
        if (f.listener < 0) {
            print_message("SKIPPED: no %s here\n", rows[i].host);
            continue;
        }
        assert_int_equal(connect_to(&f, rows[i].host), 1);
        assert_int_equal(f.link.deadline(f.link.context), DUN_MS_NEVER);
        accept_peer(&f);
        bytes_go_both_ways(&f);
        end(&f);
    }
}

static void refused_is_unreachable(void **state)
{
    (void)state;
    struct fixture f;
    init(&f, AF_INET);
    close(f.listener);
    f.listener = -1;
    assert_int_equal(connect_to(&f, "127.0.0.1"), DUN_E_UNREACHABLE);
    assert_int_equal(f.link.ready(f.link.context, 0), DUN_E_CLOSED);
    end(&f);
}

static void unknown_names_are_not_found(void **state)
{
    (void)state;
    struct fixture f;
    init(&f, AF_INET);
    int result = connect_to(&f, "no-such-host.invalid");
    assert_true(result == DUN_E_NOT_FOUND || result == DUN_E_UNREACHABLE);
    assert_int_equal(connect_to(&f, ""), DUN_E_INVALID);
    end(&f);
}

/* The first address refuses, the second answers. */
static void the_next_address_is_tried(void **state)
{
    (void)state;
    struct fixture f;
    init(&f, AF_INET);
    int error = f.link.open(f.link.context, "127.0.0.2", f.port, now_ms());
    assert_int_equal(error, DUN_OK);
    f.posix.resolve.addresses[1] = f.posix.resolve.addresses[0];
    f.posix.resolve.addresses[1].bytes[3] = 1;
    f.posix.resolve.count = 2;
    int result;
    while ((result = f.link.ready(f.link.context, now_ms())) == 0) {
        wait_link(&f, 0);
    }
    assert_int_equal(result, 1);
    accept_peer(&f);
    bytes_go_both_ways(&f);
    end(&f);
}

/* Fills the queue of a listener that accepts nothing, so that further connects hang, as they do
 * when packets are dropped on the way. */
static void stuff_listener(int listener, uint16_t port, int *fds, size_t count)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    assert_int_equal(listen(listener, 0), 0);
    for (size_t i = 0; i < count; i++) {
        struct dun_link_posix posix;
        struct dun_link link;
        dun_link_posix_init(&posix, 0, 0, &link);
        assert_int_equal(link.open(link.context, "127.0.0.1", ntohs(in.sin_port), 0), DUN_OK);
        fds[i] = posix.fd;
    }
}

static void silence_is_a_timeout(void **state)
{
    (void)state;
    struct fixture f;
    int fds[4];
    init(&f, AF_INET);
    stuff_listener(f.listener, f.port, fds, 4);
    dun_link_posix_init(&f.posix, 700, 1000, &f.link);
    assert_int_equal(f.link.open(f.link.context, "127.0.0.1", f.port, 5000), DUN_OK);
    assert_int_equal(f.link.deadline(f.link.context), 6000);
    assert_int_equal(f.link.ready(f.link.context, 5999), 0);
    assert_int_equal(f.link.ready(f.link.context, 6000), DUN_E_TIMEOUT);
    assert_int_equal(f.link.deadline(f.link.context), DUN_MS_NEVER);
    for (size_t i = 0; i < 4; i++) {
        close(fds[i]);
    }
    end(&f);
}

static void a_silent_address_gives_way(void **state)
{
    (void)state;
    struct fixture f;
    int fds[4];
    uint16_t stuffed_port;
    init(&f, AF_INET);
    int stuffed = listen_on(AF_INET, &stuffed_port);
    stuff_listener(stuffed, stuffed_port, fds, 4);
    dun_link_posix_init(&f.posix, 700, 60000, &f.link);
    assert_int_equal(f.link.open(f.link.context, "127.0.0.1", stuffed_port, 5000), DUN_OK);
    f.posix.resolve.addresses[1] = f.posix.resolve.addresses[0];
    f.posix.resolve.count = 2;
    f.posix.attempt_deadline = 5700;
    f.posix.port = f.port; /* the second address is the listener that answers */
    assert_int_equal(f.link.ready(f.link.context, 5699), 0);
    int result = f.link.ready(f.link.context, 5700);
    while (result == 0) {
        wait_link(&f, 0);
        result = f.link.ready(f.link.context, 5701);
    }
    assert_int_equal(result, 1);
    accept_peer(&f);
    for (size_t i = 0; i < 4; i++) {
        close(fds[i]);
    }
    close(stuffed);
    end(&f);
}

/* A peer that does not read: the link takes what fits, then nothing, and says what to wait for. */
static void a_full_socket_is_not_an_error(void **state)
{
    (void)state;
    static uint8_t bytes[30000], back[30000];
    struct fixture f;
    init(&f, AF_INET);
    assert_int_equal(connect_to(&f, "127.0.0.1"), 1);
    accept_peer(&f);
    assert_int_equal(dun_link_posix_events(&f.posix), POLLIN);
    size_t sent = 0;
    int moved;
    while ((moved = f.link.write(f.link.context, bytes, sizeof bytes)) > 0) {
        sent += (size_t)moved;
        assert_true(sent < 100000000);
    }
    assert_int_equal(moved, 0);
    assert_int_equal(dun_link_posix_events(&f.posix), POLLIN | POLLOUT);
    while (sent > 0) {
        ssize_t got = recv(f.peer, back, sizeof back, 0);
        assert_true(got > 0 && (size_t)got <= sent);
        sent -= (size_t)got;
    }
    wait_link(&f, 0);
    assert_int_equal(f.link.write(f.link.context, bytes, 1), 1);
    assert_int_equal(dun_link_posix_events(&f.posix), POLLIN);
    end(&f);
}

static void the_end_of_the_peer_is_closed(void **state)
{
    (void)state;
    struct fixture f;
    char bytes[4];
    init(&f, AF_INET);
    assert_int_equal(connect_to(&f, "127.0.0.1"), 1);
    accept_peer(&f);
    assert_int_equal(send(f.peer, "end", 3, 0), 3);
    close(f.peer);
    f.peer = -1;
    wait_link(&f, 0);
    assert_int_equal(f.link.read(f.link.context, bytes, 4), 3);
    int result;
    while ((result = f.link.read(f.link.context, bytes, 4)) == 0) {
        wait_link(&f, 0);
    }
    assert_int_equal(result, DUN_E_CLOSED);
    /* Writing to it fails in the end, and no SIGPIPE ends this test. */
    while ((result = f.link.write(f.link.context, "x", 1)) > 0) {
    }
    assert_true(result < 0);
    f.link.close(f.link.context);
    assert_int_equal(f.link.read(f.link.context, bytes, 4), DUN_E_CLOSED);
    assert_int_equal(f.link.write(f.link.context, bytes, 4), DUN_E_CLOSED);
    end(&f);
}

/* What was written before a close arrives although there was unread input. */
static void a_close_does_not_reset(void **state)
{
    (void)state;
    struct fixture f;
    char bytes[4];
    init(&f, AF_INET);
    assert_int_equal(connect_to(&f, "127.0.0.1"), 1);
    accept_peer(&f);
    assert_int_equal(send(f.peer, "unread", 6, 0), 6);
    wait_link(&f, 0);
    assert_int_equal(f.link.write(f.link.context, "bye", 3), 3);
    f.link.close(f.link.context);
    assert_int_equal(recv(f.peer, bytes, 3, MSG_WAITALL), 3);
    assert_memory_equal(bytes, "bye", 3);
    assert_int_equal(recv(f.peer, bytes, 1, 0), 0);
    end(&f);
}

/// The resolver ///

static void numeric_addresses_never_fork(void **state)
{
    (void)state;
    struct dun_resolve resolve;
    assert_int_equal(dun_resolve_start(&resolve, "192.0.2.7"), 1);
    assert_int_equal(resolve.addresses[0].family, AF_INET);
    assert_memory_equal(resolve.addresses[0].bytes, "\xC0\x00\x02\x07", 4);
    assert_int_equal(dun_resolve_start(&resolve, "2001:db8::1"), 1);
    assert_int_equal(resolve.addresses[0].family, AF_INET6);
    assert_int_equal(resolve.child, 0);
    assert_int_equal(resolve.fd, -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_child_that_dies_is_an_answer(void **state)
{
    (void)state;
    struct dun_resolve resolve;
    assert_int_equal(dun_resolve_start(&resolve, "localhost"), 0);
    kill(resolve.child, SIGKILL);
    struct pollfd wait = {.fd = resolve.fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    int result = dun_resolve_poll(&resolve);
    assert_true(result == DUN_E_UNREACHABLE || result == 1); /* 1: it was quicker */
    assert_int_equal(resolve.child, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void close_ends_the_child(void **state)
{
    (void)state;
    struct fixture f;
    init(&f, AF_INET);
    assert_int_equal(f.link.open(f.link.context, "localhost", f.port, 0), DUN_OK);
    assert_int_equal(dun_link_posix_events(&f.posix), POLLIN);
    end(&f);
}

/* A descriptor of the parent (a lock, say) is not kept open by the child. */
static void the_child_holds_nothing_of_the_parent(void **state)
{
    (void)state;
    int ends[2];
    struct dun_resolve resolve;
    char byte;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dun_resolve_start(&resolve, "localhost"), 0);
    close(ends[1]);
    struct pollfd wait = {.fd = resolve.fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    /* The child has answered or is gone: in both cases its copy of our pipe is closed. */
    wait = (struct pollfd){.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    dun_resolve_stop(&resolve);
}

static void the_null_link_never_connects(void **state)
{
    (void)state;
    struct dun_link link;
    char byte;
    dun_link_null_init(&link);
    assert_int_equal(link.open(link.context, "host", 1, 0), DUN_E_UNSUPPORTED);
    assert_int_equal(link.ready(link.context, 0), DUN_E_CLOSED);
    assert_int_equal(link.read(link.context, &byte, 1), DUN_E_CLOSED);
    assert_int_equal(link.write(link.context, &byte, 1), DUN_E_CLOSED);
    assert_int_equal(link.deadline(link.context), DUN_MS_NEVER);
    link.close(link.context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_and_moves_bytes),
        cmocka_unit_test(refused_is_unreachable),
        cmocka_unit_test(unknown_names_are_not_found),
        cmocka_unit_test(the_next_address_is_tried),
        cmocka_unit_test(silence_is_a_timeout),
        cmocka_unit_test(a_silent_address_gives_way),
        cmocka_unit_test(a_full_socket_is_not_an_error),
        cmocka_unit_test(the_end_of_the_peer_is_closed),
        cmocka_unit_test(a_close_does_not_reset),
        cmocka_unit_test(numeric_addresses_never_fork),
        cmocka_unit_test(a_child_that_dies_is_an_answer),
        cmocka_unit_test(close_ends_the_child),
        cmocka_unit_test(the_child_holds_nothing_of_the_parent),
        cmocka_unit_test(the_null_link_never_connects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

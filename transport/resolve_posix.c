/*
 * resolve_posix.c: getaddrinfo in a child process. The parent never waits: it reads the answer from
 * a pipe once poll(2) says it is there.
 *
 * The child holds nothing of the parent's but the pipe: it closes every other descriptor, so that a
 * lock or a socket does not outlive the parent, and it ends by an alarm, with the parent, or when
 * it is stopped. Its answer is a status byte and the addresses, in one write that fits PIPE_BUF.
 */
#define _POSIX_C_SOURCE 200809L

#include "resolve_posix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define DESCRIPTORS_MAX 1024 /* a child closes those below; more are not expected on a device */

enum answer_status {
    ANSWER_OK = 0,
    ANSWER_NOT_FOUND,
    ANSWER_UNREACHABLE,
};

struct answer {
    uint8_t status; /* enum answer_status */
    uint8_t count;
    struct dun_address addresses[DUN_RESOLVE_ADDRESSES_MAX];
};

_Static_assert(sizeof(struct answer) <= 512, "the answer must fit POSIX's smallest PIPE_BUF");

/// In the child ///

static bool to_address(const struct sockaddr *from, struct dun_address *to)
{
    memset(to, 0, sizeof *to);
    to->family = (uint8_t)from->sa_family;
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
        memcpy(to->bytes, &in->sin_addr, sizeof in->sin_addr);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
        memcpy(to->bytes, &in6->sin6_addr, sizeof in6->sin6_addr);
        to->scope = in6->sin6_scope_id;
        return true;
    }
    return false;
}

static void look_up(const char *host, struct answer *answer)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    memset(answer, 0, sizeof *answer);
    int error = getaddrinfo(host, NULL, &hints, &list);
    if (error != 0) {
        answer->status = error == EAI_NONAME ? ANSWER_NOT_FOUND : ANSWER_UNREACHABLE;
        return;
    }
    for (struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        if (answer->count < DUN_RESOLVE_ADDRESSES_MAX &&
            to_address(at->ai_addr, &answer->addresses[answer->count])) {
            answer->count++;
        }
    }
    freeaddrinfo(list);
    answer->status = answer->count > 0 ? ANSWER_OK : ANSWER_NOT_FOUND;
}

/* Signals as a fresh program has them; the parent's handlers are not ours to run. */
static void reset_signals(void)
{
    static const int numbers[] = {SIGALRM, SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD};
    sigset_t none;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        signal(numbers[i], SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_main(const char *host, int out, pid_t parent)
{
    reset_signals();
    alarm(DUN_RESOLVE_SECONDS_MAX);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent) {
        _exit(1);
    }
    for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++) {
        if (fd != out) {
            close(fd);
        }
    }
    struct answer answer;
    look_up(host, &answer);
    ssize_t written = write(out, &answer, sizeof answer);
    _exit(written == (ssize_t)sizeof answer ? 0 : 1);
}

/// In the parent ///

static bool numeric(struct dun_resolve *resolve, const char *host)
{
    struct dun_address *address = &resolve->addresses[0];
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, host, address->bytes) == 1) {
        address->family = AF_INET;
    } else if (inet_pton(AF_INET6, host, address->bytes) == 1) {
        address->family = AF_INET6;
    } else {
        return false;
    }
    resolve->count = 1;
    return true;
}

static int start_child(struct dun_resolve *resolve, const char *host)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return DUN_E_IO;
    }
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        child_main(host, ends[1], parent);
    }
    close(ends[1]);
    if (child < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(ends[0], F_SETFD, FD_CLOEXEC) != 0) {
        close(ends[0]);
        resolve->child = child > 0 ? child : 0;
        dun_resolve_stop(resolve);
        return DUN_E_IO;
    }
    resolve->child = child;
    resolve->fd = ends[0];
    return 0;
}

int dun_resolve_start(struct dun_resolve *resolve, const char *host)
{
    *resolve = (struct dun_resolve){.child = 0, .fd = -1};
    if (host == NULL || host[0] == '\0') {
        return DUN_E_INVALID;
    }
    return numeric(resolve, host) ? 1 : start_child(resolve, host);
}

static int take_answer(struct dun_resolve *resolve, const struct answer *answer)
{
    if (answer->status != ANSWER_OK || answer->count > DUN_RESOLVE_ADDRESSES_MAX) {
        return answer->status == ANSWER_NOT_FOUND ? DUN_E_NOT_FOUND : DUN_E_UNREACHABLE;
    }
    resolve->count = answer->count;
    memcpy(resolve->addresses, answer->addresses, sizeof resolve->addresses);
    return 1;
}

int dun_resolve_poll(struct dun_resolve *resolve)
{
    struct answer answer;
    ssize_t got = read(resolve->fd, &answer, sizeof answer);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return 0;
    }
    dun_resolve_stop(resolve);
    return got == (ssize_t)sizeof answer ? take_answer(resolve, &answer) : DUN_E_UNREACHABLE;
}

void dun_resolve_stop(struct dun_resolve *resolve)
{
    if (resolve->fd >= 0) {
        close(resolve->fd);
        resolve->fd = -1;
    }
    if (resolve->child > 0) {
        kill(resolve->child, SIGKILL);
        while (waitpid(resolve->child, NULL, 0) < 0 && errno == EINTR) {
        }
        resolve->child = 0;
    }
}

/*
 * wasi.h: the calls of WASI 0.2 that we make, as the canonical ABI passes them: a text or a list as
 * address and size, and an answer that is more than a number into a struct laid out as the ABI
 * says. No code stands between; the bindings that come with the libc are 3 KB of it.
 *
 * A handle is ours until it is dropped. An `error` counts only if it `failed`, and is the place in
 * the error-code of the interface: wasi:filesystem's or wasi:sockets'.
 */
#ifndef DUN_WASI_WASI_H
#define DUN_WASI_WASI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DUN_WASI(interface, name)                                                                  \
    __attribute__((import_module("wasi:" interface "@0.2.0"), import_name(name)))

struct wasi_list {
    void *data;
    size_t size;
};

struct wasi_done {
    bool failed;
    uint8_t error;
};

struct wasi_made {
    bool failed;
    union {
        uint8_t error;
        int32_t handle;
    };
};

/// wasi:cli ///

struct wasi_variable {
    struct wasi_list name, value;
};

DUN_WASI("cli/environment", "get-environment") void wasi_environment(struct wasi_list *variables);
DUN_WASI("cli/environment", "get-arguments") void wasi_arguments(struct wasi_list *lists);
DUN_WASI("cli/exit", "exit") void wasi_exit(int32_t failed);
DUN_WASI("cli/stdout", "get-stdout") int32_t wasi_stdout(void);
DUN_WASI("cli/stderr", "get-stderr") int32_t wasi_stderr(void);

/// wasi:clocks, wasi:random ///

struct wasi_date {
    uint64_t seconds;
    uint32_t nanoseconds;
};

DUN_WASI("clocks/monotonic-clock", "now") uint64_t wasi_monotonic(void);
DUN_WASI("clocks/monotonic-clock", "subscribe-duration") int32_t wasi_alarm(uint64_t nanoseconds);
DUN_WASI("clocks/wall-clock", "now") void wasi_date(struct wasi_date *now);
DUN_WASI("random/random", "get-random-u64") uint64_t wasi_random(void);

/// wasi:io ///

/* The word of a stream that failed: why, as a handle, or that it was closed. */
struct wasi_trouble {
    uint8_t closed;
    int32_t why;
};

struct wasi_streamed {
    bool failed;
    union {
        struct wasi_trouble trouble;
        struct wasi_list got;
    };
};

struct wasi_room {
    bool failed;
    union {
        struct wasi_trouble trouble;
        uint64_t room;
    };
};

DUN_WASI("io/error", "[resource-drop]error") void wasi_drop_error(int32_t error);
DUN_WASI("io/poll", "[resource-drop]pollable") void wasi_drop_pollable(int32_t pollable);
DUN_WASI("io/poll", "poll")
void wasi_poll(const int32_t *pollables, size_t count, struct wasi_list *ready);
DUN_WASI("io/streams", "[resource-drop]input-stream") void wasi_drop_input(int32_t stream);
DUN_WASI("io/streams", "[resource-drop]output-stream") void wasi_drop_output(int32_t stream);
DUN_WASI("io/streams", "[method]input-stream.read")
void wasi_stream_read(int32_t stream, uint64_t size, struct wasi_streamed *answer);
DUN_WASI("io/streams", "[method]input-stream.subscribe") int32_t wasi_input_ready(int32_t stream);
DUN_WASI("io/streams", "[method]output-stream.check-write")
void wasi_stream_room(int32_t stream, struct wasi_room *answer);
DUN_WASI("io/streams", "[method]output-stream.write")
void wasi_stream_write(int32_t stream, const void *data, size_t size, struct wasi_streamed *answer);
DUN_WASI("io/streams", "[method]output-stream.blocking-write-and-flush")
void wasi_stream_flush(int32_t stream, const void *data, size_t size, struct wasi_streamed *answer);
DUN_WASI("io/streams", "[method]output-stream.subscribe") int32_t wasi_output_ready(int32_t stream);

/// wasi:filesystem ///

enum { WASI_FOLLOW = 1 }; /* a link at the end of a path */
enum { WASI_CREATE = 1, WASI_FOLDER = 2, WASI_EXCLUSIVE = 4, WASI_TRUNCATE = 8 }; /* how to open */
enum { WASI_READ = 1, WASI_WRITE = 2 };                                           /* what for */

struct wasi_granted {
    int32_t folder;
    struct wasi_list name;
};

struct wasi_read {
    bool failed;
    union {
        uint8_t error;
        struct wasi_list got;
    };
    bool at_end;
};

struct wasi_moved {
    bool failed;
    union {
        uint8_t error;
        uint64_t size;
    };
};

struct wasi_time {
    bool known;
    struct wasi_date date;
};

struct wasi_stat {
    bool failed;
    union {
        uint8_t error;
        struct {
            uint8_t type; /* unknown, block or character device, folder, fifo, link, file, socket */
            uint64_t links, size;
            struct wasi_time read, changed, status_changed;
        };
    };
};

struct wasi_identity {
    bool failed;
    union {
        uint8_t error;
        uint64_t hash[2];
    };
};

struct wasi_entry {
    bool failed;
    union {
        uint8_t error;
        struct {
            bool there;
            _Alignas(4) uint8_t type;
            struct wasi_list name;
        };
    };
};

#define DUN_WASI_FILE(name) DUN_WASI("filesystem/types", "[method]descriptor." name)

DUN_WASI("filesystem/preopens", "get-directories") void wasi_granted(struct wasi_list *granted);
DUN_WASI("filesystem/types", "[resource-drop]descriptor") void wasi_drop_file(int32_t file);
DUN_WASI_FILE("read")
void wasi_read(int32_t file, uint64_t size, uint64_t at, struct wasi_read *answer);
DUN_WASI_FILE("write")
void wasi_write(int32_t file, const void *data, size_t size, uint64_t at,
                struct wasi_moved *answer);
DUN_WASI_FILE("sync-data") void wasi_sync_data(int32_t file, struct wasi_done *answer);
DUN_WASI_FILE("sync") void wasi_sync(int32_t file, struct wasi_done *answer);
DUN_WASI_FILE("stat") void wasi_stat(int32_t file, struct wasi_stat *answer);
DUN_WASI_FILE("stat-at")
void wasi_stat_at(int32_t folder, int32_t follow, const char *path, size_t size,
                  struct wasi_stat *answer);
DUN_WASI_FILE("metadata-hash-at")
void wasi_identity_at(int32_t folder, int32_t follow, const char *path, size_t size,
                      struct wasi_identity *answer);
DUN_WASI_FILE("open-at")
void wasi_open_at(int32_t folder, int32_t follow, const char *path, size_t size, int32_t how,
                  int32_t rights, struct wasi_made *answer);
DUN_WASI_FILE("create-directory-at")
void wasi_make_folder(int32_t folder, const char *path, size_t size, struct wasi_done *answer);
DUN_WASI_FILE("unlink-file-at")
void wasi_unlink(int32_t folder, const char *path, size_t size, struct wasi_done *answer);
DUN_WASI_FILE("remove-directory-at")
void wasi_remove_folder(int32_t folder, const char *path, size_t size, struct wasi_done *answer);
DUN_WASI_FILE("rename-at")
void wasi_rename(int32_t folder, const char *path, size_t size, int32_t new_folder,
                 const char *new_path, size_t new_size, struct wasi_done *answer);
DUN_WASI_FILE("set-size") void wasi_set_size(int32_t file, uint64_t size, struct wasi_done *answer);
DUN_WASI_FILE("read-directory") void wasi_list_folder(int32_t folder, struct wasi_made *answer);
DUN_WASI("filesystem/types", "[method]directory-entry-stream.read-directory-entry")
void wasi_next_entry(int32_t entries, struct wasi_entry *answer);
DUN_WASI("filesystem/types", "[resource-drop]directory-entry-stream")
void wasi_drop_entries(int32_t entries);

/// wasi:sockets ///

enum { WASI_IPV4, WASI_IPV6 };
enum {
    WASI_ACCESS_DENIED = 1,
    WASI_TIMEOUT = 5,
    WASI_WOULD_BLOCK = 8,
    WASI_NO_SUCH_NAME = 18,
    WASI_LOOK_UP_FAILED = 20
};
enum { WASI_SEND = 1 };

struct wasi_connected {
    bool failed;
    union {
        uint8_t error;
        int32_t input;
    };
    int32_t output;
};

struct wasi_address {
    bool failed;
    union {
        uint8_t error;
        struct {
            bool there;
            _Alignas(2) uint8_t family;
            union {
                uint8_t ipv4[4];
                uint16_t ipv6[8];
            };
        };
    };
};

DUN_WASI("sockets/network", "[resource-drop]network") void wasi_drop_network(int32_t network);
DUN_WASI("sockets/instance-network", "instance-network") int32_t wasi_network(void);
DUN_WASI("sockets/tcp-create-socket", "create-tcp-socket")
void wasi_socket(int32_t family, struct wasi_made *answer);
DUN_WASI("sockets/tcp", "[resource-drop]tcp-socket") void wasi_drop_socket(int32_t socket);
/* IPv4: port and 4 bytes. IPv6: port, flow, 8 numbers of 16 bits, scope. */
DUN_WASI("sockets/tcp", "[method]tcp-socket.start-connect")
void wasi_connect(int32_t socket, int32_t network, int32_t family, int32_t port, int32_t a,
                  int32_t b, int32_t c, int32_t d, int32_t e, int32_t f, int32_t g, int32_t h,
                  int32_t i, int32_t scope, struct wasi_done *answer);
DUN_WASI("sockets/tcp", "[method]tcp-socket.finish-connect")
void wasi_connected(int32_t socket, struct wasi_connected *answer);
DUN_WASI("sockets/tcp", "[method]tcp-socket.subscribe") int32_t wasi_socket_ready(int32_t socket);
DUN_WASI("sockets/tcp", "[method]tcp-socket.shutdown")
void wasi_shutdown(int32_t socket, int32_t what, struct wasi_done *answer);
DUN_WASI("sockets/ip-name-lookup", "resolve-addresses")
void wasi_look_up(int32_t network, const char *name, size_t size, struct wasi_made *answer);
DUN_WASI("sockets/ip-name-lookup", "[method]resolve-address-stream.resolve-next-address")
void wasi_next_address(int32_t names, struct wasi_address *answer);
DUN_WASI("sockets/ip-name-lookup", "[method]resolve-address-stream.subscribe")
int32_t wasi_names_ready(int32_t names);
DUN_WASI("sockets/ip-name-lookup", "[resource-drop]resolve-address-stream")
void wasi_drop_names(int32_t names);

#define DUN_WASI_LAYOUT(name, size, member, offset)                                                \
    _Static_assert(sizeof(struct name) == (size) && offsetof(struct name, member) == (offset),     \
                   "wasi.h: this compiler lays structs out in another way than the ABI does")
DUN_WASI_LAYOUT(wasi_made, 8, handle, 4);
DUN_WASI_LAYOUT(wasi_streamed, 12, trouble.why, 8);
DUN_WASI_LAYOUT(wasi_room, 16, trouble.why, 12);
DUN_WASI_LAYOUT(wasi_read, 16, got, 4);
DUN_WASI_LAYOUT(wasi_moved, 16, size, 8);
DUN_WASI_LAYOUT(wasi_stat, 104, changed, 56);
DUN_WASI_LAYOUT(wasi_identity, 24, hash, 8);
DUN_WASI_LAYOUT(wasi_entry, 20, name, 12);
DUN_WASI_LAYOUT(wasi_connected, 12, output, 8);
DUN_WASI_LAYOUT(wasi_address, 22, ipv4, 6);

#endif

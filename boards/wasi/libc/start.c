/*
 * start.c: how the component begins. Arguments and environment are asked for once and stay; there
 * is no heap in this file and nothing is freed.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lend.h"
#include "unpack.h"
#include "wasi.h"

/* By the names that compiler, linker and component model know them by. */
void __wasm_call_ctors(void);
int __main_void(void);
int __main_argc_argv(int argc, char *argv[]);
extern const uint8_t __stack_low[];
int dun_wasi_run(void);

char **environ;

/// Start ///

/* What component.py left where the stack ends: whether it did, where to, and the packed bytes. */
static void unpack(void)
{
    uint32_t begin;
    if (__stack_low[0] != 0) {
        memcpy(&begin, __stack_low + 1, sizeof begin);
        dun_unpack(__stack_low + 1 + sizeof begin, (uint8_t *)(uintptr_t)begin);
    }
}

/* Texts of the component model have a length and no end. */
static char *copied(char *to, const struct wasi_list *from)
{
    memcpy(to, from->data, from->size);
    to[from->size] = '\0';
    return to;
}

static void take_environment(void)
{
    struct wasi_list all;
    dun_lend(NULL, 0);
    wasi_environment(&all);
    const struct wasi_variable *variables = all.data;
    environ = dun_take((all.size + 1) * sizeof environ[0]); /* which is zeroed: NULL at the end */
    for (size_t i = 0; i < all.size; i++) {
        const struct wasi_variable *from = &variables[i];
        environ[i] = dun_take(from->name.size + from->value.size + 2);
        copied(environ[i], &from->name);
        environ[i][from->name.size] = '=';
        copied(environ[i] + from->name.size + 1, &from->value);
    }
}

char *getenv(const char *name)
{
    size_t size = strlen(name);
    for (char **at = environ; *at != NULL; at++) {
        if (strncmp(*at, name, size) == 0 && (*at)[size] == '=') {
            return *at + size + 1;
        }
    }
    return NULL;
}

/* Taken if the program's main has arguments; one that has none is called by this name itself. */
__attribute__((weak)) int __main_void(void)
{
    struct wasi_list all;
    dun_lend(NULL, 0);
    wasi_arguments(&all);
    const struct wasi_list *texts = all.data;
    char **argv = dun_take((all.size + 1) * sizeof argv[0]);
    for (size_t i = 0; i < all.size; i++) {
        argv[i] = copied(dun_take(texts[i].size + 1), &texts[i]);
    }
    return __main_argc_argv((int)all.size, argv);
}

/* Taken if it has none. */
__attribute__((weak)) int __main_argc_argv(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    abort();
}

/* WASI 0.2 knows two ways to end: well (0) and not (1). */
__attribute__((export_name("wasi:cli/run@0.2.0#run"))) int dun_wasi_run(void)
{
    unpack();
    __wasm_call_ctors();
    take_environment();
    return __main_void() == 0 ? 0 : 1;
}

_Noreturn void _Exit(int code)
{
    wasi_exit(code != 0);
    abort();
}

_Noreturn void exit(int code)
{
    _Exit(code);
}

/*
 * start.c: how the component begins. Arguments and environment are asked for once and stay; there
 * is no heap in this file and nothing is freed.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/wasip2.h>

#include "lend.h"
#include "unpack.h"

/* By the names that compiler, linker and component model know them by. */
void __wasm_call_ctors(void);
int __main_void(void);
int __main_argc_argv(int argc, char *argv[]);
extern const uint8_t __stack_low[];
int dun_wasi_run(void);

char **environ;
void *cabi_realloc(void*,size_t,size_t,size_t);void *cabi_realloc(void*a,size_t b,size_t c,size_t d){(void)a;(void)b;(void)c;(void)d;abort();}

/// Start ///

/* What pack.py left where the stack ends: whether it did, where to, and the packed bytes. */
static void unpack(void)
{
    uint32_t begin;
    if (__stack_low[0] != 0) {
        memcpy(&begin, __stack_low + 1, sizeof begin);
        dun_unpack(__stack_low + 1 + sizeof begin, (uint8_t *)(uintptr_t)begin);
    }
}

/* Texts of the component model have a length and no end. */
static char *text_of(wasip2_string_t from)
{
    char *text = dun_take(from.len + 1);
    memcpy(text, from.ptr, from.len);
    text[from.len] = '\0';
    return text;
}

static void take_environment(void)
{
    wasip2_list_tuple2_string_string_t all;
    dun_lend(NULL, 0);
    environment_get_environment(&all);
    environ = dun_take((all.len + 1) * sizeof environ[0]);
    for (size_t i = 0; i < all.len; i++) {
        wasip2_string_t name = all.ptr[i].f0;
        wasip2_string_t value = all.ptr[i].f1;
        char *text = dun_take(name.len + value.len + 2);
        environ[i] = text;
        memcpy(text, name.ptr, name.len);
        text[name.len] = '=';
        memcpy(text + name.len + 1, value.ptr, value.len);
        text[name.len + 1 + value.len] = '\0';
    }
    environ[all.len] = NULL;
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
    wasip2_list_string_t all;
    dun_lend(NULL, 0);
    environment_get_arguments(&all);
    char **argv = dun_take((all.len + 1) * sizeof argv[0]);
    for (size_t i = 0; i < all.len; i++) {
        argv[i] = text_of(all.ptr[i]);
    }
    argv[all.len] = NULL;
    return __main_argc_argv((int)all.len, argv);
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
    exit_result_void_void_t status = {.is_err = code != 0};
    exit_exit(&status);
    abort();
}

_Noreturn void exit(int code)
{
    _Exit(code);
}

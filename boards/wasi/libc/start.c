/*
 * start.c: how the component begins, and where the runtime puts what it answers with. Arguments and
 * environment are asked for once and stay; there is no heap in this file and nothing is freed.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/wasip2.h>

#include "lend.h"

#define PAGE 65536

/* By the names that compiler, linker and component model know them by. */
void __wasm_call_ctors(void);
int __main_void(void);
int __main_argc_argv(int argc, char *argv[]);
void *cabi_realloc(void *old, size_t old_size, size_t alignment, size_t size);
int dun_wasi_run(void);

char **environ;

/// Memory for answers ///

static struct {
    uint8_t *lent;
    size_t lent_size;
    uint8_t *at; /* of what was taken for good */
    size_t left;
} memory;

void dun_lend(void *buffer, size_t size)
{
    memory.lent = buffer;
    memory.lent_size = size;
}

static void *take(size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (size > memory.left) {
        size_t pages = size / PAGE + 1;
        size_t begin = __builtin_wasm_memory_grow(0, pages);
        if (begin == SIZE_MAX) {
            abort();
        }
        memory.at = (uint8_t *)(begin * PAGE);
        memory.left = pages * PAGE;
    }
    memory.at += size;
    memory.left -= size;
    return memory.at - size;
}

/* The canonical ABI never shrinks nor grows what wasi:* 0.2 answers with: `old` is not there. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size,
                                                                size_t alignment, size_t size)
{
    (void)old;
    (void)old_size;
    if (size == 0) {
        return (void *)alignment;
    }
    if (memory.lent == NULL || size > memory.lent_size) {
        return take(size);
    }
    void *answer = memory.lent;
    memory.lent = NULL;
    return answer;
}

/// Start ///

/* Texts of the component model have a length and no end. */
static char *text_of(wasip2_string_t from)
{
    char *text = take(from.len + 1);
    memcpy(text, from.ptr, from.len);
    text[from.len] = '\0';
    return text;
}

static void take_environment(void)
{
    wasip2_list_tuple2_string_string_t all;
    dun_lend(NULL, 0);
    environment_get_environment(&all);
    environ = take((all.len + 1) * sizeof environ[0]);
    for (size_t i = 0; i < all.len; i++) {
        wasip2_string_t name = all.ptr[i].f0;
        wasip2_string_t value = all.ptr[i].f1;
        char *text = take(name.len + value.len + 2);
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
    char **argv = take((all.len + 1) * sizeof argv[0]);
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

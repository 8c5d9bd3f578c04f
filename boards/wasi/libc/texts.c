/*
 * texts.c: the functions of string.h that the agent calls, byte by byte: the libc's look at words
 * and are ten times as large, for texts of a few bytes.
 */
#define _GNU_SOURCE
#include <string.h>

size_t strlen(const char *text)
{
    const char *at = text;
    while (*at != '\0') {
        at++;
    }
    return (size_t)(at - text);
}

size_t strnlen(const char *text, size_t most)
{
    size_t size = 0;
    while (size < most && text[size] != '\0') {
        size++;
    }
    return size;
}

int strncmp(const char *left, const char *right, size_t most)
{
    for (; most > 0 && *left == *right && *left != '\0'; most--) {
        left++;
        right++;
    }
    return most > 0 ? (unsigned char)*left - (unsigned char)*right : 0;
}

int strcmp(const char *left, const char *right)
{
    return strncmp(left, right, (size_t)-1);
}

int memcmp(const void *left, const void *right, size_t size)
{
    const unsigned char *a = left;
    const unsigned char *b = right;
    for (; size > 0 && *a == *b; size--) {
        a++;
        b++;
    }
    return size > 0 ? *a - *b : 0;
}

void *memchr(const void *data, int byte, size_t size)
{
    const unsigned char *at = data;
    for (; size > 0; at++, size--) {
        if (*at == (unsigned char)byte) {
            return (void *)at;
        }
    }
    return NULL;
}

char *strchr(const char *text, int byte)
{
    return memchr(text, byte, strlen(text) + 1);
}

char *strrchr(const char *text, int byte)
{
    for (const char *at = text + strlen(text); at >= text; at--) {
        if (*at == (char)byte) {
            return (char *)at;
        }
    }
    return NULL;
}

size_t strspn(const char *text, const char *allowed)
{
    size_t size = 0;
    while (text[size] != '\0' && strchr(allowed, text[size]) != NULL) {
        size++;
    }
    return size;
}

size_t strcspn(const char *text, const char *refused)
{
    size_t size = 0;
    while (strchr(refused, text[size]) == NULL) { /* finds the end as well */
        size++;
    }
    return size;
}

char *strstr(const char *text, const char *wanted)
{
    size_t size = strlen(wanted);
    for (; strncmp(text, wanted, size) != 0; text++) {
        if (*text == '\0') {
            return NULL;
        }
    }
    return (char *)text;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    return memcpy(to, from, strlen(from) + 1);
}

char *strcat(char *restrict to, const char *restrict from)
{
    strcpy(to + strlen(to), from);
    return to;
}

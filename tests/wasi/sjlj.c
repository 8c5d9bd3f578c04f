/*
 * sjlj.c: the half of setjmp that clang 16 calls by other names than the libc has. A call of setjmp
 * is a number and a label in a table of the calling function, which ends with a number 0.
 */
#include <stdint.h>
#include <stdlib.h>

struct entry {
    uintptr_t number;
    uint32_t label;
};

static uintptr_t last_number;
static uint32_t second_result;

uint32_t getTempRet0(void);
struct entry *saveSetjmp(uintptr_t *env, uint32_t label, struct entry *table, uint32_t size);
uint32_t testSetjmp(uintptr_t number, const struct entry *table, uint32_t size);

uint32_t getTempRet0(void)
{
    return second_result;
}

/* Returns the table, and its size as the second result. */
struct entry *saveSetjmp(uintptr_t *env, uint32_t label, struct entry *table, uint32_t size)
{
    uint32_t at = 0;
    *env = ++last_number;
    while (at < size && table[at].number != 0) {
        at++;
    }
    if (at + 1 >= size) {
        size = 2 * (size + 1);
        table = realloc(table, size * sizeof *table);
        if (table == NULL) {
            abort();
        }
    }
    table[at] = (struct entry){*env, label};
    table[at + 1].number = 0;
    second_result = size;
    return table;
}

uint32_t testSetjmp(uintptr_t number, const struct entry *table, uint32_t size)
{
    for (uint32_t i = 0; i < size && table[i].number != 0; i++) {
        if (table[i].number == number) {
            return table[i].label;
        }
    }
    return 0;
}

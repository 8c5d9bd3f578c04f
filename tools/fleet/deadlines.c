/* deadlines.c: a binary heap. All sleepers are in it always, so that nothing is ever searched. */
#include "deadlines.h"

#include <stdlib.h>

bool dun_deadlines_init(struct dun_deadlines *deadlines, uint32_t count)
{
    deadlines->count = count;
    deadlines->heap = calloc(count, sizeof *deadlines->heap);
    deadlines->place = calloc(count, sizeof *deadlines->place);
    if (deadlines->heap == NULL || deadlines->place == NULL) {
        dun_deadlines_free(deadlines);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        deadlines->heap[i] = (struct dun_deadline){DUN_MS_NEVER, i};
        deadlines->place[i] = i;
    }
    return true;
}

void dun_deadlines_free(struct dun_deadlines *deadlines)
{
    free(deadlines->heap);
    free(deadlines->place);
    *deadlines = (struct dun_deadlines){NULL, NULL, 0};
}

static void put(struct dun_deadlines *deadlines, uint32_t place, struct dun_deadline deadline)
{
    deadlines->heap[place] = deadline;
    deadlines->place[deadline.who] = place;
}

static uint32_t rise(struct dun_deadlines *deadlines, uint32_t place, dun_ms at)
{
    while (place > 0 && deadlines->heap[(place - 1) / 2].at > at) {
        put(deadlines, place, deadlines->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    return place;
}

static uint32_t sink(struct dun_deadlines *deadlines, uint32_t place, dun_ms at)
{
    for (;;) {
        uint32_t below = 2 * place + 1;
        if (below >= deadlines->count) {
            return place;
        }
        if (below + 1 < deadlines->count &&
            deadlines->heap[below + 1].at < deadlines->heap[below].at) {
            below++;
        }
        if (deadlines->heap[below].at >= at) {
            return place;
        }
        put(deadlines, place, deadlines->heap[below]);
        place = below;
    }
}

void dun_deadlines_set(struct dun_deadlines *deadlines, uint32_t who, dun_ms at)
{
    uint32_t place = deadlines->place[who];
    dun_ms before = deadlines->heap[place].at;
    if (before == at) {
        return;
    }
    place = at < before ? rise(deadlines, place, at) : sink(deadlines, place, at);
    put(deadlines, place, (struct dun_deadline){at, who});
}

dun_ms dun_deadlines_of(const struct dun_deadlines *deadlines, uint32_t who)
{
    return deadlines->heap[deadlines->place[who]].at;
}

struct dun_deadline dun_deadlines_first(const struct dun_deadlines *deadlines)
{
    return deadlines->heap[0];
}

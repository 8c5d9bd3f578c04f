/* window.c: the ring of publishes in flight. It knows nothing of logs and brokers. */
#include "window.h"

#define SEQUENCE_MASK (((dun_sequence)1 << DUN_WINDOW_SEQUENCE_BITS) - 1)

struct dun_window_slot *dun_window_at(const struct dun_window *window, uint16_t nth)
{
    return &window->slots[dun_window_token(window, nth)];
}

uint16_t dun_window_token(const struct dun_window *window, uint16_t nth)
{
    uint32_t index = (uint32_t)window->head + nth;
    return (uint16_t)(index < window->capacity ? index : index - window->capacity);
}

struct dun_window_slot *dun_window_find(const struct dun_window *window, uint16_t token)
{
    if (token >= window->capacity)
        return NULL;
    uint32_t nth = token >= window->head ? (uint32_t)token - window->head
                                         : (uint32_t)token + window->capacity - window->head;
    if (nth >= window->sent || window->slots[token].acked)
        return NULL;
    return &window->slots[token];
}

void dun_window_push(struct dun_window *window, dun_sequence sequence, uint8_t lane)
{
    DUN_ASSERT(window->count < window->capacity);
    struct dun_window_slot *slot = dun_window_at(window, window->count++);
    *slot = (struct dun_window_slot){.sequence = (uint32_t)(sequence & SEQUENCE_MASK),
                                     .lane = lane & 7u};
}

void dun_window_pop(struct dun_window *window)
{
    DUN_ASSERT(window->count > 0);
    window->head = dun_window_token(window, 1);
    window->count--;
    if (window->sent > 0)
        window->sent--;
}

bool dun_window_has(const struct dun_window *window, dun_sequence sequence, uint8_t lanes)
{
    for (uint16_t i = 0; i < window->count; i++) {
        const struct dun_window_slot *slot = dun_window_at(window, i);
        if (slot->sequence == (sequence & SEQUENCE_MASK) && (lanes >> slot->lane & 1))
            return true;
    }
    return false;
}

uint16_t dun_window_lane_count(const struct dun_window *window, uint8_t lane)
{
    uint16_t count = 0;
    for (uint16_t i = 0; i < window->count; i++)
        if (dun_window_at(window, i)->lane == lane)
            count++;
    return count;
}

dun_sequence dun_window_sequence(const struct dun_window_slot *slot, dun_sequence near)
{
    dun_sequence ahead = (slot->sequence - near) & SEQUENCE_MASK;
    return ahead <= SEQUENCE_MASK / 2 ? near + ahead : near + ahead - SEQUENCE_MASK - 1;
}

/* chaos.c: random faults come as a Poisson process: the wait for the next one is exponential. */
#include "chaos.h"

#include <math.h>

#include "signals.h"

#define REBOOT_MS_MIN 500 /* without power */
#define REBOOT_MS_MAX 3000

static uint64_t draw(struct dun_chaos *chaos)
{
    return dun_signal_hash(chaos->random++, 0, 4);
}

static dun_ms after(struct dun_chaos *chaos, int kind, dun_ms now)
{
    double rate = chaos->plan->a_second[kind];
    double part = ((double)(draw(chaos) >> 11) + 0.5) / 9007199254740992.0; /* 2^53 */
    double wait_ms = rate > 0 ? -log(part) / rate * 1000 : 1e15;
    return wait_ms < 1e14 ? now + (dun_ms)wait_ms : DUN_MS_NEVER;
}

void dun_chaos_init(struct dun_chaos *chaos, const struct dun_chaos_plan *plan, uint64_t seed)
{
    *chaos = (struct dun_chaos){.plan = plan, .random = dun_signal_hash(seed, 0, 5)};
    for (int kind = 0; kind < DUN_CHAOS_KINDS; kind++) {
        chaos->next[kind] = after(chaos, kind, 0);
    }
}

static dun_ms storm_ms(const struct dun_chaos *chaos)
{
    return chaos->storms_done < chaos->plan->storm_count
               ? chaos->plan->storms[chaos->storms_done].at
               : DUN_MS_NEVER;
}

dun_ms dun_chaos_deadline(const struct dun_chaos *chaos)
{
    dun_ms deadline = storm_ms(chaos);
    for (int kind = 0; kind < DUN_CHAOS_KINDS; kind++) {
        deadline = dun_ms_earlier(deadline, chaos->next[kind]);
    }
    return deadline;
}

static dun_ms amount_of(struct dun_chaos *chaos, int kind)
{
    const struct dun_chaos_plan *plan = chaos->plan;
    switch (kind) {
    case DUN_CHAOS_REBOOT:
        return REBOOT_MS_MIN + (dun_ms)(draw(chaos) % (REBOOT_MS_MAX - REBOOT_MS_MIN));
    case DUN_CHAOS_CLOCK:
        return (dun_ms)(draw(chaos) % (uint64_t)(2 * plan->jump_ms + 1)) - plan->jump_ms;
    default: /* from half as long to half as long again */
        return plan->cut_ms / 2 + (dun_ms)(draw(chaos) % (uint64_t)(plan->cut_ms + 1));
    }
}

bool dun_chaos_take(struct dun_chaos *chaos, uint32_t count, dun_ms now,
                    struct dun_chaos_event *event)
{
    if (now >= storm_ms(chaos)) {
        const struct dun_chaos_storm *storm = &chaos->plan->storms[chaos->storms_done++];
        *event = (struct dun_chaos_event){.kind = DUN_CHAOS_STORM, .amount = storm->duration_ms};
        return true;
    }
    for (int kind = 0; kind < DUN_CHAOS_KINDS; kind++) {
        if (now >= chaos->next[kind]) {
            chaos->next[kind] = after(chaos, kind, chaos->next[kind]);
            chaos->counts[kind]++;
            *event = (struct dun_chaos_event){.kind = (uint8_t)kind,
                                              .who = (uint32_t)(draw(chaos) % count),
                                              .amount = amount_of(chaos, kind)};
            return true;
        }
    }
    return false;
}

/* log_rejected.c: see log_rejected.h. Nothing is written: only this process' view goes back. */
#include "log_rejected.h"

static bool keep(struct dun_list *refusals, struct dun_log_refusal refusal)
{
    bool refused = refusal.reason == DUN_LOSS_REJECTED || refusal.reason == DUN_LOSS_TOO_LARGE;
    if (!refused || refusal.first == 0) {
        return true;
    }
    struct dun_log_refusal *room = dun_list_add(refusals, sizeof *room);
    if (room != NULL) {
        *room = refusal;
    }
    return room != NULL;
}

static bool keep_ledger(const struct dun_log_view *view, struct dun_list *refusals)
{
    bool ok = true;
    for (uint16_t i = 0; i < view->told_count && ok; i++) {
        const struct dun_loss *loss = &view->told[i];
        bool coded = loss->reason >= DUN_LOSS_CODES;
        ok = keep(refusals, (struct dun_log_refusal){
                                .first = loss->first,
                                .last = loss->last,
                                .reason = coded ? DUN_LOSS_REJECTED : loss->reason,
                                .code = coded ? loss->reason : 0,
                            });
    }
    return ok;
}

/* What the record at hand, in view->decoder.record, tells. */
static bool keep_told(const struct dun_log_view *view, struct dun_list *refusals)
{
    const dunlin_v1_Loss *losses = view->decoder.record.losses.items;
    bool ok = true;
    for (size_t i = 0; i < view->decoder.record.losses.count && ok; i++) {
        if ((unsigned)losses[i].reason <= DUN_LOSS_THINNED) {
            ok = keep(refusals, (struct dun_log_refusal){.first = losses[i].first,
                                                         .last = losses[i].last,
                                                         .reason = (uint8_t)losses[i].reason,
                                                         .code = losses[i].code});
        }
    }
    return ok;
}

int dun_log_rejected_find(struct dun_log_view *view, struct dun_list *refusals)
{
    struct dun_log_cursor cursor = {.sequence = 0};
    struct dun_log_contents contents;
    struct dun_complaint complaint;
    struct dun_span payload;
    int result = 1;
    view->log.cursor = view->chain_first;
    view->log.done_used = 0;
    bool ok = keep_ledger(view, refusals);
    while (ok && (result = dun_log_view_next(view, &cursor, &payload)) == 1) {
        dun_log_view_look(view, payload, &contents, &complaint);
        if (contents.channel != DUN_CHANNEL_NONE) {
            dun_decoder_render(&view->decoder, contents.channel, view->device, payload);
            ok = keep_told(view, refusals);
        }
    }
    return ok ? result : DUN_E_FULL;
}

const struct dun_log_refusal *dun_log_rejected_at(const struct dun_list *refusals,
                                                  uint64_t sequence)
{
    const struct dun_log_refusal *all = refusals->items;
    for (size_t i = 0; i < refusals->count; i++) {
        if (sequence >= all[i].first && sequence <= all[i].last) {
            return &all[i];
        }
    }
    return NULL;
}

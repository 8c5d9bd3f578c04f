/*
 * notes.h: turns what is not a point (metrics, anchors, losses, about, stored, status) into notes
 * for the renderer, from decoder->record.
 */
#ifndef DUN_NOTES_H
#define DUN_NOTES_H

#include "decoder.h"

/* Names of enum LossReason, in small letters. */
#define DUN_LOSS_REASON_COUNT 8
extern const char *const dun_loss_reasons[DUN_LOSS_REASON_COUNT];

void dun_notes_metrics(struct dun_decoder *decoder, struct dun_span device);
void dun_notes_ledger(struct dun_decoder *decoder, struct dun_span device); /* anchors, losses */
void dun_notes_about(struct dun_decoder *decoder, struct dun_span device);
void dun_notes_stored(struct dun_decoder *decoder, struct dun_span device);
void dun_notes_status(struct dun_decoder *decoder, struct dun_span device, struct dun_span text);

#endif

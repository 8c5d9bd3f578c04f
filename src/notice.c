/* notice.c: a bounded queue of notices. It never blocks and never drops an old one for a new one.
 */
#include "notice.h"

void dun_notices_add(struct dun_notices *notices, const struct dun_notice *notice)
{
    if (notices->count == notices->capacity) {
        notices->missed++;
        return;
    }
    notices->ring[(notices->head + notices->count) % notices->capacity] = *notice;
    notices->count++;
}

bool dun_notices_take(struct dun_notices *notices, struct dun_notice *notice)
{
    if (notices->count == 0)
        return false;
    *notice = notices->ring[notices->head];
    notices->head = (uint16_t)((notices->head + 1) % notices->capacity);
    notices->count--;
    return true;
}

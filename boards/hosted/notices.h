/* notices.h: turns what the core noticed into log lines. */
#ifndef DUN_HOSTED_NOTICES_H
#define DUN_HOSTED_NOTICES_H

#include "notice.h"

void dun_say_notice(const struct dun_notice *notice, dun_ms now, dun_ms unix_ms);

#endif

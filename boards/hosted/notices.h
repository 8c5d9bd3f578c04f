/* notices.h: turns what the core noticed into log lines. */
#ifndef DUN_HOSTED_NOTICES_H
#define DUN_HOSTED_NOTICES_H

#include "daemon.h"
#include "notice.h"

/* `tls`: on the newest connection, NULL if it is without TLS. */
void dun_say_notice(const struct dun_notice *notice, const struct dun_daemon_tls *tls, dun_ms now,
                    dun_ms unix_ms);

#endif

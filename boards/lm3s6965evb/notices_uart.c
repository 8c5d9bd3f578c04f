/* notices_uart.c: see notices_uart.h. The events have the names that they have in dunlind's log. */
#include "notices_uart.h"

#include "uart.h"

static const char *name_of(enum dun_notice_kind kind)
{
    static const char *const names[] = {
        [DUN_NOTICE_UP] = "connected",
        [DUN_NOTICE_DOWN] = "disconnected",
        [DUN_NOTICE_MOUNTED] = "log mounted",
        [DUN_NOTICE_FORMATTED] = "log formatted",
        [DUN_NOTICE_STORAGE_FAILED] = "storage failed",
        [DUN_NOTICE_STORAGE_BACK] = "storage is back",
        [DUN_NOTICE_LOST] = "records dropped",
        [DUN_NOTICE_POINTS_LOST] = "points lost",
        [DUN_NOTICE_CLOCK] = "clock",
        [DUN_NOTICE_SENSOR_FAILED] = "sensor failed",
        [DUN_NOTICE_STORED_IGNORED] = "stored cursor ignored",
        [DUN_NOTICE_REJECTED] = "record rejected",
        [DUN_NOTICE_CONFIG] = "remote configuration",
    };
    return kind < sizeof names / sizeof names[0] && names[kind] != NULL ? names[kind] : "notice";
}

static void tell(const char *key, int64_t value)
{
    if (value == 0) {
        return;
    }
    dun_uart_text(" ");
    dun_uart_text(key);
    dun_uart_text("=");
    dun_uart_number(value);
}

void dun_lm3s_notices(struct dun_agent *agent)
{
    struct dun_notice notice;
    while (dun_agent_notice(agent, &notice)) {
        dun_uart_text(name_of(notice.kind));
        if (notice.name != NULL) {
            dun_uart_text(" ");
            dun_uart_text(notice.name);
        }
        tell("error", notice.error);
        tell("reason", notice.reason);
        tell("value", notice.value);
        tell("delay_ms", notice.delay_ms);
        dun_uart_text("\n");
    }
}

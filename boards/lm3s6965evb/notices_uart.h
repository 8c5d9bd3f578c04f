/* notices_uart.h: the agent's notices as lines on the UART. */
#ifndef DUN_LM3S_NOTICES_H
#define DUN_LM3S_NOTICES_H

#include "agent.h"

void dun_lm3s_notices(struct dun_agent *agent);

#endif

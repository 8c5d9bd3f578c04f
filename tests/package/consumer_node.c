/* consumer_node.c: an installed node.c, compiled with a profile.h of the consumer's own. */
#include <stdlib.h>

#include "node.h"

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    (void)file;
    (void)line;
    (void)condition;
    abort();
}

int main(void)
{
    static struct dun_node node;
    const struct dun_node_config config = {.agent = {.device = "a/b", .boot = 1}};
    const char *what = NULL;
    return dun_node_init(&node, &config, 0, &what) == DUN_E_INVALID ? 0 : 1;
}

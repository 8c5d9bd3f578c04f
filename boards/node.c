/* node.c: the composition that all boards share. It owns no policy and no memory of its own. */
#include "node.h"

_Static_assert(DUN_PROFILE_POINTS_MAX < DUN_POINT_NONE,
               "profile.h: DUN_PROFILE_POINTS_MAX must be below 65535");
_Static_assert(DUN_PROFILE_LOSSES_MAX >= 4, "profile.h: raise DUN_PROFILE_LOSSES_MAX to 4");
_Static_assert(DUN_PROFILE_WINDOW >= 1 && DUN_PROFILE_WINDOW < 0x7F00,
               "profile.h: DUN_PROFILE_WINDOW must be 1 to 32511");

#define BUFFER(array) ((struct dun_buffer){(array), sizeof(array)})

static struct dun_agent_parts parts_of(struct dun_node *node, const struct dun_node_config *config)
{
    return (struct dun_agent_parts){
        .catalog = &node->catalog,
        .batch = &node->batch,
        .store = {.name = "log",
                  .flash = config->flash,
                  .in_ram = config->flash_in_ram,
                  .unit = BUFFER(node->unit),
                  .losses = node->losses,
                  .losses_max = DUN_PROFILE_LOSSES_MAX,
                  .new_stream = config->stream,
                  .overflow = config->overflow},
        .spare = {.name = "memory",
                  .flash = config->spare,
                  .unit = BUFFER(node->spare_unit),
                  .losses = node->spare_losses,
                  .losses_max = DUN_PROFILE_LOSSES_MAX,
                  .new_stream = config->spare_stream},
        .archive = {.name = "archive",
                    .flash = config->archive,
                    .unit = BUFFER(node->archive_unit),
                    .losses = node->archive_losses,
                    .losses_max = DUN_LEDGER_CAPACITY_MIN,
                    .new_stream = config->archive_stream},
        .limits = node->limits,
        .window = node->window,
        .window_max = DUN_PROFILE_WINDOW,
        .sensors = config->sensors,
        .sensor_count = config->sensor_count,
        .uplink = &node->uplink,
        .uplink_config = config->broker,
    };
}

int dun_node_init(struct dun_node *node, const struct dun_node_config *config, dun_ms now,
                  const char **what)
{
    if (what)
        *what = "profile";
    int result = dun_node_uplink_init(&node->connection, config->link, config->tls, &node->uplink);
    if (result < 0)
        return result;
    dun_catalog_init(&node->catalog, node->metrics, DUN_PROFILE_METRICS_MAX);
    dun_batch_init(&node->batch, node->points, DUN_PROFILE_POINTS_MAX, node->chains,
                   DUN_PROFILE_METRICS_MAX);
    struct dun_agent_parts parts = parts_of(node, config);
    return dun_agent_init(&node->agent, &config->agent, &parts, now, what);
}

/* node.c: the composition that all boards share. It owns no policy and no memory of its own. */
#include "node.h"

_Static_assert(DUN_PROFILE_POINTS_MAX < DUN_POINT_NONE,
               "profile.h: DUN_PROFILE_POINTS_MAX must be below 65535");
_Static_assert(DUN_PROFILE_LOSSES_MAX >= 4, "profile.h: raise DUN_PROFILE_LOSSES_MAX to 4");
_Static_assert(DUN_PROFILE_STORES >= 1 && DUN_PROFILE_STORES <= 3,
               "profile.h: DUN_PROFILE_STORES must be 1 to 3");
_Static_assert(DUN_PROFILE_WINDOW >= 1 && DUN_PROFILE_WINDOW < 0x7F00,
               "profile.h: DUN_PROFILE_WINDOW must be 1 to 32511");

#define BUFFER(array) ((struct dun_buffer){(array), sizeof(array)})

/* The flashes that a node may have, in the order of its stores. */
enum { LOG, SPARE, ARCHIVE };

static struct dun_store *store_of(struct dun_node *node, unsigned which,
                                  const struct dun_store_config *config)
{
    if (!config->flash || which >= DUN_PROFILE_STORES)
        return NULL;
    struct dun_node_store *memory = &node->stores[which];
    dun_store_init(&memory->store, config);
    memory->store.config.unit = BUFFER(memory->unit);
    memory->store.config.losses = memory->losses;
    memory->store.config.losses_max = DUN_PROFILE_LOSSES_MAX;
    return &memory->store;
}

static bool profile_has(const struct dun_node_config *config)
{
    return config->archive ? DUN_PROFILE_STORES > ARCHIVE
                           : !config->spare || DUN_PROFILE_STORES > SPARE;
}

static struct dun_agent_parts parts_of(struct dun_node *node, const struct dun_node_config *config)
{
    const struct dun_store_config log = {.name = "log",
                                         .flash = config->flash,
                                         .in_ram = config->flash_in_ram,
                                         .new_stream = config->stream,
                                         .overflow = config->overflow};
    const struct dun_store_config spare = {
        .name = "memory", .flash = config->spare, .new_stream = config->spare_stream};
    const struct dun_store_config archive = {
        .name = "archive", .flash = config->archive, .new_stream = config->archive_stream};
    return (struct dun_agent_parts){
        .catalog = &node->catalog,
        .batch = &node->batch,
        .store = store_of(node, LOG, &log),
        .spare = store_of(node, SPARE, &spare),
        .archive = store_of(node, ARCHIVE, &archive),
        .limits = node->limits,
        .notices = node->notices,
        .notices_max = DUN_PROFILE_NOTICES,
        .redirect_host = node->redirect_host,
        .redirect_size = DUN_PROFILE_REDIRECT_SIZE,
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
    if (!profile_has(config))
        return DUN_E_INVALID;
    int result = dun_node_uplink_init(&node->connection, config->link, config->tls, &node->uplink);
    if (result < 0)
        return result;
    dun_catalog_init(&node->catalog, node->metrics, DUN_PROFILE_METRICS_MAX);
    dun_batch_init(&node->batch, node->points, DUN_PROFILE_POINTS_MAX, node->chains,
                   DUN_PROFILE_METRICS_MAX);
    struct dun_agent_parts parts = parts_of(node, config);
    return dun_agent_init(&node->agent, &config->agent, &parts, now, what);
}

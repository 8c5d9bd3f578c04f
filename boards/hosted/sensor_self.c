/*
 * sensor_self.c: how the agent itself is doing: its log, its link, and what was lost. The names are
 * ours (dunlin.*), since the conventions have none for this.
 */
#include "sensor_shared.h"

#define DIRECTION "network.io.direction"

static const struct dun_shape shapes[DUN_SELF_METRICS] = {
    {"dunlin.log.usage", "By", NULL, NULL, DUN_GAUGE, 0},
    {"dunlin.log.limit", "By", NULL, NULL, DUN_GAUGE, 0},
    {"dunlin.log.backlog", "{record}", NULL, NULL, DUN_GAUGE, 0},
    {"dunlin.log.stored", "{record}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.log.dropped", "{record}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.log.errors", "{error}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.points.lost", "{point}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.link.up", "1", NULL, NULL, DUN_BOOLEAN, 0},
    {"dunlin.link.connects", "{connection}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.link.failures", "{connection}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.link.published", "{record}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.link.acked", "{record}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.link.rejected", "{record}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.link.deferred", "{record}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.link.redirects", "{redirect}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.link.unmatched_acks", "{ack}", NULL, NULL, DUN_COUNTER, 0},
    {"dunlin.link.io", "By", DIRECTION, "receive", DUN_COUNTER, 0},
    {"dunlin.link.io", "By", DIRECTION, "transmit", DUN_COUNTER, 0},
    {"dunlin.sensor.errors", "{error}", NULL, NULL, DUN_COUNTER, 0},
};

int dun_read_self(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_sensors *sensors = sensor->context;
    const struct dun_stats *stats = dun_agent_stats(agent);
    const struct dun_store *store = agent->store->mounted ? agent->store : agent->spare;
    struct dun_uplink_stats link = {0};
    agent->parts.uplink->stats(agent->parts.uplink->context, &link);
    const uint64_t values[DUN_SELF_METRICS] = {
        store->mounted ? dun_log_used(&store->log) : 0,
        store->mounted ? dun_log_capacity(&store->log) : 0,
        dun_agent_backlog(agent),
        stats->records_stored,
        stats->records_dropped,
        stats->storage_errors,
        stats->points_lost,
        dun_agent_is_up(agent) ? 1 : 0,
        stats->connects,
        stats->connect_failures + stats->disconnects,
        stats->records_published,
        stats->records_acked,
        stats->records_rejected,
        stats->records_deferred,
        stats->redirects,
        link.unmatched_acks,
        link.bytes_in,
        link.bytes_out,
        stats->sensor_errors,
    };
    for (int i = 0; i < DUN_SELF_METRICS; i++) {
        bool has_log = store->mounted || i >= 2;
        if (has_log) {
            dun_put(sensors, agent, &sensors->self_ids[i], &shapes[i], NULL, 0,
                    dun_count(values[i]), now);
        }
    }
    return DUN_OK;
}

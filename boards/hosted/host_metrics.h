/*
 * host_metrics.h: how exactly the noisy metrics of a host are sent where the file says nothing: as
 * exactly as somebody looks at them. Each value is still sent; half of the bytes are not. A section
 * [metric NAME] of the file for the same metric takes the place of a line here.
 */
#ifndef DUN_HOSTED_HOST_METRICS_H
#define DUN_HOSTED_HOST_METRICS_H

/* {metric, resolution in its unit, dead_band, heartbeat}, as texts; "": none. */
#define DUN_HOST_METRICS                                                                           \
    {"system.memory.usage", "1048576", "", ""},                                                    \
        {"system.memory.linux.available", "1048576", "", ""},                                      \
        {"system.filesystem.usage", "1048576", "", ""},                                            \
        {"system.cpu.utilization", "0.005", "", ""}, {"system.disk.io", "1024", "", ""},           \
    {                                                                                              \
        "system.network.io", "1024", "", ""                                                        \
    }

#endif

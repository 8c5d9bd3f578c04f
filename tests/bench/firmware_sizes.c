/* firmware_sizes.c: never linked: the size of each array is that of the struct of its name, for
 * whoever reads the object's symbols. */
#include "node.h"

#define SIZE_OF(name)                                                                              \
    extern char name[sizeof(struct name)];                                                         \
    char name[sizeof(struct name)]

SIZE_OF(dun_node); /* all of it, with the buffers that the profile sizes */
SIZE_OF(dun_agent);
SIZE_OF(dun_store); /* of the log */
SIZE_OF(dun_uplink_mqtt);
SIZE_OF(dun_uplink);
SIZE_OF(dun_catalog);
SIZE_OF(dun_batch);

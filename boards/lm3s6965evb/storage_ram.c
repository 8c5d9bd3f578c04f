/* storage_ram.c: see storage.h. The linker script keeps the place of the provisioning block free.
 */
#include <string.h>

#include "storage.h"

extern const uint8_t identity_block[DUN_IDENTITY_SIZE];

void dun_lm3s_storage_start(struct dun_lm3s_storage *storage, struct dun_identity *identity)
{
    static uint8_t block[DUN_IDENTITY_SIZE + 1];
    const char *what;
    memcpy(block, identity_block, DUN_IDENTITY_SIZE);
    int result = dun_identity_parse(identity, block, &what);
    if (result != DUN_OK) {
        dun_lm3s_unprovisioned(identity, what, result);
    }
    dun_lm3s_ram(&storage->log, false);
    storage->in_ram = true;
}

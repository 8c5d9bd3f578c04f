/* rights.h: what the sandbox withholds, said before anything fails of it. */
#ifndef DUN_WASI_RIGHTS_H
#define DUN_WASI_RIGHTS_H

#include "config.h"

/* A warning for each right that the configuration needs and the component does not have; it names
 * the flag of the runtime that grants it. Makes the state folder if only its last name is missing.
 */
void dun_rights_survey(const struct dun_config *config);

#endif

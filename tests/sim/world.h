/* world.h: the faults as they come, and the passing of time. */
#ifndef DUN_SIM_WORLD_H
#define DUN_SIM_WORLD_H

#include "sim.h"

/* Draws when each fault comes first. */
void faults_start(struct sim *sim);
dun_ms faults_wake(const struct sim *sim);
/* Lets happen what is due. */
void faults_run(struct sim *sim);
/* Ends all of them for good. */
void faults_end(struct sim *sim);

#endif

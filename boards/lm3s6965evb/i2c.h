/* i2c.h: the I2C master 0 (PB2, PB3; 100 kHz) as a struct dun_bus. */
#ifndef DUN_LM3S_I2C_H
#define DUN_LM3S_I2C_H

#include "bus.h"

/* Starts the controller and returns it. */
const struct dun_bus *dun_i2c_start(void);

#endif

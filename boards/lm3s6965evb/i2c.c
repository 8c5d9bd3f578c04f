/*
 * i2c.c: see i2c.h. A byte at 100 kHz takes 90 us; it is waited for, not for ever. QEMU knows no
 * repeated start, and no driver here needs one: each transfer ends with a stop.
 */
#include "i2c.h"

#include "clock_lm3s.h"
#include "registers.h"

#define PINS        0x0Cu
#define SDA         0x08u
#define MCR_MASTER  0x10u
#define MCS_RUN     0x01u
#define MCS_START   0x02u
#define MCS_STOP    0x04u
#define MCS_ACK     0x08u
#define MCS_BUSY    0x01u
#define MCS_ERROR   0x02u
#define MCS_NO_ADDR 0x04u
#define MCS_LOST    0x10u
#define READING     1u
#define SCL_HZ      100000u
#define TRIES       20000

static int run(uint32_t command)
{
    I2C0_MCS = command;
    int tries = TRIES;
    while ((I2C0_MCS & MCS_BUSY) && --tries > 0) {
    }
    uint32_t state = I2C0_MCS;
    if (tries == 0) {
        return DUN_E_TIMEOUT;
    }
    if (!(state & MCS_ERROR)) {
        return DUN_OK;
    }
    bool nobody = (command & MCS_START) && (state & (MCS_NO_ADDR | MCS_LOST));
    if (!(command & MCS_STOP) && !(state & MCS_LOST)) {
        I2C0_MCS = MCS_STOP;
    }
    return nobody ? DUN_E_NOT_FOUND : DUN_E_IO;
}

/* Which of start and stop stand around byte `i` of `size`. */
static uint32_t around(size_t i, size_t size)
{
    return MCS_RUN | (i == 0 ? MCS_START : 0) | (i + 1 == size ? MCS_STOP : 0);
}

static int i2c_write(void *context, uint8_t address, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    int result = DUN_OK;
    (void)context;
    I2C0_MSA = (uint32_t)address << 1;
    for (size_t i = 0; i < size && result == DUN_OK; i++) {
        I2C0_MDR = bytes[i];
        result = run(around(i, size));
    }
    return result;
}

static int i2c_read(void *context, uint8_t address, void *data, size_t size)
{
    uint8_t *bytes = data;
    int result = DUN_OK;
    (void)context;
    I2C0_MSA = (uint32_t)address << 1 | READING;
    for (size_t i = 0; i < size && result == DUN_OK; i++) {
        result = run(around(i, size) | (i + 1 < size ? MCS_ACK : 0));
        bytes[i] = (uint8_t)I2C0_MDR;
    }
    return result;
}

const struct dun_bus *dun_i2c_start(void)
{
    static const struct dun_bus bus = {.write = i2c_write, .read = i2c_read};
    SYSCTL_RCGC1 |= 1u << 12;
    SYSCTL_RCGC2 |= 1u << 1;
    GPIO_B_AFSEL |= PINS;
    GPIO_B_ODR |= SDA;
    GPIO_B_DEN |= PINS;
    I2C0_MCR = MCR_MASTER;
    I2C0_MTPR = DUN_LM3S_CLOCK_HZ / (2 * 10 * SCL_HZ) - 1;
    return &bus;
}

/* sdcard.c: see sdcard.h. Waiting is bounded by a count of bytes clocked, not by a clock. */
#include "sdcard.h"

#include "registers.h"

#define CS_PIN        1u
#define SR_TX_ROOM    2u
#define SR_RX_THERE   4u
#define CR0_8BIT_SPI  0x0007u
#define CR1_ENABLE    2u
#define CPSR_SLOW     126u /* under 400 kHz while the card wakes */
#define CPSR_FAST     2u
#define WAKE_TRIES    2000
#define ANSWER_TRIES  16
#define BUSY_TRIES    1000000
#define R1_IDLE       0x01u
#define R1_ILLEGAL    0x04u
#define TOKEN_DATA    0xFEu
#define OCR_BY_SECTOR 0x40u

enum command {
    GO_IDLE = 0,
    SEND_IF_COND = 8,
    SET_BLOCKLEN = 16,
    READ_SINGLE = 17,
    WRITE_SINGLE = 24,
    SEND_OP_COND = 41,
    APP_COMMAND = 55,
    READ_OCR = 58,
};

static bool by_sector; /* the card counts sectors, not bytes */

static uint8_t exchange(uint8_t out)
{
    while (!(SSI0_SR & SR_TX_ROOM)) {
    }
    SSI0_DR = out;
    while (!(SSI0_SR & SR_RX_THERE)) {
    }
    return (uint8_t)SSI0_DR;
}

static void select(bool on)
{
    GPIO_D_DATA(CS_PIN) = on ? 0 : CS_PIN;
    exchange(0xFF);
}

static uint8_t command(enum command index, uint32_t argument)
{
    uint8_t crc = index == GO_IDLE ? 0x95 : index == SEND_IF_COND ? 0x87 : 0x01;
    exchange(0xFF); /* the card ends its last answer */
    exchange((uint8_t)(0x40u | index));
    for (int shift = 24; shift >= 0; shift -= 8) {
        exchange((uint8_t)(argument >> shift));
    }
    exchange(crc);
    uint8_t answer = 0xFF;
    for (int i = 0; i < ANSWER_TRIES && (answer & 0x80); i++) {
        answer = exchange(0xFF);
    }
    return answer;
}

static uint32_t trailing_word(void)
{
    uint32_t word = 0;
    for (int i = 0; i < 4; i++) {
        word = word << 8 | exchange(0xFF);
    }
    return word;
}

/// Waking ///

static int wake(void)
{
    if (command(GO_IDLE, 0) != R1_IDLE) {
        return DUN_E_NOT_FOUND;
    }
    bool version2 = !(command(SEND_IF_COND, 0x1AA) & R1_ILLEGAL);
    if (version2 && (trailing_word() & 0xFFF) != 0x1AA) {
        return DUN_E_UNSUPPORTED;
    }
    uint8_t answer = R1_IDLE;
    for (int i = 0; i < WAKE_TRIES && answer == R1_IDLE; i++) {
        command(APP_COMMAND, 0);
        answer = command(SEND_OP_COND, version2 ? UINT32_C(1) << 30 : 0);
    }
    if (answer != 0) {
        return DUN_E_TIMEOUT;
    }
    (void)command(READ_OCR, 0);
    by_sector = (trailing_word() >> 24 & OCR_BY_SECTOR) != 0;
    return command(SET_BLOCKLEN, DUN_SD_SECTOR) == 0 ? DUN_OK : DUN_E_IO;
}

int dun_sd_start(void)
{
    SYSCTL_RCGC1 |= 1u << 4;
    SYSCTL_RCGC2 |= 1u << 3;
    GPIO_D_DIR |= CS_PIN;
    GPIO_D_DEN |= CS_PIN;
    GPIO_D_DATA(CS_PIN) = CS_PIN;
    SSI0_CR1 = 0;
    SSI0_CR0 = CR0_8BIT_SPI;
    SSI0_CPSR = CPSR_SLOW;
    SSI0_CR1 = CR1_ENABLE;
    for (int i = 0; i < 10; i++) {
        exchange(0xFF);
    }
    select(true);
    int result = wake();
    select(false);
    SSI0_CPSR = CPSR_FAST;
    return result;
}

/// Sectors ///

static uint32_t address_of(uint32_t sector)
{
    return by_sector ? sector : sector * DUN_SD_SECTOR;
}

static int read_selected(uint32_t sector, uint8_t data[DUN_SD_SECTOR])
{
    if (command(READ_SINGLE, address_of(sector)) != 0) {
        return DUN_E_IO;
    }
    uint8_t token = 0xFF;
    for (int32_t i = 0; i < BUSY_TRIES && token == 0xFF; i++) {
        token = exchange(0xFF);
    }
    if (token != TOKEN_DATA) {
        return token == 0xFF ? DUN_E_TIMEOUT : DUN_E_IO;
    }
    for (uint32_t i = 0; i < DUN_SD_SECTOR; i++) {
        data[i] = exchange(0xFF);
    }
    exchange(0xFF);
    exchange(0xFF);
    return DUN_OK;
}

static int write_selected(uint32_t sector, const uint8_t data[DUN_SD_SECTOR])
{
    if (command(WRITE_SINGLE, address_of(sector)) != 0) {
        return DUN_E_IO;
    }
    exchange(0xFF);
    exchange(TOKEN_DATA);
    for (uint32_t i = 0; i < DUN_SD_SECTOR; i++) {
        exchange(data[i]);
    }
    exchange(0xFF);
    exchange(0xFF);
    if ((exchange(0xFF) & 0x1F) != 0x05) {
        return DUN_E_IO;
    }
    for (int32_t i = 0; i < BUSY_TRIES; i++) {
        if (exchange(0xFF) == 0xFF) {
            return DUN_OK;
        }
    }
    return DUN_E_TIMEOUT;
}

int dun_sd_read(uint32_t sector, uint8_t data[DUN_SD_SECTOR])
{
    select(true);
    int result = read_selected(sector, data);
    select(false);
    return result;
}

int dun_sd_write(uint32_t sector, const uint8_t data[DUN_SD_SECTOR])
{
    select(true);
    int result = write_selected(sector, data);
    select(false);
    return result;
}

/*
 * registers.h: the registers of the LM3S6965 that this board uses, by the names of its data sheet,
 * and those of the Cortex-M3 core. Addresses only; what they mean is told where they are used.
 */
#ifndef DUN_LM3S_REGISTERS_H
#define DUN_LM3S_REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/// The core ///
#define SYST_CSR  REGISTER(0xE000E010u)
#define SYST_RVR  REGISTER(0xE000E014u)
#define SYST_CVR  REGISTER(0xE000E018u)
#define SCB_AIRCR REGISTER(0xE000ED0Cu)
#define SCB_SHCSR REGISTER(0xE000ED24u)
#define SCB_CFSR  REGISTER(0xE000ED28u)
#define SCB_BFAR  REGISTER(0xE000ED38u)

/// System control ///
#define SYSCTL_RIS   REGISTER(0x400FE050u)
#define SYSCTL_RCC   REGISTER(0x400FE060u)
#define SYSCTL_RCGC0 REGISTER(0x400FE100u)
#define SYSCTL_RCGC1 REGISTER(0x400FE104u)
#define SYSCTL_RCGC2 REGISTER(0x400FE108u)

/// Watchdog ///
#define WDT_LOAD REGISTER(0x40000000u)
#define WDT_CTL  REGISTER(0x40000008u)
#define WDT_ICR  REGISTER(0x4000000Cu)
#define WDT_LOCK REGISTER(0x40000C00u)

/// GPIO ports: data under a mask of pins in the address ///
#define GPIO_D_DATA(pins) REGISTER(0x40007000u + ((pins) << 2))
#define GPIO_D_DIR        REGISTER(0x40007400u)
#define GPIO_D_DEN        REGISTER(0x4000751Cu)
#define GPIO_F_DATA(pins) REGISTER(0x40025000u + ((pins) << 2))
#define GPIO_F_DIR        REGISTER(0x40025400u)
#define GPIO_F_DEN        REGISTER(0x4002551Cu)

/// SSI 0 ///
#define SSI0_CR0  REGISTER(0x40008000u)
#define SSI0_CR1  REGISTER(0x40008004u)
#define SSI0_DR   REGISTER(0x40008008u)
#define SSI0_SR   REGISTER(0x4000800Cu)
#define SSI0_CPSR REGISTER(0x40008010u)

/// UART 0 ///
#define UART0_DR   REGISTER(0x4000C000u)
#define UART0_FR   REGISTER(0x4000C018u)
#define UART0_IBRD REGISTER(0x4000C024u)
#define UART0_FBRD REGISTER(0x4000C028u)
#define UART0_LCRH REGISTER(0x4000C02Cu)
#define UART0_CTL  REGISTER(0x4000C030u)

/// ADC 0 ///
#define ADC0_ACTSS    REGISTER(0x40038000u)
#define ADC0_EMUX     REGISTER(0x40038014u)
#define ADC0_PSSI     REGISTER(0x40038028u)
#define ADC0_SSMUX3   REGISTER(0x400380A0u)
#define ADC0_SSCTL3   REGISTER(0x400380A4u)
#define ADC0_SSFIFO3  REGISTER(0x400380A8u)
#define ADC0_SSFSTAT3 REGISTER(0x400380ACu)

/// Ethernet MAC ///
#define MAC_RIS  REGISTER(0x40048000u)
#define MAC_IM   REGISTER(0x40048004u)
#define MAC_RCTL REGISTER(0x40048008u)
#define MAC_TCTL REGISTER(0x4004800Cu)
#define MAC_DATA REGISTER(0x40048010u)
#define MAC_IA0  REGISTER(0x40048014u)
#define MAC_IA1  REGISTER(0x40048018u)
#define MAC_NP   REGISTER(0x40048034u)
#define MAC_TR   REGISTER(0x40048038u)

#endif

/* SPDX-License-Identifier: MIT */
/* The little that ACPI and old habits need of a PC's chipset: power, reset, a timer, a clock chip.
 */
#include "vmm.h"

#include <string.h>
#include <time.h>

#define PM1_STATUS    (TV_PORT_PM + 0)
#define PM1_ENABLE    (TV_PORT_PM + 2)
#define PM1_CONTROL   (TV_PORT_PM + 4)
#define PM_TIMER      (TV_PORT_PM + 8)
#define SCI_EN        1u
#define SLP_EN        (1u << 13)
#define PM_TIMER_HZ   3579545ull
#define KBD_COMMAND   0x64
#define KBD_RESET     0xfe
#define RESET_CONTROL 0xcf9
#define RESET_CPU     4u
#define CMOS_INDEX    0x70
#define CMOS_DATA     0x71

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* 3.58 MHz, 24 bits, without an interrupt. */
static uint32_t pm_timer(void)
{
	uint64_t now = now_ns(), seconds = now / 1000000000u, rest = now % 1000000000u;

	return (uint32_t)(seconds * PM_TIMER_HZ + rest * PM_TIMER_HZ / 1000000000u) & 0xffffff;
}

static uint32_t read_port(struct tv *vm, uint16_t port)
{
	switch (port) {
	case PM1_STATUS:
		return 0;
	case PM1_ENABLE:
		return vm->pm1_enable;
	case PM1_CONTROL:
		return SCI_EN;
	case PM_TIMER:
		return pm_timer();
	case KBD_COMMAND: /* the controller is ready for a command, and has nothing to say */
	case CMOS_DATA:
		return 0;
	default:
		return 0xffffffff;
	}
}

static void write_port(struct tv *vm, uint16_t port, uint32_t value)
{
	int none = 0;

	switch (port) {
	case TV_PORT_EXIT:
		if (atomic_compare_exchange_strong(&vm->status, &none,
						   (int)(value << 1 | 1) & 0xff))
			tv_finish(vm, TV_EXIT_PORT);
		return;
	case PM1_ENABLE: /* of events that never come */
		vm->pm1_enable = value & 0xffff;
		return;
	case PM1_CONTROL: /* S5 is the only sleep offered */
		if (value & SLP_EN)
			tv_finish(vm, TV_POWERED_OFF);
		return;
	case KBD_COMMAND:
		if (value == KBD_RESET)
			tv_finish(vm, TV_WAS_RESET);
		return;
	case RESET_CONTROL:
		if (value & RESET_CPU)
			tv_finish(vm, TV_WAS_RESET);
		return;
	default:
		return;
	}
}

bool tv_platform_port(struct tv *vm, uint16_t port, bool write, uint8_t *data, unsigned size)
{
	uint32_t value = 0;

	if (write) {
		memcpy(&value, data, size);
		write_port(vm, port, value);
	} else {
		value = read_port(vm, port);
		memcpy(data, &value, size);
	}
	return true;
}

/* SPDX-License-Identifier: MIT */
/* A whole controller: LAPICs, I/O APICs and a policy, on one thread. */
#ifndef LAPWING_CHIP_RIG_H
#define LAPWING_CHIP_RIG_H

#include "diary.h"
#include "test.h"

#include <errno.h>
#include <lapwing/lapwing.h>
#include <stdio.h>
#include <string.h>

#define VCPUS   4u
#define PINS    24u
#define ENABLED (LW_SVR_ENABLE | 0xffu)

static struct rig {
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	bool locked;
	bool owned[VCPUS];
	uint32_t kicks[VCPUS], notices;
	uint32_t traced[4];
	struct lw_trace last;
	void (*on_resample)(uint32_t gsi);
} rig;

static inline void rig_lock(void *ctx)
{
	assert_ptr_equal(ctx, &rig);
	assert_false(rig.locked);
	rig.locked = true;
}

static inline void rig_unlock(void *ctx)
{
	(void)ctx;
	assert_true(rig.locked);
	rig.locked = false;
}

static inline void rig_kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	rig.kicks[vcpu % VCPUS]++;
}

static inline void rig_notice(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
	rig.notices++;
}

static inline bool rig_owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	return rig.owned[vcpu];
}

static inline void rig_signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	(void)ctx;
	note("signal%u:%u:%02x ", vcpu, delivery, vector);
}

static inline void rig_resample(void *ctx, uint32_t gsi)
{
	(void)ctx;
	assert_false(rig.locked);
	note("resample%u ", gsi);
	if (rig.on_resample)
		rig.on_resample(gsi);
}

static inline void rig_storm(void *ctx, uint32_t gsi)
{
	(void)ctx;
	assert_false(rig.locked);
	note("storm%u ", gsi);
}

static inline void rig_trace(void *ctx, const struct lw_trace *event)
{
	(void)ctx;
	rig.traced[event->kind]++;
	rig.last = *event;
}

static const struct lw_chip_ops rig_ops = {
	.lock = rig_lock,
	.unlock = rig_unlock,
	.kick = rig_kick,
	.notify = rig_notice,
	.owned = rig_owned,
	.signal = rig_signal,
	.resample = rig_resample,
	.storm = rig_storm,
	.trace = rig_trace,
};

static const struct lw_chip_ioapic rig_ioapics[LW_CHIP_MAX_IOAPICS] = {
	{.pins = PINS, .version = 0x20},
	{.gsi_base = PINS, .pins = PINS, .id = 1, .version = 0x20},
};

static inline struct lw_chip_config rig_config(void)
{
	return (struct lw_chip_config){.ops = &rig_ops,
				       .ctx = &rig,
				       .hooks = lw_eoi_hooks(),
				       .nvcpus = VCPUS,
				       .nioapics = 2,
				       .ioapic = rig_ioapics,
				       .gsis = 64};
}

static inline void rig_open(struct lw_chip_config config, enum lw_eoi_policy policy, uint32_t flags)
{
	struct lw_eoi_config eoi = {
		.policy = policy, .flags = flags, .nvcpus = config.nvcpus, .env = lw_chip_env()};
	size_t size = lw_chip_size(&config), eoi_size = (lw_eoi_size(config.nvcpus) + 63) / 64 * 64;

	memset(&rig, 0, sizeof(rig));
	forget_diary();
	assert_true(size > 0 && size % LW_CHIP_ALIGN == 0);
	rig.chip = aligned_alloc(LW_CHIP_ALIGN, size);
	rig.eoi = aligned_alloc(LW_EOI_ALIGN, eoi_size);
	assert_true(rig.chip && rig.eoi);
	memset(rig.chip, 0xa5, size);
	eoi.ctx = rig.chip;
	config.eoi = rig.eoi;
	assert_int_equal(lw_eoi_init(rig.eoi, &eoi), 0);
	assert_int_equal(lw_chip_init(rig.chip, &config), 0);
	for (uint32_t n = 0; n < config.nvcpus; n++)
		lw_lapic_write(lw_chip_lapic(rig.chip, n), LW_LAPIC_SVR, ENABLED);
}

static inline int rig_armed(void **state)
{
	(void)state;
	rig_open(rig_config(), LW_EOI_ARMED, 0);
	return 0;
}

static inline int rig_x2apic(uint32_t nvcpus)
{
	struct lw_chip_config config = rig_config();

	config.x2apic = true;
	config.nvcpus = nvcpus;
	rig_open(config, LW_EOI_ARMED, 0);
	return 0;
}

static inline int rig_close(void **state)
{
	(void)state;
	assert_false(rig.locked);
	free(rig.chip);
	free(rig.eoi);
	return 0;
}

/* ---- what guests and devices do ---- */

#define LEVEL  LW_RTE_LEVEL
#define MASKED LW_RTE_MASK

static inline struct lw_lapic *lapic(uint32_t vcpu)
{
	return lw_chip_lapic(rig.chip, vcpu);
}

static inline void program(uint32_t gsi, uint32_t dest, uint64_t low)
{
	struct lw_ioapic *io = lw_chip_ioapic(rig.chip, gsi / PINS);
	uint32_t pin = gsi % PINS;

	lw_ioapic_write(io, 0x11 + 2 * pin, dest << 24);
	lw_ioapic_write(io, 0x10 + 2 * pin, (uint32_t)low);
}

static inline bool remote_irr(uint32_t gsi)
{
	uint64_t rte;

	assert_int_equal(lw_ioapic_rte(lw_chip_ioapic(rig.chip, gsi / PINS), gsi % PINS, &rte), 0);
	return (rte & LW_RTE_REMOTE_IRR) != 0;
}

static inline void line(uint32_t gsi, bool level)
{
	assert_int_equal(lw_chip_line(rig.chip, gsi, 0, level), 0);
}

static inline int take(uint32_t vcpu)
{
	return lw_lapic_accept(lapic(vcpu));
}

/* The guest's EOI; whether it left. */
static inline bool eoi(uint32_t vcpu)
{
	rig.last.left = false;
	assert_true(lw_lapic_eoi(lapic(vcpu)) >= 0);
	return rig.last.left;
}

static inline int msi(uint32_t vcpu, uint8_t vector)
{
	return lw_chip_msi(rig.chip, 0xfee00000u | vcpu << 12, vector);
}

#endif

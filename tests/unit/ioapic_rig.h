/* SPDX-License-Identifier: MIT */
/* An I/O APIC alone, with made-up LAPICs, a policy that does as it is told, and a diary. */
#ifndef LAPWING_IOAPIC_RIG_H
#define LAPWING_IOAPIC_RIG_H

#include "diary.h"
#include "test.h"

#include <errno.h>
#include <lapwing/ioapic.h>
#include <stdio.h>
#include <string.h>

#define VCPUS    70u /* more than a word of them */
#define PINS     24u
#define GSI_BASE 100u

static struct rig {
	struct lw_ioapic *io;
	bool locked;
	/* How the next messages are taken: by whom dest says, by everybody below `several`, by
	 * somebody unknown, or by nobody. */
	bool refuse, any;
	uint32_t several;
	bool lets_go; /* ops->fell */
	enum lw_recall where;
	void (*on_resample)(uint32_t gsi);
	uint32_t resampled, depth;
	uint32_t open[256]; /* records, by ops->record */
} rig;

static inline void rig_lock(void *ctx)
{
	assert_ptr_equal(ctx, &rig);
	assert_false(rig.locked);
	rig.locked = true;
}

static inline void rig_unlock(void *ctx)
{
	assert_ptr_equal(ctx, &rig);
	assert_true(rig.locked);
	rig.locked = false;
}

static inline void rig_deliver(void *ctx, uint32_t gsi, const struct lw_msg *msg,
			       struct lw_takers *takers)
{
	(void)ctx;
	assert_true(rig.locked);
	assert_true(takers->count == 0 && !takers->any);
	for (uint32_t n = 0; n < VCPUS; n++)
		assert_int_equal(takers->map[n / 64] >> (n % 64) & 1, 0);
	note("%s%u:%02x>%x ", msg->level ? "level" : "edge", gsi, msg->vector, msg->dest);
	takers->any = rig.any;
	if (rig.refuse || rig.any)
		return;
	takers->vcpu = rig.several ? 0 : msg->dest;
	takers->count = rig.several ? rig.several : msg->dest < VCPUS;
	for (uint32_t n = 0; rig.several > 1 && n < rig.several; n++)
		takers->map[n / 64] |= 1ull << (n % 64);
}

static inline void rig_route(void *ctx, const struct lw_msg *before, const struct lw_msg *after)
{
	(void)ctx;
	assert_true(rig.locked);
	note("route%02x%c-%02x%c ", before->vector, before->level ? 'L' : 'E', after->vector,
	     after->level ? 'L' : 'E');
}

static inline void rig_fell(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	assert_true(rig.locked);
	note("fell%u:%02x ", vcpu, vector);
	if (rig.lets_go && lw_ioapic_releasable_locked(rig.io, vcpu, vector))
		lw_ioapic_release_locked(rig.io, vcpu, vector);
}

static inline enum lw_recall rig_recall(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	assert_true(rig.locked);
	note("recall%u:%02x ", vcpu, vector);
	return rig.where;
}

static inline void rig_closed(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	assert_true(rig.locked);
	note("closed%u:%02x ", vcpu, vector);
}

static inline void rig_record(void *ctx, uint32_t vcpu, uint8_t vector, bool open)
{
	(void)ctx;
	assert_true(rig.locked);
	assert_true(vcpu < VCPUS);
	assert_true(open || rig.open[vector]);
	if (open)
		rig.open[vector]++;
	else
		rig.open[vector]--;
}

static inline bool rig_matches(void *ctx, uint32_t vcpu, const struct lw_msg *msg)
{
	(void)ctx;
	return msg->dest == vcpu;
}

static inline void rig_resample(void *ctx, uint32_t gsi)
{
	assert_ptr_equal(ctx, &rig);
	assert_false(rig.locked);
	note("resample%u ", gsi);
	rig.resampled++;
	assert_int_equal(rig.depth++, 0); /* callbacks never nest */
	if (rig.on_resample)
		rig.on_resample(gsi);
	rig.depth--;
}

static inline void rig_storm(void *ctx, uint32_t gsi)
{
	(void)ctx;
	assert_false(rig.locked);
	note("storm%u ", gsi);
}

#define RIG_OPS                                                                             \
	.lock = rig_lock, .unlock = rig_unlock, .deliver = rig_deliver, .route = rig_route, \
	.fell = rig_fell, .recall = rig_recall, .closed = rig_closed, .record = rig_record, \
	.matches = rig_matches, .resample = rig_resample

static const struct lw_ioapic_ops rig_ops = {RIG_OPS, .storm = rig_storm};
static const struct lw_ioapic_ops rig_stormless_ops = {RIG_OPS};

static inline struct lw_ioapic_config rig_config(uint32_t flags)
{
	return (struct lw_ioapic_config){.ops = &rig_ops,
					 .ctx = &rig,
					 .gsi_base = GSI_BASE,
					 .pins = PINS,
					 .nvcpus = VCPUS,
					 .flags = flags,
					 .id = 2,
					 .version = 0x20};
}

static inline void rig_open(const struct lw_ioapic_config *config)
{
	memset(&rig, 0, sizeof(rig));
	forget_diary();
	rig.io = aligned_alloc(LW_IOAPIC_ALIGN, lw_ioapic_size(config));
	assert_non_null(rig.io);
	memset(rig.io, 0xa5, lw_ioapic_size(config));
	assert_int_equal(lw_ioapic_init(rig.io, config), 0);
}

static inline int rig_setup(void **state)
{
	struct lw_ioapic_config config = rig_config(0);

	(void)state;
	rig_open(&config);
	return 0;
}

static inline int rig_setup_flags(uint32_t flags)
{
	struct lw_ioapic_config config = rig_config(flags);

	rig_open(&config);
	return 0;
}

static inline int rig_teardown(void **state)
{
	(void)state;
	assert_false(rig.locked);
	free(rig.io);
	return 0;
}

/* ---- what guests and devices do; the diary keeps what comes of it ---- */

#define LEVEL  LW_RTE_LEVEL
#define MASKED LW_RTE_MASK

static inline uint64_t rte_of(uint32_t dest, uint8_t vector, uint64_t flags)
{
	return flags | vector | (uint64_t)dest << LW_RTE_DEST_SHIFT;
}

static inline void write_low(uint32_t pin, uint64_t rte)
{
	lw_ioapic_write(rig.io, 0x10 + 2 * pin, (uint32_t)rte);
}

static inline void write_high(uint32_t pin, uint64_t rte)
{
	lw_ioapic_write(rig.io, 0x11 + 2 * pin, (uint32_t)(rte >> 32));
}

/* Both halves, the high one first as Linux does; not in the diary. */
static inline void program(uint32_t pin, uint64_t rte)
{
	write_high(pin, rte);
	write_low(pin, rte);
	forget_diary();
}

static inline uint64_t rte_at(uint32_t pin)
{
	uint64_t rte;

	assert_int_equal(lw_ioapic_rte(rig.io, pin, &rte), 0);
	return rte;
}

static inline bool remote_irr(uint32_t pin)
{
	return (rte_at(pin) & LW_RTE_REMOTE_IRR) != 0;
}

static inline void line(uint32_t pin, bool level)
{
	assert_int_equal(lw_ioapic_line(rig.io, pin, 0, level), 0);
}

static inline enum lw_eoi_class eoi(uint32_t vcpu, uint8_t vector)
{
	return lw_ioapic_eoi(rig.io, vcpu, vector);
}

static inline bool in_flight(uint32_t vcpu, uint8_t vector)
{
	return lw_ioapic_in_flight_locked(rig.io, vcpu, vector);
}

#endif

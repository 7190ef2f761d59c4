/* SPDX-License-Identifier: MIT */
/*
 * A controller and a pair of 8259s on which everything is tried at random: registers in all modes,
 * timers, LINT0 and LINT1, IPIs, MSIs, lines, ports. What the chips answer and tell goes into a
 * digest, so that two runs can be compared.
 */
#ifndef LAPWING_SNAPSHOT_RIG_H
#define LAPWING_SNAPSHOT_RIG_H

#include "test.h"

#include <lapwing/lapwing.h>
#include <string.h>

#define VCPUS 3u
#define PINS  24u

struct rig {
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	struct lw_chip_ioapic ioapic[2];
	struct lw_chip_config config;
	struct lw_eoi_config engine;
	uint64_t seed, random, digest, time;
	bool deaf; /* what is told now is told again */
};

/* FNV-1a, a word at a time. */
static inline void note(struct rig *r, uint64_t value)
{
	r->digest = (r->digest ^ value) * 0x100000001b3ull;
}

static inline uint32_t below(struct rig *r, uint32_t n)
{
	r->random ^= r->random >> 12;
	r->random ^= r->random << 25;
	r->random ^= r->random >> 27;
	return (uint32_t)((r->random * 0x2545f4914f6cdd1dull) >> 32) % n;
}

static inline uint64_t bits(struct rig *r)
{
	return (uint64_t)below(r, UINT32_MAX) << 32 | below(r, UINT32_MAX);
}

/* ---- ops ---- */

static inline void rig_kick(void *ctx, uint32_t vcpu)
{
	note(ctx, 0x100u + vcpu);
}

static inline void rig_notify(void *ctx, uint32_t vcpu)
{
	note(ctx, 0x200u + vcpu);
}

static inline bool rig_owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	return vcpu != 1;
}

static inline void rig_signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	note(ctx, 0x10000u | vcpu << 12 | (uint32_t)delivery << 8 | vector);
}

static inline void rig_deadline(void *ctx, uint32_t vcpu, uint64_t deadline_ns)
{
	struct rig *r = ctx;

	if (!r->deaf)
		note(r, deadline_ns << 2 | vcpu);
}

static inline void rig_threshold(void *ctx, uint32_t vcpu, uint8_t class_)
{
	struct rig *r = ctx;

	if (!r->deaf)
		note(r, 0x300u + vcpu * 16u + class_);
}

static inline void rig_resample(void *ctx, uint32_t gsi)
{
	struct rig *r = ctx;

	note(r, 0x400u + gsi);
	lw_chip_line(r->chip, gsi, 0, r->random >> 40 & 1);
}

static inline void rig_storm(void *ctx, uint32_t gsi)
{
	struct rig *r = ctx;

	if (!r->deaf)
		note(r, 0x500u + gsi);
}

static inline void rig_trace(void *ctx, const struct lw_trace *event)
{
	note(ctx, (uint64_t)event->kind << 40 | (uint64_t)event->vcpu << 32 |
			  (uint64_t)event->found << 16 | (uint32_t)event->level << 10 |
			  (uint32_t)event->left << 9 | event->vector);
}

/* An IOMMU that leads every entry to a vCPU of its number, and blocks some. */
static inline int rig_remap(void *ctx, const struct lw_remap *entry, struct lw_msg *msg)
{
	(void)ctx;
	*msg = (struct lw_msg){.dest = entry->index % 4, .vector = entry->vector};
	return entry->index % 8 == 7 ? -1 : 0;
}

static inline void rig_pic_eoi(void *ctx, uint32_t pin)
{
	note(ctx, 0x700u + pin);
}

static const struct lw_chip_ops rig_chip_ops = {
	.kick = rig_kick,
	.notify = rig_notify,
	.owned = rig_owned,
	.signal = rig_signal,
	.deadline = rig_deadline,
	.threshold = rig_threshold,
	.resample = rig_resample,
	.storm = rig_storm,
	.pic_eoi = rig_pic_eoi,
	.remap = rig_remap,
	.trace = rig_trace,
};

/* ---- building ---- */

static inline size_t rig_round(size_t n)
{
	return (n + 63) / 64 * 64;
}

/* Chips as new, in storage that was something else before. */
static inline void rig_make(struct rig *r)
{
	size_t size = rig_round(lw_chip_size(&r->config)), eoi = rig_round(lw_eoi_size(VCPUS));

	r->chip = aligned_alloc(LW_CHIP_ALIGN, size);
	r->eoi = aligned_alloc(LW_EOI_ALIGN, eoi);
	assert_true(r->chip && r->eoi);
	memset(r->chip, 0xa5, size);
	memset(r->eoi, 0xa5, eoi);
	r->engine.ctx = r->chip;
	r->config.eoi = r->eoi;
	assert_int_equal(lw_eoi_init(r->eoi, &r->engine), 0);
	assert_int_equal(lw_chip_init(r->chip, &r->config), 0);
}

static inline void rig_open(struct rig *r, uint64_t seed)
{
	memset(r, 0, sizeof(*r));
	r->seed = seed;
	r->random = seed * 0x9e3779b97f4a7c15ull + 1;
	for (uint32_t n = 0; n < 2; n++)
		r->ioapic[n] = (struct lw_chip_ioapic){
			.gsi_base = n * PINS,
			.pins = PINS,
			.flags = (uint32_t)(seed >> n & 7u) | (seed % 3 ? 0 : LW_IOAPIC_REMAPPABLE),
			.id = (uint8_t)n,
			.version = n ? 0x20 : 0x11,
		};
	r->engine = (struct lw_eoi_config){.policy = (enum lw_eoi_policy)(seed % LW_EOI_POLICIES),
					   .flags = (uint32_t)(seed / 2 & 1u),
					   .nvcpus = VCPUS,
					   .env = lw_chip_env()};
	r->config = (struct lw_chip_config){
		.ops = &rig_chip_ops,
		.ctx = r,
		.hooks = lw_eoi_hooks(),
		.nvcpus = VCPUS,
		.x2apic = seed % 5 == 0,
		.nioapics = 2,
		.ioapic = r->ioapic,
		.gsis = 64,
		.clock = {.bus_ns = 3, .bus_ticks = 2, .tsc_khz = 2100000},
		.xapic_only = seed % 5 && seed % 7 == 1,
		.phys_bits = 40,
		.pic = true,
		.pic_flags = seed & 1 ? LW_PIC_STRICT : 0,
	};
	rig_make(r);
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_lapic_write(lw_chip_lapic(r->chip, n), LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
}

static inline void rig_close(struct rig *r)
{
	free(r->chip);
	free(r->eoi);
}

/* ---- what happens ---- */

static inline struct lw_lapic *some_lapic(struct rig *r)
{
	return lw_chip_lapic(r->chip, below(r, VCPUS));
}

static inline uint8_t some_vector(struct rig *r)
{
	return (uint8_t)(below(r, 8) ? 0x31u + 0x10u * below(r, 4) : below(r, 256));
}

/* Mostly what a guest would write: a vector, and few of the other bits. */
static inline uint32_t some_value(struct rig *r)
{
	uint32_t value = (uint32_t)(bits(r) & bits(r) & bits(r)) & ~0xffu;

	return below(r, 8) ? value | some_vector(r) : (uint32_t)bits(r);
}

static inline void lapic_register(struct rig *r)
{
	static const uint16_t offsets[] = {
		LW_LAPIC_TPR,       LW_LAPIC_LDR,       LW_LAPIC_DFR,
		LW_LAPIC_SVR,       LW_LAPIC_ESR,       LW_LAPIC_ICR,
		LW_LAPIC_ICR2,      LW_LAPIC_LVT_TIMER, LW_LAPIC_LVT_TIMER,
		LW_LAPIC_LVT_LINT0, LW_LAPIC_LVT_LINT0, LW_LAPIC_LVT_LINT1,
		LW_LAPIC_LVT_ERROR, LW_LAPIC_LVT_PMC,   LW_LAPIC_TMICT,
		LW_LAPIC_DCR,       LW_LAPIC_SELF_IPI,  0x3a0,
	};
	struct lw_lapic *l = some_lapic(r);
	uint32_t offset = offsets[below(r, sizeof(offsets) / sizeof(*offsets))];
	uint32_t value = some_value(r);

	if (offset == LW_LAPIC_SVR && below(r, 8))
		value |= LW_SVR_ENABLE;
	if (offset == LW_LAPIC_TPR && below(r, 2))
		value = 0;
	lw_lapic_write(l, offset, value);
	note(r, lw_lapic_read(l, offset));
	note(r, lw_lapic_read(l, LW_LAPIC_TMCCT));
}

static inline void lapic_mode(struct rig *r)
{
	struct lw_lapic *l = some_lapic(r);
	uint64_t base = 0xfee00000u | (uint64_t)below(r, 4) << 10 | below(r, 2) << 8;

	note(r, (uint64_t)lw_lapic_set_base(l, base));
	note(r, lw_lapic_base(l));
}

static inline void lapic_timer(struct rig *r)
{
	struct lw_lapic *l = some_lapic(r);

	r->time += below(r, 4) ? below(r, 5000) : below(r, 1u << 30);
	if (below(r, 4) == 0)
		lw_lapic_set_tsc(l, bits(r) >> 8);
	if (below(r, 2))
		lw_lapic_write_tsc_deadline(l, bits(r) >> below(r, 64));
	lw_lapic_time(l, r->time);
	note(r, lw_lapic_deadline(l));
	note(r, lw_lapic_tsc_deadline(l));
}

static inline void lapic_pins(struct rig *r)
{
	struct lw_lapic *l = some_lapic(r);

	switch (below(r, 4)) {
	case 0:
		lw_lapic_pmi(l);
		break;
	case 1:
		lw_lapic_thermal(l);
		break;
	default:
		lw_lapic_lint(l, below(r, 2), below(r, 2));
	}
	note(r, lw_lapic_extint(l));
}

static inline void lapic_take(struct rig *r)
{
	uint32_t vcpu = below(r, VCPUS);

	note(r, (uint64_t)lw_chip_pending(r->chip, vcpu));
	note(r, (uint64_t)lw_chip_accept(r->chip, vcpu));
	note(r, lw_lapic_ppr(lw_chip_lapic(r->chip, vcpu)));
}

static inline void lapic_eoi(struct rig *r)
{
	note(r, (uint64_t)lw_lapic_eoi(some_lapic(r)));
}

static inline void post(struct rig *r)
{
	note(r, lw_lapic_post(some_lapic(r), some_vector(r), below(r, 2)));
}

static inline void send(struct rig *r)
{
	struct lw_msg msg = {.dest = below(r, 6),
			     .vector = some_vector(r),
			     .delivery = (uint8_t)(below(r, 3) ? below(r, 2) : below(r, 8)),
			     .logical = below(r, 3) == 0,
			     .level = below(r, 2)};

	if (below(r, 16) == 0)
		msg.dest = below(r, 2) ? 0xff : 0xffffffffu;
	note(r, (uint64_t)lw_chip_send(r->chip, &msg));
}

static inline void in_and_out(struct rig *r)
{
	uint32_t vcpu = below(r, VCPUS);

	switch (below(r, 8)) {
	case 0:
		lw_chip_init_vcpu(r->chip, vcpu);
		break;
	case 1:
	case 2:
		lw_chip_exit(r->chip, vcpu);
		break;
	default:
		lw_chip_enter(r->chip, vcpu);
	}
}

static inline void ioapic_register(struct rig *r)
{
	struct lw_ioapic *io = lw_chip_ioapic(r->chip, below(r, 2));
	uint32_t pin = below(r, 8) ? below(r, 3) : below(r, PINS), index = 0x10 + 2 * pin;
	uint32_t low = some_value(r) & ~(uint32_t)LW_RTE_MASK, high = below(r, 6) << 24;

	if (below(r, 4))
		low = (low & ~0x700u) | LW_RTE_LEVEL | below(r, 2) << 8;
	if (below(r, 3) == 0)
		high = 1u << 16 | below(r, 16) << 17;
	if (below(r, 8) == 0)
		low |= LW_RTE_MASK;
	if (below(r, 8) == 0)
		index = below(r, 0x100);
	lw_ioapic_mmio_write(io, 0, &index, 4);
	lw_ioapic_mmio_write(io, 0x10, &low, 4);
	lw_ioapic_write(io, index + 1, high);
	note(r, lw_ioapic_read(io, 0x10 + 2 * pin));
	low = some_vector(r);
	if (below(r, 4) == 0)
		lw_ioapic_mmio_write(io, 0x40, &low, 4);
	if (below(r, 4) == 0)
		lw_ioapic_notify(io, pin, below(r, 4) == 0);
	if (below(r, 4) == 0)
		lw_ioapic_resume(io, pin);
}

static inline void line(struct rig *r)
{
	uint32_t gsi = below(r, 4) ? below(r, 2) * PINS + below(r, 3) : below(r, 16);

	note(r, (uint64_t)lw_chip_line(r->chip, gsi, below(r, 2), below(r, 2)));
}

static inline void route(struct rig *r)
{
	struct lw_route routes[8];
	size_t count = below(r, 8);

	for (size_t n = 0; n < count; n++) {
		routes[n] = (struct lw_route){.gsi = below(r, 64),
					      .type = (enum lw_route_type)below(r, 3)};
		if (routes[n].type == LW_ROUTE_MSI) {
			routes[n].address = 0xfee00000u | below(r, 4) << 12;
			routes[n].data = some_vector(r);
		} else {
			routes[n].chip = (uint16_t)below(r, 2);
			routes[n].pin = (uint16_t)below(r, 8);
		}
	}
	note(r, (uint64_t)lw_routes_set(lw_chip_routes(r->chip), routes, count));
}

static inline void pics(struct rig *r)
{
	static const uint16_t ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1};
	struct lw_pic *p = lw_chip_pic(r->chip);
	uint32_t port = below(r, 6);

	switch (below(r, 4)) {
	case 0:
		lw_pic_write(p, ports[port], (uint32_t)bits(r) & 0xff, 1);
		break;
	case 1:
		note(r, lw_pic_read(p, ports[port], 1));
		break;
	case 2:
		lw_pic_line(p, below(r, 16), below(r, 2), below(r, 2));
		break;
	default:
		note(r, (uint64_t)lw_pic_accept(p));
	}
}

static inline void rig_step(struct rig *r)
{
	static void (*const events[])(struct rig * r) = {
		lapic_register, lapic_register, lapic_timer, lapic_timer, lapic_pins,
		lapic_take,     lapic_take,     lapic_eoi,   lapic_eoi,   post,
		send,           in_and_out,     line,        line,        ioapic_register,
		pics,           pics,
	};

	if (below(r, 40) == 0)
		lapic_mode(r);
	else if (below(r, 80) == 0)
		route(r);
	else
		events[below(r, sizeof(events) / sizeof(*events))](r);
}

#endif

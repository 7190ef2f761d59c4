/* SPDX-License-Identifier: MIT */
/*
 * The whole controller, and everything that a guest and a VMM can do to it: registers of every chip
 * by page, MSR, window and port, odd widths and offsets, IPIs, MSIs, routes, modes, INIT, time,
 * snapshots taken, restored and forged. Nobody knows what should come of it; the invariants must
 * hold, and nothing may be touched that is not the chip's.
 */
#include "wild.h"

#include <stdlib.h>
#include <string.h>

#include "model/invariants.h"

struct wild wild;

/* ---- ops ---- */

static void kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	if (vcpu >= VCPUS)
		fuzz_fail("vCPU %u was kicked", vcpu);
	wild.kicked[vcpu] = true;
}

static bool owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	return !wild.in_guest[vcpu];
}

static void on_signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	(void)ctx;
	(void)vector;
	if (vcpu >= VCPUS || delivery < LW_DM_SMI || delivery == LW_DM_RESERVED)
		fuzz_fail("a signal %u for vCPU %u", delivery, vcpu);
	wild.signals++;
}

static void resample(void *ctx, uint32_t gsi)
{
	(void)ctx;
	if (gsi >= GSIS)
		fuzz_fail("GSI %u was resolved", gsi);
	if (wild.depth++ == 0 && wild.resample >> gsi % 8 & 1) {
		lw_chip_line(wild.chip, gsi, 0, false);
		lw_chip_line(wild.chip, gsi, 0, wild.resample & 1);
	}
	wild.depth--;
}

static void storm(void *ctx, uint32_t gsi)
{
	(void)ctx;
	if (gsi >= GSIS)
		fuzz_fail("GSI %u storms", gsi);
}

static void deadline(void *ctx, uint32_t vcpu, uint64_t deadline_ns)
{
	(void)ctx;
	(void)deadline_ns;
	if (vcpu >= VCPUS)
		fuzz_fail("a deadline of vCPU %u", vcpu);
}

static void threshold(void *ctx, uint32_t vcpu, uint8_t class_)
{
	(void)ctx;
	if (vcpu >= VCPUS || class_ > 15)
		fuzz_fail("a threshold of %u for vCPU %u", class_, vcpu);
}

static void pic_eoi(void *ctx, uint32_t pin)
{
	(void)ctx;
	if (pin > 15)
		fuzz_fail("the end of pin %u of the 8259s", pin);
}

static int remap(void *ctx, const struct lw_remap *entry, struct lw_msg *msg)
{
	uint8_t says = wild.table[entry->index % sizeof(wild.table)];

	(void)ctx;
	if (entry->gsi >= (int32_t)GSIS)
		fuzz_fail("GSI %d is remapped", entry->gsi);
	*msg = (struct lw_msg){.dest = says % 8u,
			       .vector = (uint8_t)(says | 0x30),
			       .delivery = says >> 3 & 7,
			       .logical = says & 0x40,
			       .level = entry->level};
	return says & 0x80 ? -1 : 0;
}

static void trace(void *ctx, const struct lw_trace *event)
{
	(void)ctx;
	if (event->vcpu >= VCPUS)
		fuzz_fail("a trace of vCPU %u", event->vcpu);
}

#define OPS                                                                      \
	.kick = kick, .owned = owned, .signal = on_signal, .resample = resample, \
	.deadline = deadline, .pic_eoi = pic_eoi

static const struct lw_chip_ops ops[2] = {
	{OPS},
	{OPS, .storm = storm, .threshold = threshold, .remap = remap, .trace = trace},
};

/* ---- vCPUs ---- */

void wild_leave(uint32_t vcpu)
{
	wild.in_guest[vcpu] = false;
	lw_chip_exit(wild.chip, vcpu);
}

static void serve_kicks(void)
{
	for (uint32_t n = 0; n < VCPUS; n++)
		if (wild.kicked[n]) {
			bool was = wild.in_guest[n];

			wild.kicked[n] = false;
			wild_leave(n);
			if (was)
				lw_chip_enter(wild.chip, n);
			wild.in_guest[n] = was;
		}
}

uint32_t wild_trapped(struct input *in)
{
	uint32_t vcpu = in_byte(in) % VCPUS;

	if (wild.in_guest[vcpu])
		wild_leave(vcpu);
	return vcpu;
}

struct lw_lapic *wild_some_lapic(struct input *in)
{
	return lw_chip_lapic(wild.chip, wild_trapped(in));
}

/* What there is not: a vCPU past the last. */
static void nobody(void)
{
	uint64_t set[4] = {1, 1, 1, 1};

	lw_chip_enter(wild.chip, VCPUS);
	lw_chip_exit(wild.chip, VCPUS);
	lw_chip_init_vcpu(wild.chip, VCPUS);
	lw_eoi_bitmap(wild.eoi, VCPUS, set);
	if (lw_chip_eoi_leaves(wild.chip, VCPUS, 0x31) || set[0] | set[1] | set[2] | set[3] ||
	    lw_eoi_in_set(wild.eoi, VCPUS, 0x31, true) || lw_chip_pending(wild.chip, VCPUS) >= 0 ||
	    lw_chip_accept(wild.chip, VCPUS) >= 0 ||
	    lw_chip_eoi_exit(wild.chip, VCPUS, 0x31) != LW_EOI_SUPERFLUOUS)
		fuzz_fail("a vCPU that there is not was served");
}

static void seldom(struct input *in)
{
	uint8_t what = in_byte(in);

	switch (what % 4) {
	case 0:
		nobody();
		break;
	case 1: /* as hardware says it: what left the guest */
		lw_chip_eoi_exit(wild.chip, wild_trapped(in), in_byte(in));
		break;
	default: /* the IOMMU's table changes */
		wild.table[what >> 5] = in_byte(in);
		lw_chip_remapped(wild.chip);
	}
}

/* A LAPIC that is reset by itself leaves what was delivered to it in flight, so INIT follows. */
static void clear_lapic(uint32_t vcpu, bool alone)
{
	if (wild.calm)
		return;
	if (alone)
		lw_lapic_reset(lw_chip_lapic(wild.chip, vcpu));
	lw_chip_init_vcpu(wild.chip, vcpu);
	history_cleared(&wild.history, vcpu);
	history_look(&wild.history);
}

static void vmm(struct input *in)
{
	uint8_t what = in_byte(in), byte = in_byte(in);
	struct lw_ioapic *io = lw_chip_ioapic(wild.chip, what & 1);

	switch (what >> 1 & 7) {
	case 0:
		clear_lapic(wild_trapped(in), false);
		break;
	case 1:
		lw_ioapic_notify(io, byte % PINS, byte & 0x80);
		break;
	case 2:
		lw_ioapic_resume(io, byte % PINS);
		break;
	case 3:
		wild.resample = byte;
		break;
	case 4:
		for (uint32_t n = 0; n < VCPUS; n++)
			if (wild.in_guest[n])
				wild_leave(n);
		lw_chip_settle(wild.chip);
		break;
	case 5:
		if (byte & 1)
			lw_ioapic_reset(io);
		else
			wild_look();
		break;
	case 6:
		lw_lapic_set_tsc(wild_some_lapic(in), (uint64_t)byte << 20);
		break;
	default:
		if (byte & 1)
			clear_lapic(wild_trapped(in), true);
		else
			seldom(in);
	}
}

/* ---- judgement ---- */

static void is_sound(void)
{
	struct broken why;

	for (uint32_t n = 0; n < 2 && !wild.forged; n++)
		if (!lw_ioapic_holds(lw_chip_ioapic(wild.chip, n), &why))
			fuzz_fail("%s (I/O APIC %u, pin %u)", why.rule, n, why.pin);
	for (uint32_t n = 0; n < VCPUS; n++)
		if (!lw_lapic_is_sound(lw_chip_lapic(wild.chip, n), &why))
			fuzz_fail("%s (vCPU %u)", why.rule, n);
	if (lw_chip_pic(wild.chip) && !lw_pic_holds(lw_chip_pic(wild.chip), &why))
		fuzz_fail("%s (8259 %u, pin %u)", why.rule, why.chip, why.pin);
	if (!lw_eoi_holds(wild.eoi, &why))
		fuzz_fail("%s (vCPU %u, vector %#x)", why.rule, why.vcpu, why.vector);
	if (!wild.forged && !lw_chip_holds(wild.chip, wild.eoi, wild.history.given, &why))
		fuzz_fail("%s (chip %u, vCPU %u, pin %u, vector %#x)", why.rule, why.chip, why.vcpu,
			  why.pin, why.vector);
}

/* Ground truth: once nothing is pending or in service anywhere, each message that was sent has been
 * taken, and nothing can be in flight. */
static void come_to_rest(void)
{
	enum lw_eoi_policy policy = wild.policy;
	bool promises = policy == LW_EOI_ARMED || policy == LW_EOI_LAZY;

	if (wild.forged)
		return;
	for (uint32_t n = 0; n < VCPUS; n++)
		if (wild.in_guest[n])
			wild_leave(n);
	wild.resample = 0;
	history_rest(&wild.history, GSIS, 2, serve_kicks);
	lw_chip_settle(wild.chip);
	is_sound();
	if (promises && !(wild.history.given & LW_GIVEN_SUPPRESSION) && !wild.imported)
		history_all_resolved(&wild.history);
}

/* ---- the whole ---- */

static void open_eoi(uint8_t how)
{
	struct lw_eoi_config config = {
		.policy = (enum lw_eoi_policy)(how % 8 < LW_EOI_POLICIES ? how % 8 : LW_EOI_LAZY),
		.flags = (how & 8 ? LW_EOI_HARDWARE : 0) | (how & 16 ? LW_EOI_IN_KERNEL : 0),
		.nvcpus = VCPUS,
		.env = lw_chip_env(),
		.ctx = wild.chip,
	};

	wild.policy = config.policy;
	if (lw_eoi_init(wild.eoi, &config))
		fuzz_fail("a sound policy was refused");
}

static void open_chip(uint8_t how, uint8_t more)
{
	static const uint32_t ids[VCPUS] = {0, 3, 16, 17, 0x41, 0x80};
	const uint32_t flags =
		(how & 1 ? LW_IOAPIC_EXT_DEST : 0) | (how & 2 ? LW_IOAPIC_ELECTRICAL : 0) |
		((more & 6) == 6 ? LW_IOAPIC_STRICT : 0) | (more & 1 ? LW_IOAPIC_REMAPPABLE : 0);
	const struct lw_chip_ioapic io[2] = {
		{.gsi_base = 0, .pins = PINS, .version = 0x20, .flags = flags},
		{.gsi_base = PINS, .pins = 48, .version = 0x11, .flags = flags, .id = 1},
	};
	struct lw_chip_config config = {
		.ops = &ops[how >> 4 & 1],
		.hooks = lw_eoi_hooks(),
		.eoi = wild.eoi,
		.nvcpus = VCPUS,
		.ids = how & 0x20 ? ids : NULL,
		.x2apic = how & 1,
		.nioapics = 2,
		.ioapic = io,
		.gsis = GSIS,
		.pic = how & 0x40,
		.xapic_only = (how & 0x81) == 0x80,
	};
	size_t size = lw_chip_size(&config);

	wild.strict = flags & LW_IOAPIC_STRICT;
	wild.forges = (more & 0x18) == 0x08; /* … so that not every run is beyond truth */
	wild.imports = (more & 0x18) == 0x10;
	wild.calm = more & 0x20;
	wild.x2apic = how & 1;
	wild.chip = aligned_alloc(LW_CHIP_ALIGN, (size + 63) / 64 * 64);
	wild.eoi = aligned_alloc(LW_EOI_ALIGN, (lw_eoi_size(VCPUS) + 63) / 64 * 64);
	config.eoi = wild.eoi;
	if (!size || !wild.chip || !wild.eoi || lw_chip_init(wild.chip, &config))
		fuzz_fail("a sound configuration was refused");
}

static void set_up(struct input *in)
{
	uint8_t policy = in_byte(in), how;

	memset(&wild, 0, offsetof(struct wild, state));
	how = in_byte(in);
	open_chip(how, in_byte(in));
	open_eoi(policy);
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_lapic_write(lw_chip_lapic(wild.chip, n), LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
	history_begin(&wild.history, wild.chip, VCPUS);
	if (wild.strict) /* a vector rewritten in flight: its EOI resolves nothing either */
		wild.history.given |= LW_GIVEN_SUPPRESSION;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const happens[32])(struct input *) = {
		wild_page,   wild_page,   wild_page,      wild_msr,
		wild_msr,    wild_msr,    wild_ioapic,    wild_ioapic,
		wild_ioapic, wild_ioapic, wild_ioapic,    wild_port,
		wild_port,   wild_line,   wild_line,      wild_line,
		wild_line,   wild_line,   wild_msi,       wild_msi,
		wild_msi,    wild_take,   wild_take,      wild_take,
		wild_take,   wild_eoi,    wild_eoi,       wild_message,
		wild_wires,  vmm,         wild_pass_time, wild_enter_or_leave,
	};
	struct input in = {data, data + size};
	uint64_t operations = 0;

	set_up(&in);
	for (; in_more(&in); operations++) {
		uint8_t what = in_byte(&in);

		if (what >= 0xfc)
			wild_snapshots(&in);
		else if (what >= 0xf8)
			wild_routes(&in);
		else
			happens[what % 32](&in);
		serve_kicks();
		if (operations % 16 == 15)
			is_sound();
	}
	is_sound();
	come_to_rest();
	free(wild.chip);
	free(wild.eoi);
	fuzz_count(operations);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The whole controller, and everything that a guest and a VMM can do to it: registers of every chip
 * by page, MSR, window and port, odd widths and offsets, IPIs, MSIs, routes, modes, INIT, time,
 * snapshots taken, restored and forged. Nobody knows what should come of it; the invariants must
 * hold, and nothing may be touched that is not the chip's.
 */
#include <lapwing/lapwing.h>
#include <lapwing/snapshot.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "model/invariants.h"

#define VCPUS     6u
#define PINS      24u
#define GSIS      72u
#define MAX_STATE (1u << 18)
#define HEADER    16u
#define CRC_AT    12u

static struct {
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	bool in_guest[VCPUS], kicked[VCPUS];
	unsigned depth, signals;
	uint8_t resample;
	uint64_t now;
	bool forged;
	unsigned snapshots; /* they take long: a few in a run */
	uint8_t state[MAX_STATE], again[MAX_STATE];
} rig;

/* ---- ops ---- */

static void kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	if (vcpu >= VCPUS)
		fuzz_fail("vCPU %u was kicked", vcpu);
	rig.kicked[vcpu] = true;
}

static bool owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	return !rig.in_guest[vcpu];
}

static void on_signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	(void)ctx;
	(void)vector;
	if (vcpu >= VCPUS || delivery < LW_DM_SMI || delivery == LW_DM_RESERVED)
		fuzz_fail("a signal %u for vCPU %u", delivery, vcpu);
	rig.signals++;
}

static void resample(void *ctx, uint32_t gsi)
{
	(void)ctx;
	if (gsi >= GSIS)
		fuzz_fail("GSI %u was resolved", gsi);
	if (rig.depth++ == 0 && rig.resample >> gsi % 8 & 1) {
		lw_chip_line(rig.chip, gsi, 0, false);
		lw_chip_line(rig.chip, gsi, 0, rig.resample & 1);
	}
	rig.depth--;
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
	{OPS, .storm = storm, .threshold = threshold, .trace = trace},
};

/* ---- vCPUs ---- */

static void leave(uint32_t vcpu)
{
	rig.in_guest[vcpu] = false;
	lw_chip_exit(rig.chip, vcpu);
}

static void serve_kicks(void)
{
	for (uint32_t n = 0; n < VCPUS; n++)
		if (rig.kicked[n]) {
			bool was = rig.in_guest[n];

			rig.kicked[n] = false;
			leave(n);
			if (was)
				lw_chip_enter(rig.chip, n);
			rig.in_guest[n] = was;
		}
}

/* A vCPU whose thread is at work in the VMM. */
static uint32_t trapped(struct input *in)
{
	uint32_t vcpu = in_byte(in) % VCPUS;

	if (rig.in_guest[vcpu])
		leave(vcpu);
	return vcpu;
}

static struct lw_lapic *some_lapic(struct input *in)
{
	return lw_chip_lapic(rig.chip, trapped(in));
}

/* ---- what happens ---- */

static uint8_t some_vector(struct input *in)
{
	uint8_t byte = in_byte(in);

	return byte < 0xe0 ? (uint8_t)(0x31 + byte % 3 * 0x20) : (uint8_t)(byte * 7);
}

static void page(struct input *in)
{
	static const uint32_t likely[] = {LW_LAPIC_SVR, LW_LAPIC_LDR,       LW_LAPIC_DFR,
					  LW_LAPIC_EOI, LW_LAPIC_LVT_LINT0, LW_LAPIC_TPR,
					  LW_LAPIC_ICR, LW_LAPIC_ICR2};
	struct lw_lapic *lapic = some_lapic(in);
	uint8_t what = in_byte(in);
	uint32_t offset = what < 0xc0 ? likely[what & 7] : (uint32_t)in_bytes(in, 2);
	uint32_t value = what & 8 ? in_word(in) : 0x100u | in_byte(in);

	if (what & 16)
		value = (uint32_t)in_byte(in) << 24;
	if (what & 32)
		value = some_vector(in) | (value & 0xfff00);
	if (what & 64)
		lw_lapic_page_read(lapic, offset);
	else
		lw_lapic_page_write(lapic, offset, value);
}

static void msr(struct input *in)
{
	struct lw_lapic *lapic = some_lapic(in);
	uint8_t what = in_byte(in), byte = in_byte(in);
	uint64_t value = 0;
	uint32_t number = 0x800u + byte % 0x44;

	if (what < 0x10)
		number = LW_MSR_APIC_BASE;
	else if (what < 0x18)
		number = LW_MSR_TSC_DEADLINE;
	else if (what < 0x20)
		number = in_word(in);
	if (number == LW_MSR_APIC_BASE && byte < 0xf0)
		value = 0xfee00000u | (byte & 7u ? 0x800u : 0) | (byte & 8u ? 0x400u : 0);
	else
		value = what & 64 ? in_bytes(in, 8) : in_word(in) & 0xcffffu;
	if (what & 128)
		lw_lapic_msr_read(lapic, number, &value);
	else
		lw_lapic_msr_write(lapic, number, value);
}

static void ioapic(struct input *in)
{
	uint8_t what = in_byte(in), byte = in_byte(in);
	struct lw_ioapic *io = lw_chip_ioapic(rig.chip, what & 1);
	uint32_t index = 0x10 + byte % 12u, value = in_word(in), len = 4;
	uint64_t offset = 0x10, data;

	if (what & 2)
		index = 0x10 + byte % (2 * PINS);
	if (!(index & 1) && !(what & 4))
		value = some_vector(in) | (what & 8 ? LW_RTE_LEVEL : 0) |
			(what & 16 ? LW_RTE_LOGICAL : 0) | (byte & 0x80 ? 1u << 8 : 0);
	if (what >= 0xe0) {
		offset = byte & 1 ? 0x40 : byte;
		len = byte % 12;
		value = some_vector(in);
	}
	lw_ioapic_mmio_write(io, 0, &index, 4);
	data = value;
	if (what & 32)
		lw_ioapic_mmio_read(io, offset, &data, len);
	else
		lw_ioapic_mmio_write(io, offset, &data, len);
}

static void port(struct input *in)
{
	static const uint16_t ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x1f, 0x22};
	struct lw_pic *pic = lw_chip_pic(rig.chip);
	uint8_t what = in_byte(in), value = in_byte(in);

	if (!pic)
		return;
	if (what & 8)
		lw_pic_read(pic, ports[what & 7], what & 16 ? 2 : 1);
	else
		lw_pic_write(pic, ports[what & 7], value, what & 16 ? 2 : 1);
}

static void line(struct input *in)
{
	uint8_t what = in_byte(in), byte = in_byte(in);
	uint32_t gsi = byte < 0xf8 ? byte % 16u : in_word(in);

	if (what & 2 && byte < 0xf8)
		gsi = byte % 8u * 9u;
	lw_chip_line(rig.chip, gsi, what < 0xf0 ? what >> 2 & 1 : what, what & 1);
}

static void msi(struct input *in)
{
	uint8_t what = in_byte(in);
	uint64_t address = 0xfee00000u | (uint32_t)in_byte(in) << 12 | (what & 0x1cu);
	uint32_t data = some_vector(in) | (what & 0xe0u) << 3;

	if (what & 1)
		data = in_word(in);
	if (what & 2)
		address ^= in_bytes(in, 3);
	lw_chip_msi(rig.chip, address, data);
}

static void message(struct input *in)
{
	uint8_t what = in_byte(in);
	struct lw_msg msg = {.dest = in_byte(in),
			     .vector = some_vector(in),
			     .delivery = what & 7,
			     .logical = what & 8,
			     .level = what & 16};

	if (what & 32)
		msg.dest = in_word(in);
	lw_chip_send(rig.chip, &msg);
}

static void take(struct input *in)
{
	uint32_t vcpu = in_byte(in) % VCPUS;
	int pending = lw_chip_pending(rig.chip, vcpu), vector = lw_chip_accept(rig.chip, vcpu);

	if (vector != pending)
		fuzz_fail("%d was pending, and %d accepted", pending, vector);
}

static void eoi(struct input *in)
{
	uint32_t vcpu = in_byte(in) % VCPUS;
	uint8_t what = in_byte(in);
	bool was = rig.in_guest[vcpu];

	if (what < 0xf0) {
		for (uint32_t v = 16; v < 256; v++)
			lw_chip_eoi_leaves(rig.chip, vcpu, (uint8_t)v);
		if (lw_lapic_eoi(lw_chip_lapic(rig.chip, vcpu)) >= 0 && was) {
			leave(vcpu);
			lw_chip_enter(rig.chip, vcpu);
			rig.in_guest[vcpu] = true;
		}
	} else if (!was) {
		lw_chip_exit(rig.chip, vcpu);
	}
}

static void enter_or_leave(struct input *in)
{
	uint32_t vcpu = in_byte(in) % VCPUS;

	if (rig.in_guest[vcpu]) {
		leave(vcpu);
	} else {
		lw_chip_enter(rig.chip, vcpu);
		rig.in_guest[vcpu] = true;
	}
}

static void routes(struct input *in)
{
	struct lw_route list[4];
	uint32_t gsi = in_byte(in) % GSIS;
	size_t count = in_byte(in) % 4;

	for (size_t n = 0; n < count; n++) {
		uint8_t what = in_byte(in);

		list[n] = (struct lw_route){.gsi = gsi, .type = (enum lw_route_type)(what % 3)};
		if (list[n].type == LW_ROUTE_MSI) {
			list[n].address = 0xfee00000u | (uint32_t)in_byte(in) << 12;
			list[n].data = some_vector(in);
		} else {
			list[n].chip = what >> 2 & 3u;
			list[n].pin = (uint16_t)in_below(in, list[n].type == LW_ROUTE_PIC ? 8 : 32);
		}
	}
	lw_routes_replace(lw_chip_routes(rig.chip), gsi, list, count);
}

static void pass_time(struct input *in)
{
	struct lw_lapic *lapic = some_lapic(in);

	rig.now += (uint64_t)in_byte(in) << in_byte(in) % 32;
	lw_lapic_time(lapic, rig.now);
}

static void wires(struct input *in)
{
	struct lw_lapic *lapic = some_lapic(in);
	uint8_t what = in_byte(in);

	switch (what % 4) {
	case 0:
		lw_lapic_lint(lapic, 1, what & 4);
		break;
	case 1:
		lw_lapic_pmi(lapic);
		break;
	case 2:
		lw_lapic_thermal(lapic);
		break;
	default:
		lw_lapic_set_cr8(lapic, what >> 2);
	}
}

/* What debuggers read, and the policy alone through bytes and back. */
static void look(void)
{
	char *text = (char *)rig.again;
	size_t size;

	if (lw_chip_dump(rig.chip, text, sizeof(rig.again)) >= sizeof(rig.again))
		fuzz_fail("a dump without end");
	lw_routes_dump(lw_chip_routes(rig.chip), text, 100);
	lw_chip_counters(rig.chip);
	lw_eoi_counters(rig.eoi);
	size = lw_eoi_save(rig.eoi, rig.state, sizeof(rig.state));
	if (lw_eoi_restore(rig.eoi, rig.state, size))
		fuzz_fail("a policy's own snapshot was refused");
	size = lw_routes_save(lw_chip_routes(rig.chip), rig.state, sizeof(rig.state));
	if (lw_routes_restore(lw_chip_routes(rig.chip), rig.state, size))
		fuzz_fail("a table's own snapshot was refused");
	if (!lw_chip_shift_time(rig.chip, 1000) && lw_chip_shift_time(rig.chip, -1000))
		fuzz_fail("time can't be shifted back");
}

static void vmm(struct input *in)
{
	uint8_t what = in_byte(in), byte = in_byte(in);
	struct lw_ioapic *io = lw_chip_ioapic(rig.chip, what & 1);

	switch (what >> 1 & 7) {
	case 0:
		lw_chip_init_vcpu(rig.chip, trapped(in));
		break;
	case 1:
		lw_ioapic_notify(io, byte % PINS, byte & 0x80);
		break;
	case 2:
		lw_ioapic_resume(io, byte % PINS);
		break;
	case 3:
		rig.resample = byte;
		break;
	case 4:
		for (uint32_t n = 0; n < VCPUS; n++)
			if (rig.in_guest[n])
				leave(n);
		lw_chip_settle(rig.chip);
		break;
	case 5:
		if (byte & 1)
			lw_ioapic_reset(io);
		else
			look();
		break;
	case 6:
		lw_lapic_set_tsc(some_lapic(in), (uint64_t)byte << 20);
		break;
	default:
		lw_lapic_reset(some_lapic(in));
	}
}

/* ---- snapshots ---- */

static uint32_t crc_of(const uint8_t *p, size_t size)
{
	static uint32_t table[256];
	uint32_t crc = UINT32_MAX;

	for (uint32_t n = 0; !table[255] && n < 256; n++) {
		table[n] = n;
		for (int bit = 0; bit < 8; bit++)
			table[n] = table[n] >> 1 ^ (table[n] & 1 ? 0xedb88320u : 0);
	}
	for (size_t n = 0; n < size; n++)
		if (n < CRC_AT || n >= HEADER)
			crc = crc >> 8 ^ table[(crc ^ p[n]) & 0xff];
	return ~crc;
}

static void seal(uint8_t *p, size_t size)
{
	uint32_t crc = crc_of(p, size);

	for (uint32_t n = 0; n < 4; n++)
		p[CRC_AT + n] = (uint8_t)(crc >> 8 * n);
}

static size_t save(void)
{
	size_t size = lw_chip_save(rig.chip, rig.state, sizeof(rig.state));

	if (size > sizeof(rig.state))
		fuzz_fail("a snapshot takes %zu bytes", size);
	return size;
}

static void everybody_out(void)
{
	for (uint32_t n = 0; n < VCPUS; n++)
		if (rig.in_guest[n])
			leave(n);
}

static void migrate(struct input *in)
{
	size_t size;

	(void)in;
	everybody_out();
	size = save();
	if (lw_chip_restore(rig.chip, rig.state, size))
		fuzz_fail("what was saved can't be restored");
	lw_chip_save(rig.chip, rig.again, sizeof(rig.again));
	if (memcmp(rig.state, rig.again, size) != 0)
		fuzz_fail("what was restored is not what was saved");
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_chip_exit(rig.chip, n);
}

/* The policy's part lies at the end, sealed on its own. */
static void forge(struct input *in)
{
	size_t size, eoi = lw_eoi_save(rig.eoi, NULL, 0);
	uint8_t edits = in_byte(in) % 6;

	everybody_out();
	size = save();
	for (; edits; edits--) {
		size_t at = HEADER + in_bytes(in, 3) % (size - HEADER);

		rig.state[at] ^= (uint8_t)(in_byte(in) | 1);
	}
	if (in_byte(in) < 0xf8) {
		seal(rig.state + size - eoi, eoi);
		seal(rig.state, size);
	}
	if (in_byte(in) >= 0xf8)
		size -= in_byte(in) % size;
	if (lw_chip_restore(rig.chip, rig.state, size))
		return;
	rig.forged = true;
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_chip_exit(rig.chip, n);
}

static void snapshots(struct input *in)
{
	bool forging = in_byte(in) & 1;

	if (rig.snapshots++ >= 3)
		return;
	if (forging)
		forge(in);
	else
		migrate(in);
}

/* ---- judgement ---- */

static void is_sound(void)
{
	struct broken why;

	for (uint32_t n = 0; n < 2 && !rig.forged; n++)
		if (!lw_ioapic_holds(lw_chip_ioapic(rig.chip, n), &why))
			fuzz_fail("%s (I/O APIC %u, pin %u)", why.rule, n, why.pin);
	for (uint32_t n = 0; n < VCPUS; n++)
		if (!lw_lapic_is_sound(lw_chip_lapic(rig.chip, n), &why))
			fuzz_fail("%s (vCPU %u)", why.rule, n);
	if (!rig.forged &&
	    !lw_chip_holds(rig.chip, rig.eoi, LW_GIVEN_SUPPRESSION | LW_GIVEN_REMAP, &why))
		fuzz_fail("%s (chip %u, vCPU %u, pin %u, vector %#x)", why.rule, why.chip, why.vcpu,
			  why.pin, why.vector);
}

/* ---- the whole ---- */

static void open_eoi(uint8_t how)
{
	struct lw_eoi_config config = {
		.policy = (enum lw_eoi_policy)(how % 8 < LW_EOI_POLICIES ? how % 8 : LW_EOI_LAZY),
		.flags = (how & 8 ? LW_EOI_HARDWARE : 0) | (how & 16 ? LW_EOI_IN_KERNEL : 0),
		.nvcpus = VCPUS,
		.env = lw_chip_env(),
		.ctx = rig.chip,
	};

	if (lw_eoi_init(rig.eoi, &config))
		fuzz_fail("a sound policy was refused");
}

static void open_chip(uint8_t how)
{
	static const uint32_t ids[VCPUS] = {0, 3, 16, 17, 0x41, 0x80};
	const uint32_t flags = (how & 1 ? LW_IOAPIC_EXT_DEST : 0) |
			       (how & 2 ? LW_IOAPIC_ELECTRICAL : 0) |
			       ((how & 0x0c) == 0x0c ? LW_IOAPIC_STRICT : 0);
	const struct lw_chip_ioapic io[2] = {
		{.gsi_base = 0, .pins = PINS, .version = 0x20, .flags = flags},
		{.gsi_base = PINS, .pins = 48, .version = 0x11, .flags = flags, .id = 1},
	};
	struct lw_chip_config config = {
		.ops = &ops[how >> 4 & 1],
		.hooks = lw_eoi_hooks(),
		.eoi = rig.eoi,
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

	rig.chip = aligned_alloc(LW_CHIP_ALIGN, (size + 63) / 64 * 64);
	rig.eoi = aligned_alloc(LW_EOI_ALIGN, (lw_eoi_size(VCPUS) + 63) / 64 * 64);
	config.eoi = rig.eoi;
	if (!size || !rig.chip || !rig.eoi || lw_chip_init(rig.chip, &config))
		fuzz_fail("a sound configuration was refused");
}

static void set_up(struct input *in)
{
	uint8_t policy = in_byte(in);

	memset(&rig, 0, offsetof(__typeof__(rig), state));
	open_chip(in_byte(in));
	open_eoi(policy);
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_lapic_write(lw_chip_lapic(rig.chip, n), LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const happens[32])(struct input *) = {
		page,   page,   page,   msr,     msr,   msr,  ioapic,    ioapic,
		ioapic, ioapic, ioapic, port,    port,  line, line,      line,
		line,   line,   msi,    msi,     msi,   take, take,      take,
		take,   eoi,    eoi,    message, wires, vmm,  pass_time, enter_or_leave,
	};
	struct input in = {data, data + size};
	uint64_t operations = 0;

	set_up(&in);
	for (; in_more(&in); operations++) {
		uint8_t what = in_byte(&in);

		if (what >= 0xfc)
			snapshots(&in);
		else if (what >= 0xf8)
			routes(&in);
		else
			happens[what % 32](&in);
		serve_kicks();
		if (operations % 16 == 15)
			is_sound();
	}
	is_sound();
	free(rig.chip);
	free(rig.eoi);
	fuzz_count(operations);
	return 0;
}

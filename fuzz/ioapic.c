/* SPDX-License-Identifier: MIT */
/*
 * One I/O APIC beside its naive twin, and vCPUs that only remember what they were given: lines,
 * registers, EOIs seen and, where a record was let go, unseen; resamplers that move the line.
 */
#include <lapwing/ioapic.h>
#include <lapwing/snapshot.h>
#include <stdlib.h>
#include <string.h>

#include "core/ioapic_priv.h"
#include "fuzz.h"
#include "model/invariants.h"
#include "model/naive_ioapic.h"

#define VCPUS  NAIVE_VCPUS
#define NOBODY 0x70u /* destinations from here on: nobody's, and … */
#define ANY    0x78u /* … somebody's, nobody knows whose */
#define EVENTS 1024u
#define LIKELY 6u /* pins */

/* What left a chip: deliveries, and what it told, in order. */
struct diary {
	uint64_t entry[EVENTS];
	unsigned count;
};

static struct {
	struct lw_ioapic *io;
	size_t size;
	struct naive_ioapic naive;
	struct diary ours, theirs;
	bool deaf[VCPUS]; /* takes nothing */
	bool lazy, lets_go, locked;
	uint8_t has[VCPUS][256]; /* given to the vCPU, and not yet ended */
	bool unseen[VCPUS][256]; /* its EOI will not be told */
	uint8_t resample;        /* what a resampler does, by a bit for each pin modulo 8 */
	unsigned depth, way;
} rig;

static void write_down(struct diary *d, uint64_t what)
{
	d->entry[d->count++ % EVENTS] = what;
}

static uint64_t message(uint32_t gsi, const struct lw_msg *m)
{
	return (uint64_t)gsi << 48 | (uint64_t)m->dest << 16 | (uint64_t)m->vector << 8 |
	       (uint64_t)m->delivery << 4 | (m->logical ? 2u : 0) | (m->level ? 1u : 0);
}

/* The same for both: who takes it depends on the message alone, and on who is deaf. */
static void takers_of(const struct lw_msg *m, struct naive_takers *t)
{
	bool one = m->delivery == LW_DM_LOWEST, found = false;

	memset(t, 0, sizeof(*t));
	if (m->vector < 16 || m->delivery == LW_DM_RESERVED)
		return;
	if (m->dest >= ANY && m->dest < ANY + 8)
		t->any = true;
	for (uint32_t v = 0; v < VCPUS; v++) {
		bool named = m->logical ? m->dest >> v & 1 : m->dest == v || m->dest == 0xff;

		t->took[v] = !t->any && m->dest < NOBODY + (m->dest == 0xff ? 0x90 : 0) && named &&
			     !rig.deaf[v] && !(one && found);
		found = found || t->took[v];
	}
}

/* ---- ours ---- */

static void deliver(void *ctx, uint32_t gsi, const struct lw_msg *msg, struct lw_takers *takers)
{
	struct naive_takers t;

	(void)ctx;
	write_down(&rig.ours, message(gsi, msg));
	takers_of(msg, &t);
	takers->any = t.any;
	for (uint32_t v = 0; v < VCPUS; v++) {
		if (t.any)
			rig.unseen[v][msg->vector] = false; /* it may be anybody's */
		if (!t.took[v])
			continue;
		if (takers->count++ == 0)
			takers->vcpu = v;
		takers->map[0] |= 1u << v;
		rig.has[v][msg->vector] = 1;
		if (msg->level)
			rig.unseen[v][msg->vector] = false;
	}
	if (takers->count < 2)
		takers->map[0] = 0;
}

static void fell(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	if (!rig.lazy || !rig.lets_go || !lw_ioapic_releasable_locked(rig.io, vcpu, vector))
		return;
	lw_ioapic_release_locked(rig.io, vcpu, vector);
	rig.unseen[vcpu][vector] = true;
}

static enum lw_recall recall(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	rig.unseen[vcpu][vector] = false;
	return rig.has[vcpu][vector] ? LW_RECALL_THERE : LW_RECALL_GONE;
}

static bool matches(void *ctx, uint32_t vcpu, const struct lw_msg *msg)
{
	struct naive_takers t;

	(void)ctx;
	takers_of(msg, &t);
	return t.took[vcpu];
}

/* By its bit the device lets its line go, and perhaps raises it anew, or does nothing. */
static bool device_moves(uint32_t gsi)
{
	return rig.resample >> gsi % 8 & 1;
}

static bool device_raises(uint32_t gsi)
{
	return rig.resample >> (gsi + 3) % 8 & 1;
}

static void resample(void *ctx, uint32_t gsi)
{
	uint32_t pin = gsi - rig.naive.config.gsi_base;

	(void)ctx;
	if (rig.depth++ || rig.locked)
		fuzz_fail("callbacks nest");
	write_down(&rig.ours, 1ull << 63 | gsi);
	if (device_moves(gsi)) {
		lw_ioapic_line(rig.io, pin, 0, false);
		if (device_raises(gsi))
			lw_ioapic_line(rig.io, pin, 0, true);
	}
	rig.depth--;
}

static void storm(void *ctx, uint32_t gsi)
{
	(void)ctx;
	write_down(&rig.ours, 1ull << 62 | gsi);
}

static void lock(void *ctx)
{
	(void)ctx;
	if (rig.locked)
		fuzz_fail("the lock is taken twice");
	rig.locked = true;
}

static void unlock(void *ctx)
{
	(void)ctx;
	if (!rig.locked)
		fuzz_fail("the lock is let go of twice");
	rig.locked = false;
}

/* ---- theirs ---- */

static void naive_deliver(void *ctx, uint32_t gsi, const struct lw_msg *msg, struct naive_takers *t)
{
	(void)ctx;
	write_down(&rig.theirs, message(gsi, msg));
	takers_of(msg, t);
}

static void naive_resample(void *ctx, uint32_t gsi)
{
	uint32_t pin = gsi - rig.naive.config.gsi_base;

	(void)ctx;
	write_down(&rig.theirs, 1ull << 63 | gsi);
	if (device_moves(gsi)) {
		naive_ioapic_line(&rig.naive, pin, 0, false);
		if (device_raises(gsi))
			naive_ioapic_line(&rig.naive, pin, 0, true);
	}
}

static void naive_storm(void *ctx, uint32_t gsi)
{
	(void)ctx;
	write_down(&rig.theirs, 1ull << 62 | gsi);
}

/* ---- operands ---- */

static uint32_t some_pin(struct input *in)
{
	uint8_t byte = in_byte(in);

	return byte < 0xe0 ? byte % LIKELY : byte % rig.naive.config.pins;
}

static uint8_t some_vector(struct input *in)
{
	static const uint8_t vectors[] = {0x31, 0x32, 0x33, 0x80};
	uint8_t byte = in_byte(in);

	return byte < 0xe0 ? vectors[byte % 4] : (uint8_t)(byte * 9);
}

static uint32_t some_low_half(struct input *in)
{
	uint8_t byte = in_byte(in), vector = some_vector(in);

	if (byte < 0xc0)
		return vector | (byte & 3 ? LW_RTE_LEVEL : 0) | (byte & 0x1c ? 0 : LW_RTE_MASK) |
		       (byte & 0x20 ? LW_RTE_LOGICAL : 0) | (byte % 11 ? 0 : 1u << 8);
	return vector | (uint32_t)in_bytes(in, 3) << 8;
}

static uint32_t some_high_half(struct input *in)
{
	uint8_t byte = in_byte(in);

	if (byte < 0x80)
		return (uint32_t)(byte % VCPUS) << 24;
	if (byte < 0xe0)
		return (uint32_t)in_byte(in) << 24;
	return byte < 0xf0 ? (ANY + byte % 8) << 24 : in_word(in);
}

/* ---- what happens ---- */

static void line(struct input *in)
{
	uint8_t what = in_byte(in);
	uint32_t pin = some_pin(in), source = what < 0xf0 ? what & 1 : in_below(in, 32);

	if (lw_ioapic_line(rig.io, pin, source, what & 2))
		fuzz_fail("a line was refused");
	naive_ioapic_line(&rig.naive, pin, source, what & 2);
}

static void write_rte(struct input *in)
{
	uint32_t pin = some_pin(in), half = in_byte(in) & 1;
	uint32_t value = half ? some_high_half(in) : some_low_half(in);

	lw_ioapic_write(rig.io, 0x10 + 2 * pin + half, value);
	naive_ioapic_write(&rig.naive, 0x10 + 2 * pin + half, value);
}

static void read_rte(struct input *in)
{
	uint32_t pin = some_pin(in);
	uint64_t rte = 0, naive = naive_ioapic_read(&rig.naive, 0x11 + 2 * pin);

	naive = naive << 32 | naive_ioapic_read(&rig.naive, 0x10 + 2 * pin);
	if (lw_ioapic_rte(rig.io, pin, &rte))
		fuzz_fail("an RTE was refused");
	fuzz_same("an RTE", rte, naive);
}

static void window(struct input *in)
{
	static const uint8_t offsets[] = {0, 0x10, 0x40, 0x10, 0x10, 0x20, 0x08, 0x14};
	uint8_t what = in_byte(in);
	uint64_t offset = offsets[what & 7], value, naive = 0, ours = 0;
	size_t len = what & 8 ? 4 : in_below(in, 12);

	if (what & 16) {
		value = offset == 0 ? in_byte(in) + 16u * (what > 0xf0) : some_low_half(in);
		lw_ioapic_mmio_write(rig.io, offset, &value, len);
		if (len && len <= 8)
			naive_ioapic_mmio_write(&rig.naive, offset, value, len);
		return;
	}
	lw_ioapic_mmio_read(rig.io, offset, &ours, len);
	if (len && len <= 8)
		naive = naive_ioapic_mmio_read(&rig.naive, offset, len);
	fuzz_same("what was read in the window", ours, naive);
}

/* The guest has ended it and nobody told the chip: in one of four ways it asks after it. Later it
 * could not tell this EOI from that of another interrupt of the pair. */
static void remind(uint32_t pin)
{
	uint64_t rte;

	switch (rig.way++ % 4) {
	case 0:
		lw_ioapic_rte(rig.io, pin, &rte);
		break;
	case 1:
		lw_ioapic_line(rig.io, pin, 7, true);
		naive_ioapic_line(&rig.naive, pin, 7, true);
		break;
	case 2:
		lw_ioapic_notify(rig.io, pin, true);
		naive_ioapic_notify(&rig.naive, pin, true);
		break;
	default:
		break;
	}
	lw_ioapic_settle_locked(rig.io);
	lw_ioapic_drain(rig.io);
}

/* The guest ends it; where its record was let go nobody tells the chip. */
static void end(uint32_t vcpu, uint8_t vector)
{
	bool unseen = rig.unseen[vcpu][vector] && rig.has[vcpu][vector];
	enum lw_eoi_class theirs;
	uint32_t pin = 0;

	while (pin < rig.naive.config.pins &&
	       (!rig.naive.pin[pin].taker[vcpu] || rig.naive.pin[pin].delivered != vector))
		pin++;
	rig.has[vcpu][vector] = 0;
	theirs = naive_ioapic_eoi(&rig.naive, vcpu, vector);
	if (!unseen)
		fuzz_same("the class of an EOI", lw_ioapic_eoi(rig.io, vcpu, vector), theirs);
	else if (pin < rig.naive.config.pins)
		remind(pin);
}

static void eoi(struct input *in)
{
	uint32_t vcpu = in_byte(in) % VCPUS;

	end(vcpu, some_vector(in));
}

/* What is in flight, whatever the bytes say. */
static void eoi_of_pin(struct input *in)
{
	const struct naive_pin *p = &rig.naive.pin[some_pin(in)];

	for (uint32_t v = 0; v < VCPUS; v++)
		if (p->taker[v] || p->residue[v]) {
			end(v, (uint8_t)p->delivered);
			return;
		}
}

static void forget(struct input *in)
{
	uint32_t vcpu = in_byte(in) % VCPUS;

	memset(rig.has[vcpu], 0, sizeof(rig.has[vcpu]));
	memset(rig.unseen[vcpu], 0, sizeof(rig.unseen[vcpu]));
	lw_ioapic_forget(rig.io, vcpu);
	naive_ioapic_forget(&rig.naive, vcpu);
}

static void deafen(struct input *in)
{
	uint8_t what = in_byte(in);

	rig.deaf[what % VCPUS] = what & 0x80;
	lw_ioapic_retry(rig.io);
	naive_ioapic_retry(&rig.naive);
}

static void notify(struct input *in)
{
	uint32_t pin = some_pin(in);
	uint8_t what = in_byte(in);

	rig.resample = in_byte(in);
	lw_ioapic_notify(rig.io, pin, what & 1);
	naive_ioapic_notify(&rig.naive, pin, what & 1);
}

/* Through bytes and back. */
static void migrate(void)
{
	static uint8_t bytes[1u << 16];
	static char text[4096];
	size_t size = lw_ioapic_save(rig.io, bytes, sizeof(bytes));

	lw_ioapic_dump(rig.io, text, sizeof(text));
	if (size > sizeof(bytes) || lw_ioapic_restore(rig.io, bytes, size))
		fuzz_fail("what was saved can't be restored");
	rig.ours.count = rig.theirs.count = 0; /* what was owed is told again */
}

/* A guest that has ended for ever what stays up: thousands of EOIs that would all be the same are
 * taken as having been, and the last few that make a storm of them are to come. */
static void rage(struct input *in)
{
	uint32_t pin = some_pin(in);
	uint16_t eois = (uint16_t)(STORM_LIMIT - 1 - in_byte(in) % 8);

	/* An EOI that nobody saw counts as late as it is found out, so not under `lazy`. */
	if (rig.lazy || !rig.io->pin[pin].storm)
		return;
	rig.io->pin[pin].storm = eois;
	rig.naive.pin[pin].eois = eois;
}

static void rarely(struct input *in)
{
	uint8_t what = in_byte(in);
	uint32_t pin = some_pin(in);

	if (what < 0x20) {
		lw_ioapic_reset(rig.io);
		naive_ioapic_reset(&rig.naive);
	} else if (what < 0x40) {
		if (!lw_ioapic_line(rig.io, 240, 0, true) || !lw_ioapic_line(rig.io, 0, 32, true) ||
		    !lw_ioapic_notify(rig.io, 240, true) || !lw_ioapic_resume(rig.io, 240))
			fuzz_fail("a pin that there is not was served");
	} else if (what < 0x60) {
		lw_ioapic_settle_locked(rig.io);
		lw_ioapic_drain(rig.io);
	} else if (what < 0x80) {
		rig.lets_go = !rig.lets_go;
	} else if (what < 0xa0) {
		migrate();
	} else if (what < 0xc0) {
		rage(in);
	} else {
		lw_ioapic_resume(rig.io, pin);
		naive_ioapic_resume(&rig.naive, pin);
	}
}

/* ---- both alike? ---- */

static void compare(void)
{
	fuzz_same("how much left the I/O APIC", rig.ours.count, rig.theirs.count);
	for (unsigned n = 0; n < rig.ours.count && n < EVENTS; n++)
		fuzz_same("what left it", rig.ours.entry[n], rig.theirs.entry[n]);
	rig.ours.count = rig.theirs.count = 0;
}

/* With the registers of so many pins. */
static void compare_state(uint32_t pins)
{
	struct lw_ioapic_counters a, b = rig.naive.counters;
	struct broken why;

	if (!lw_ioapic_holds(rig.io, &why))
		fuzz_fail("%s (pin %u, vector %#x)", why.rule, why.pin, why.vector);
	for (uint32_t index = 0; index < 0x10 + 2 * pins; index++)
		fuzz_same("a register", lw_ioapic_read(rig.io, index),
			  naive_ioapic_read(&rig.naive, index));
	a = lw_ioapic_counters(rig.io);
	fuzz_same("deliveries", a.deliveries, b.deliveries);
	fuzz_same("edges", a.edges, b.edges);
	fuzz_same("storms", a.storms, b.storms);
	fuzz_same("EOIs of a second taker", a.redundant, b.redundant);
	if (!rig.lazy)
		fuzz_same("records resolved", a.resolved, b.resolved);
	for (uint32_t v = 0; !rig.lazy && v < VCPUS; v++)
		for (uint32_t vector = 0x30; vector < 0x34; vector++)
			fuzz_same("what is in flight",
				  lw_ioapic_in_flight_locked(rig.io, v, (uint8_t)vector),
				  naive_ioapic_in_flight(&rig.naive, v, (uint8_t)vector));
}

#define OPS                                                                     \
	.deliver = deliver, .fell = fell, .recall = recall, .matches = matches, \
	.resample = resample, .storm = storm

/* Without a lock some calls take shorter ways. */
static const struct lw_ioapic_ops ops[2] = {{OPS, .lock = lock, .unlock = unlock}, {OPS}};

static void set_up(struct input *in)
{
	static const uint32_t pins[] = {24, 24, 120, 240};
	uint8_t how = in_byte(in);
	struct lw_ioapic_config config = {
		.ops = &ops[in_byte(in) & 1],
		.pins = pins[how & 3],
		.nvcpus = VCPUS,
		.flags = how >> 2 & 7,
		.gsi_base = how & 0x20 ? 16 : 0,
		.id = how & 15,
		.version = how & 0x40 ? 0x11 : 0x20,
	};
	void *storage = rig.io;

	if (!storage)
		storage = aligned_alloc(LW_IOAPIC_ALIGN, 1u << 15);
	memset(&rig, 0, sizeof(rig));
	rig.lazy = how & 0x80 && !(config.flags & LW_IOAPIC_STRICT);
	rig.lets_go = true;
	rig.io = storage;
	rig.naive.config = config;
	rig.naive.deliver = naive_deliver;
	rig.naive.resample = naive_resample;
	rig.naive.storm = naive_storm;
	naive_ioapic_init(&rig.naive);
	if (!storage || lw_ioapic_size(&config) > 1u << 15 || lw_ioapic_init(rig.io, &config))
		fuzz_fail("a sound configuration was refused");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const happens[16])(struct input *) = {
		line,       line,       line, line,   write_rte, write_rte, write_rte, read_rte,
		eoi_of_pin, eoi_of_pin, eoi,  window, forget,    deafen,    notify,    rarely,
	};
	struct input in = {data, data + size};
	uint64_t operations = 0;

	set_up(&in);
	while (in_more(&in)) {
		uint8_t what = in_byte(&in);

		happens[what % 16](&in);
		compare();
		if (++operations % 32 == 0)
			compare_state(LIKELY);
	}
	compare_state(rig.naive.config.pins + 1);
	fuzz_count(operations);
	return 0;
}

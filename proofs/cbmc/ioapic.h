/* SPDX-License-Identifier: MIT */
/*
 * An I/O APIC of two pins and two vCPUs, of any flags, with any ops: the world of the
 * harnesses in ioapic*.c.
 */
#ifndef LAPWING_PROVE_IOAPIC_H
#define LAPWING_PROVE_IOAPIC_H

#include <string.h>

#include "core/ioapic_priv.h"
#include "lock.h"

#define PINS  2u
#define VCPUS 2u

/*
 * Vectors are compared with one another, and heads are found by them; nothing else is done with
 * them here. Two pins have two each, a call names one, and the invariants are asserted of one:
 * so with eight of them every case there is comes up, and much faster than with 256.
 */
#ifndef LAST_VECTOR
#define LAST_VECTOR 7u
#endif
#define A_VECTOR (nondet_u8() & LAST_VECTOR)

/* Who calls names a vCPU that exists (lapwing/types.h). */
#define A_VCPU any_below(VCPUS)

struct lw_ioapic nondet_ioapic(void);
struct lw_pin nondet_pin(void);

/* The parts of the chip. With LW_PARTS_APART the five functions below say where they are. */
static struct lw_ioapic io;
static struct lw_pin pin0, pin1;
static struct lw_link routes[PINS], records[PINS];
static uint64_t map0, map1;

/* Whose ops->resample is under way: it samples without being owed it. PINS: nobody's. */
static uint32_t sampled;

struct lw_pin *lw_pin_at(const struct lw_ioapic *of, uint32_t n)
{
	must_hold(of == &io && n < PINS, "a pin is one of the chip's");
	return n ? &pin1 : &pin0;
}

uint32_t lw_pin_number(const struct lw_ioapic *of, const struct lw_pin *p)
{
	must_hold(of == &io && (p == &pin0 || p == &pin1), "a pin that has a number is one");
	return p == &pin1;
}

uint64_t *lw_pin_map(struct lw_ioapic *of, const struct lw_pin *p)
{
	return lw_pin_number(of, p) ? &map1 : &map0;
}

const uint64_t *lw_pin_const_map(const struct lw_ioapic *of, const struct lw_pin *p)
{
	return lw_pin_number(of, p) ? &map1 : &map0;
}

struct lw_link *lw_pin_links(const struct lw_ioapic *of, enum lw_index index)
{
	must_hold(of == &io, "links are those of the chip");
	return index == BY_ROUTE ? routes : records;
}

static struct lw_ioapic_ops ops;

/* ---- ops ---- */

/* All that struct lw_takers can say. */
static void deliver(void *ctx, uint32_t gsi, const struct lw_msg *msg, struct lw_takers *t)
{
	(void)ctx, (void)gsi, (void)msg;
	t->any = nondet_bool();
	t->count = any_below(VCPUS + 1);
	if (t->count == 1 && !t->any)
		t->vcpu = any_below(VCPUS);
	if (t->count > 1 && !t->any)
		*t->map = 3;
}

static void route(void *ctx, const struct lw_msg *before, const struct lw_msg *after)
{
	(void)ctx, (void)before, (void)after;
}

static void fell(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	if (nondet_bool() && lw_ioapic_releasable_locked(&io, vcpu, vector))
		lw_ioapic_release_locked(&io, vcpu, vector);
}

static enum lw_recall recall(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx, (void)vcpu, (void)vector;
	return any_below(3);
}

static void gone(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	lw_ioapic_gone_locked(&io, vcpu, vector);
}

static void closed(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx, (void)vcpu, (void)vector;
}

static void record(void *ctx, uint32_t vcpu, uint8_t vector, bool open)
{
	(void)ctx, (void)vector, (void)open;
	must_hold(vcpu < io.nvcpus, "who is counted exists");
}

static bool matches(void *ctx, uint32_t vcpu, const struct lw_msg *msg)
{
	(void)ctx, (void)vcpu, (void)msg;
	return nondet_bool();
}

/* Whoever asks twice under one lock is told the same. */
static bool taken[PINS][VCPUS];

static bool took(void *ctx, uint32_t gsi, uint32_t vcpu)
{
	(void)ctx;
	must_hold(gsi - io.gsi_base < PINS && vcpu < VCPUS, "who is asked about exists");
	return taken[gsi - io.gsi_base][vcpu];
}

static int remap(void *ctx, const struct lw_remap *entry, struct lw_msg *msg)
{
	(void)ctx, (void)entry;
	msg->dest = nondet_u32();
	msg->vector = A_VECTOR;
	msg->delivery = nondet_u8();
	msg->logical = nondet_bool();
	msg->level = nondet_bool();
	return nondet_bool() ? 0 : -1;
}

#ifdef DRAINS
static void resample(void *ctx, uint32_t gsi);
static void storm(void *ctx, uint32_t gsi);
#else
static void resample(void *ctx, uint32_t gsi)
{
	(void)ctx, (void)gsi;
	must_hold(false, "who runs notifications is another");
}

static void storm(void *ctx, uint32_t gsi)
{
	(void)ctx, (void)gsi;
	must_hold(false, "who runs notifications is another");
}
#endif

static uint32_t gsi_base, chip_flags;

/* And what else does not change once the chip is set up. */
static void any_ops(void)
{
	bool locks = nondet_bool();

	gsi_base = nondet_u32();
	chip_flags = nondet_u32();
	taken[0][0] = nondet_bool();
	taken[0][1] = nondet_bool();
	taken[1][0] = nondet_bool();
	taken[1][1] = nondet_bool();
	ops = (struct lw_ioapic_ops){
		.lock = locks ? op_lock : NULL,
		.unlock = locks ? op_unlock : NULL,
		.deliver = deliver,
		.route = nondet_bool() ? route : NULL,
		.fell = nondet_bool() ? fell : NULL,
		.recall = nondet_bool() ? recall : NULL,
		.gone = nondet_bool() ? gone : NULL,
		.closed = nondet_bool() ? closed : NULL,
		.record = nondet_bool() ? record : NULL,
		.matches = nondet_bool() ? matches : NULL,
		.took = nondet_bool() ? took : NULL,
		.remap = nondet_bool() ? remap : NULL,
		.resample = nondet_bool() ? resample : NULL,
		.storm = nondet_bool() ? storm : NULL,
	};
}

/* ---- states ---- */

/*
 * What lw_ioapic_holds() asks of an index, said of each pin and of one vector instead of by walking
 * 256 lists: neighbours name one another, a first pin is the head of its vector's list, a head is
 * such a pin, and no list of so few pins is a ring.
 */
static bool pin_is_in(enum lw_index index, uint32_t n)
{
	const struct lw_pin *p = lw_pin_at(&io, n);

	return index == BY_ROUTE ? p->msg.level : (p->flags & (RECORD | RESIDUE)) != 0;
}

static uint8_t vector_of(enum lw_index index, uint32_t n)
{
	return index == BY_ROUTE ? lw_pin_at(&io, n)->msg.vector : lw_pin_at(&io, n)->vector;
}

static bool follows(enum lw_index index, uint32_t n, uint8_t other)
{
	return other < PINS && other != n && pin_is_in(index, other) &&
	       vector_of(index, n) == vector_of(index, other);
}

static bool links_hold(enum lw_index index)
{
	const struct lw_link *links = lw_pin_links(&io, index);

	for (uint32_t n = 0; n < PINS; n++) {
		struct lw_link mine = links[n];

		if (!pin_is_in(index, n))
			continue;
		if (mine.next != NONE &&
		    !(follows(index, n, mine.next) && links[mine.next].prev == n))
			return false;
		if (mine.prev != NONE &&
		    !(follows(index, n, mine.prev) && links[mine.prev].next == n))
			return false;
		if (mine.next != NONE && mine.prev != NONE && PINS == 2)
			return false;
	}
	return true;
}

static bool head_holds(enum lw_index index, uint8_t vector)
{
	uint8_t n = io.head[index][vector];

	for (uint32_t m = 0; m < PINS; m++)
		if (pin_is_in(index, m) && vector_of(index, m) == vector &&
		    lw_pin_links(&io, index)[m].prev == NONE && n != m)
			return false;
	return n == NONE || (n < PINS && pin_is_in(index, n) && vector_of(index, n) == vector &&
			     lw_pin_links(&io, index)[n].prev == NONE);
}

static void set_heads(enum lw_index index)
{
	for (uint32_t n = 0; n < PINS; n++)
		if (pin_is_in(index, n) && lw_pin_links(&io, index)[n].prev == NONE)
			io.head[index][vector_of(index, n)] = (uint8_t)n;
}

static void any_pin(struct lw_pin *p)
{
	*p = nondet_pin();
	p->vector = nondet_u8() & LAST_VECTOR;
	p->msg.vector = nondet_u8() & LAST_VECTOR;
	p->msg.logical = nondet_bool();
	p->msg.level = nondet_bool();
}

/* What is owed while somebody runs notifications. At other times also, `told`. */
static bool owed_holds(void)
{
	for (uint32_t n = 0; n < PINS; n++)
		if (n != sampled && lw_pin_at(&io, n)->flags & SAMPLING &&
		    !(io.resample[0] >> n & 1u))
			return false;
	return io.owed || !(io.resample[0] | io.storm[0]);
}

static bool told_holds(void)
{
	for (uint32_t n = 0; n < PINS; n++)
		if (!(lw_pin_at(&io, n)->flags & SAMPLING) != !(io.resample[0] >> n & 1u))
			return false;
	return true;
}

static void any_parts(void)
{
	io = nondet_ioapic();
	io.ops = &ops;
	io.ctx = NULL;
	io.gsi_base = gsi_base;
	io.flags = chip_flags;
	io.pins = PINS;
	io.nvcpus = VCPUS;
	io.map_words = 1;
	io.links[BY_ROUTE] = sizeof(io) + PINS * sizeof(struct lw_pin);
	io.links[BY_RECORD] = io.links[BY_ROUTE] + PINS * sizeof(struct lw_link);
	io.maps = (uint32_t)maps_offset(PINS);
	memset(&io.resample[1], 0, sizeof(io.resample) - sizeof(*io.resample));
	memset(&io.storm[1], 0, sizeof(io.storm) - sizeof(*io.storm));
	io.draining = true;
	io.owed = nondet_bool();
	any_pin(&pin0);
	any_pin(&pin1);
	map0 = nondet_u64();
	map1 = nondet_u64();
	for (uint32_t n = 0; n < PINS; n++) {
		routes[n] = (struct lw_link){nondet_u8(), nondet_u8()};
		records[n] = (struct lw_link){nondet_u8(), nondet_u8()};
	}
}

/* Pins, as a mask, that ask, and have neither a record nor anything to wait for. */
static uint32_t left_behind(void)
{
	uint32_t left = 0;

	for (uint32_t n = 0; n < PINS; n++) {
		const struct lw_pin *p = lw_pin_at(&io, n);

		if (p->msg.level && lw_pin_asserted(&io, p) && !(p->rte & LW_RTE_MASK) &&
		    !(p->flags & (RECORD | REFUSED | DELAYED | SAMPLING)))
			left |= 1u << n;
	}
	return left;
}

/* The invariants of pins, but that these may be left behind. */
static bool pins_hold(uint32_t left)
{
	uint16_t flags0 = pin0.flags, flags1 = pin1.flags;
	struct broken why;
	bool holds;

	if (left & 1u)
		pin0.flags |= DELAYED;
	if (left & 2u)
		pin1.flags |= DELAYED;
	holds = lw_ioapic_pins_hold(&io, &why);
	pin0.flags = flags0;
	pin1.flags = flags1;
	return holds;
}

/* Any state that the invariants allow, given `sampled`; but these pins may be left behind. */
static void any_sound(uint32_t left)
{
	any_parts();
	memset(io.head, NONE, sizeof(io.head));
	set_heads(BY_ROUTE);
	set_heads(BY_RECORD);
	assume(pins_hold(left));
	assume(links_hold(BY_ROUTE) && links_hold(BY_RECORD));
	for (uint32_t n = 0; n < PINS; n++)
		assume(head_holds(BY_ROUTE, vector_of(BY_ROUTE, n)) &&
		       head_holds(BY_RECORD, vector_of(BY_RECORD, n)));
	assume(owed_holds());
}

static void sound(uint32_t left)
{
	uint8_t vector = A_VECTOR;

	must_hold(pins_hold(left), "the invariants of pins hold");
	must_hold(links_hold(BY_ROUTE) && links_hold(BY_RECORD), "the indices are lists");
	must_hold(head_holds(BY_ROUTE, vector) && head_holds(BY_RECORD, vector),
		  "the lists have heads");
	must_hold(owed_holds(), "what is owed is known");
}

/* With somebody running notifications, so that the call leaves them to him: to run them is
 * prove_lw_ioapic_drain()'s matter, which begins with whatever a call can end with. */
static bool told;

static void any_state(void)
{
	any_ops();
	sampled = any_below(PINS + 1);
	any_sound(0);
	told = told_holds();
}

static void still_sound(void)
{
	sound(0);
	must_hold(!told || told_holds(), "who waits for a resolution is told");
	is_unlocked();
	reached();
}

/* ---- steps ---- */

/*
 * Steps that lie deep in many calls are replaced there by what their own harnesses show of them
 * (prove_redeliver_first(), prove_recall()): that from any sound state they lead to another. So the
 * caller goes on in any such. proofs/cbmc/cbmc says which, and where.
 */
static void step(uint32_t before, uint32_t after)
{
	bool was_told = told_holds();

	sound(before);
	any_sound(after);
	assume(!was_told || told_holds());
}

/* Of pins that an EOI has left behind, this one no longer is. No other pin gets a record. */
void step_redeliver(struct lw_ioapic *of, struct lw_pin *p)
{
	uint32_t left = left_behind();
	struct lw_pin *other = p == &pin0 ? &pin1 : &pin0;
	bool had = other->flags & RECORD;

	must_hold(!(p->flags & RECORD), "what is redelivered has no record");
	step(left, left & ~(1u << lw_pin_number(of, p)));
	assume(had || !(other->flags & RECORD));
}

void step_recall(struct lw_ioapic *of, struct lw_pin *p)
{
	must_hold(of == &io && p->flags & LET_GO, "what is recalled was let go");
	step(0, 0);
}

/* Calls that have a harness, in the harnesses of those that only take the lock for them. */
void step_register(struct lw_ioapic *of, uint32_t index, uint32_t value)
{
	(void)index, (void)value;
	must_hold(of == &io, "a call is of the chip");
	step(0, 0);
}

void step_rte(struct lw_ioapic *of, struct lw_pin *p, uint64_t rte)
{
	(void)rte;
	must_hold(of == &io && (p == &pin0 || p == &pin1), "who is written is one of the chip's");
	step(0, 0);
}

void step_eoi_register(struct lw_ioapic *of, uint8_t vector)
{
	(void)vector;
	must_hold(of == &io, "a call is of the chip");
	step(0, 0);
}

enum lw_eoi_class step_eoi(struct lw_ioapic *of, uint32_t vcpu, uint8_t vector)
{
	(void)vector;
	must_hold(of == &io && vcpu < VCPUS, "who ends it exists");
	step(0, 0);
	return (enum lw_eoi_class)any_below(LW_EOI_SUPERFLUOUS + 1);
}

void step_forget(struct lw_ioapic *of, uint32_t vcpu)
{
	must_hold(of == &io && vcpu < VCPUS, "who is forgotten exists");
	step(0, 0);
}

void step_remapped(struct lw_ioapic *of)
{
	must_hold(of == &io, "a call is of the chip");
	step(0, 0);
}

#endif

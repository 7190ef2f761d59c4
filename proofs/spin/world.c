/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <lapwing/lapwing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/chip_priv.h"
#include "core/ioapic_priv.h"
#include "core/lapic_priv.h"
#include "eoi/engine.h"
#include "model/invariants.h"

#undef load
#undef store

#define GSI_0 4u

static const uint8_t vectors[WORLD_VECTORS] = {0x31, 0x41};

/* What the devices and the VMM know, and what the proof adds to see by itself. */
struct outside {
	bool kicked[WORLD_VCPUS];
	/* Whom a pin's last delivery was sent to, by the trace and not by the record. */
	struct {
		uint8_t to; /* a bit for each vCPU; 0: nobody, or its EOI has been */
		uint8_t vector;
	} sent[WORLD_PINS];
	/* Superfluous exits that a pair has coming: one for each delivery and change of a route. */
	uint8_t credit[WORLD_VCPUS][WORLD_VECTORS];
};

static struct {
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	struct outside out;
	const char *model;
	bool hardware, promises, stale;
	unsigned given;
	uint64_t superfluous;
	uint32_t left; /* EOIs that left in this step: a bit for each vCPU */
} w;

struct world_digest world_digest;
unsigned char world_saved[WORLD_SAVED];
const char *world_broken;
struct world_check world_check;

static bool has(const char *word)
{
	size_t length = strlen(word);
	const char *at = w.model;

	for (; (at = strstr(at, word)); at += length)
		if ((at == w.model || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}

static void broken(const char *rule)
{
	if (!world_broken)
		world_broken = rule;
}

/* ---- the VMM ---- */

static void kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	w.out.kicked[vcpu] = true;
}

static void notify(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
}

static bool in_guest(uint32_t vcpu)
{
	return atomic_load(&w.eoi->vcpu[vcpu].mode) != OUT;
}

static bool owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	return !in_guest(vcpu);
}

static int vector_index(uint8_t vector)
{
	for (int n = 0; n < WORLD_VECTORS; n++)
		if (vectors[n] == vector)
			return n;
	return -1;
}

static void earn(uint32_t vcpu, uint8_t vector)
{
	int n = vector_index(vector);

	if (n >= 0)
		w.out.credit[vcpu][n] = 1;
}

static void on_trace(void *ctx, const struct lw_trace *event)
{
	uint32_t pin = (uint32_t)event->gsi - GSI_0;

	(void)ctx;
	if (event->kind == LW_TRACE_POSTED && event->gsi >= 0) {
		uint8_t to = (uint8_t)(1u << event->vcpu);

		if (w.out.sent[pin].to & to && w.out.sent[pin].vector == event->vector &&
		    w.promises)
			broken("a delivery is made again while it is in flight");
		if (w.out.sent[pin].vector != event->vector)
			w.out.sent[pin].to = 0;
		w.out.sent[pin].to |= to;
		w.out.sent[pin].vector = event->vector;
		earn(event->vcpu, event->vector);
	}
	if (event->kind == LW_TRACE_EOI && event->left)
		w.left |= 1u << event->vcpu;
}

static const struct lw_chip_ops ops = {
	.kick = kick, .notify = notify, .owned = owned, .trace = on_trace};

static struct lw_ioapic *io(void)
{
	return lw_chip_ioapic(w.chip, 0);
}

static struct lw_lapic *apic(uint32_t vcpu)
{
	return lw_chip_lapic(w.chip, vcpu);
}

static void *room(size_t size)
{
	void *p = size ? aligned_alloc(64, lw_round_up(size, 64)) : NULL;

	if (!p) {
		fprintf(stderr, "world: no room\n");
		exit(2);
	}
	return p;
}

/* ---- events ---- */

struct event {
	const char *name;
	void (*act)(uint32_t a, uint32_t b);
	bool (*may)(uint32_t a, uint32_t b);
	uint32_t a, b;
};

static void line_up(uint32_t pin, uint32_t unused)
{
	(void)unused;
	lw_ioapic_line(io(), GSI_0 + pin, 0, true);
}

static bool is_down(uint32_t pin, uint32_t unused)
{
	(void)unused;
	return !io()->pin[GSI_0 + pin].sources;
}

static void line_down(uint32_t pin, uint32_t unused)
{
	(void)unused;
	lw_ioapic_line(io(), GSI_0 + pin, 0, false);
}

static bool is_up(uint32_t pin, uint32_t unused)
{
	return !is_down(pin, unused);
}

static void enter(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	lw_chip_enter(w.chip, vcpu);
}

static bool is_out(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return !in_guest(vcpu) && !w.out.kicked[vcpu];
}

static void leave(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	w.out.kicked[vcpu] = false;
	lw_chip_exit(w.chip, vcpu);
}

static bool may_leave(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return in_guest(vcpu) || w.out.kicked[vcpu];
}

/* Hardware takes what is posted while the guest runs; a VMM injects before it enters. */
static void take(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	lw_lapic_accept(apic(vcpu));
}

static bool may_take(uint32_t vcpu, uint32_t unused)
{
	const struct lw_lapic *l = apic(vcpu);
	int best = lw_set_highest(l->own.irr), top = lw_set_highest(l->own.isr);

	(void)unused;
	for (uint32_t n = 0; n < POSTED_WORDS; n++) {
		uint64_t set[LW_SET_WORDS] = {0};
		int posted;

		set[n % LW_SET_WORDS] = atomic_load(&l->shared.posted[n]);
		posted = lw_set_highest(set);
		best = posted > best ? posted : best;
	}
	return best >> 4 > top >> 4 && in_guest(vcpu) == w.hardware;
}

/* The EOI of a sent delivery has been, seen or not, if its vector is not pending again. */
static void eoi(uint32_t vcpu, uint32_t unused)
{
	int vector = lw_set_highest(apic(vcpu)->own.isr);

	(void)unused;
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++)
		if (w.out.sent[pin].vector == vector)
			w.out.sent[pin].to &= (uint8_t) ~(1u << vcpu);
	lw_lapic_eoi(apic(vcpu));
}

static bool serves(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return in_guest(vcpu) && lw_set_highest(apic(vcpu)->own.isr) >= 0;
}

static void msi(uint32_t vcpu, uint32_t vector)
{
	lw_chip_send(w.chip, &(struct lw_msg){.dest = vcpu, .vector = vectors[vector]});
}

static bool can_msi(uint32_t vcpu, uint32_t vector)
{
	(void)vcpu;
	(void)vector;
	return true;
}

#define VECTOR(n) ((uint32_t)(n))
#define MASKED    (1u << 4)
#define EDGE      (1u << 5)
#define LOGICAL   (1u << 6)

static void credit_routes(uint32_t pin)
{
	const struct lw_msg *msg = &io()->pin[GSI_0 + pin].msg;

	for (uint32_t vcpu = 0; vcpu < WORLD_VCPUS; vcpu++)
		if (msg->level && lw_lapic_matches(apic(vcpu), msg))
			earn(vcpu, msg->vector);
}

static void write_low(uint32_t pin, uint32_t how)
{
	uint32_t low = vectors[how & 1u] | (how & MASKED ? (uint32_t)LW_RTE_MASK : 0) |
		       (how & EDGE ? 0 : (uint32_t)LW_RTE_LEVEL) |
		       (how & LOGICAL ? (uint32_t)LW_RTE_LOGICAL : 0);

	credit_routes(pin);
	if (how & EDGE)
		w.out.sent[pin].to = 0; /* the flip ends it */
	lw_ioapic_write(io(), 0x10 + 2 * (GSI_0 + pin), low);
	credit_routes(pin);
}

static bool low_differs(uint32_t pin, uint32_t how)
{
	const struct lw_pin *p = &io()->pin[GSI_0 + pin];

	return (p->rte & LW_RTE_VECTOR) != vectors[how & 1u] ||
	       !(p->rte & LW_RTE_MASK) != !(how & MASKED) ||
	       !(p->rte & LW_RTE_LEVEL) != !!(how & EDGE) ||
	       !(p->rte & LW_RTE_LOGICAL) != !(how & LOGICAL);
}

static void write_high(uint32_t pin, uint32_t dest)
{
	credit_routes(pin);
	lw_ioapic_write(io(), 0x11 + 2 * (GSI_0 + pin), dest << 24);
	credit_routes(pin);
}

static bool high_differs(uint32_t pin, uint32_t dest)
{
	return io()->pin[GSI_0 + pin].rte >> LW_RTE_DEST_SHIFT != dest;
}

static void forget(uint32_t vcpu)
{
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++)
		w.out.sent[pin].to &= (uint8_t) ~(1u << vcpu);
}

static void init(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	forget(vcpu);
	lw_chip_init_vcpu(w.chip, vcpu);
}

static bool may_init(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return !in_guest(vcpu) && lw_lapic_accepts(apic(vcpu));
}

static void enable(uint32_t vcpu, uint32_t how)
{
	lw_lapic_write(apic(vcpu), LW_LAPIC_SVR,
		       LW_SVR_ENABLE | 0xff | (how ? LW_SVR_SUPPRESS : 0));
}

static bool may_enable(uint32_t vcpu, uint32_t how)
{
	return !lw_lapic_accepts(apic(vcpu)) || lw_lapic_suppresses(apic(vcpu)) != (how != 0);
}

static void eoi_register(uint32_t vector, uint32_t unused)
{
	uint32_t value = vectors[vector];
	bool open[WORLD_PINS];
	uint64_t before = io()->counters.deliveries;

	(void)unused;
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++) {
		const struct lw_pin *p = &io()->pin[GSI_0 + pin];

		open[pin] = p->flags & RECORD && p->vector == value;
		if (open[pin])
			w.out.sent[pin].to = 0;
	}
	lw_ioapic_mmio_write(io(), 0x40, &value, sizeof(value));
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++)
		if (open[pin] && io()->pin[GSI_0 + pin].flags & RECORD &&
		    io()->counters.deliveries == before)
			broken("the EOI register has not resolved what was delivered as the "
			       "vector");
}

static bool always(uint32_t a, uint32_t b)
{
	(void)a;
	(void)b;
	return true;
}

static struct event events[WORLD_EVENTS];
static unsigned used;

static void add(const char *name, void (*act)(uint32_t, uint32_t), bool (*may)(uint32_t, uint32_t),
		uint32_t a, uint32_t b)
{
	if (used == WORLD_EVENTS)
		abort();
	events[used++] = (struct event){.name = name, .act = act, .may = may, .a = a, .b = b};
}

static void add_guest(uint32_t pin)
{
	if (has("reroute")) {
		add(pin ? "high1=0" : "high0=0", write_high, high_differs, pin, 0);
		add(pin ? "high1=1" : "high0=1", write_high, high_differs, pin, 1);
	}
	if (has("revector") || has("mask") || has("flip") || has("logical"))
		add(pin ? "low1=a" : "low0=a", write_low, low_differs, pin, VECTOR(0));
	if (has("revector"))
		add(pin ? "low1=b" : "low0=b", write_low, low_differs, pin, VECTOR(1));
	if (has("mask"))
		add(pin ? "low1=a,masked" : "low0=a,masked", write_low, low_differs, pin,
		    VECTOR(0) | MASKED);
	if (has("flip"))
		add(pin ? "low1=a,edge" : "low0=a,edge", write_low, low_differs, pin,
		    VECTOR(0) | EDGE);
	if (has("logical")) {
		add(pin ? "low1=a,logical" : "low0=a,logical", write_low, low_differs, pin,
		    VECTOR(0) | LOGICAL);
		add(pin ? "high1=0,1" : "high0=0,1", write_high, high_differs, pin, 3);
	}
}

static void list_events(void)
{
	add("up0", line_up, is_down, 0, 0);
	add("down0", line_down, is_up, 0, 0);
	if (has("share") || has("both")) {
		add("up1", line_up, is_down, 1, 0);
		add("down1", line_down, is_up, 1, 0);
	}
	for (uint32_t n = 0; n < WORLD_VCPUS; n++) {
		add(n ? "enter1" : "enter0", enter, is_out, n, 0);
		add(n ? "exit1" : "exit0", leave, may_leave, n, 0);
		add(n ? "take1" : "take0", take, may_take, n, 0);
		add(n ? "eoi1" : "eoi0", eoi, serves, n, 0);
		if (has("msi"))
			add(n ? "msi1" : "msi0", msi, can_msi, n, 0);
		if (has("init")) {
			add(n ? "init1" : "init0", init, may_init, n, 0);
			add(n ? "enable1" : "enable0", enable, may_enable, n, 0);
		}
		if (has("suppress")) {
			if (!has("init"))
				add(n ? "broadcast1" : "broadcast0", enable, may_enable, n, 0);
			add(n ? "suppress1" : "suppress0", enable, may_enable, n, 1);
		}
	}
	if (has("suppress"))
		add("eoir=a", eoi_register, always, 0, 0);
	add_guest(0);
	if (has("both"))
		add_guest(1);
}

const char *world_event(unsigned n)
{
	return n < used ? events[n].name : "none";
}

/* ---- what is looked for ---- */

static bool is_held(uint32_t vcpu, uint8_t vector)
{
	return lw_lapic_holds(apic(vcpu), vector) || lw_set_test(w.eoi->vcpu[vcpu].handed, vector);
}

/* An asserted, unmasked pin is in flight to somebody who will end it, or about to be delivered. */
static bool is_dead(uint32_t pin)
{
	const struct lw_pin *p = &io()->pin[GSI_0 + pin];

	if (!p->msg.level || p->rte & LW_RTE_MASK || !p->sources || p->flags & REFUSED)
		return false;
	for (uint32_t n = 0; n < WORLD_VCPUS; n++) {
		if (atomic_load(&w.eoi->vcpu[n].requests) & REQUEST_ASK)
			return false;
		if (w.out.sent[pin].to & 1u << n && is_held(n, w.out.sent[pin].vector))
			return false;
		/* By an MSI of the same vector: `lazy` may be late by that, docs/policies.md. */
		if (p->flags & RECORD && is_held(n, p->vector))
			return false;
		if (lw_lapic_suppresses(apic(n)))
			return false; /* its EOI resolves nothing; the EOI register will */
	}
	return !(w.given & LW_GIVEN_SUPPRESSION);
}

static bool is_quiet(void)
{
	for (uint32_t n = 0; n < WORLD_VCPUS; n++) {
		if (atomic_load(&w.eoi->vcpu[n].requests) || w.out.kicked[n])
			return false;
		for (uint32_t v = 0; v < WORLD_VECTORS; v++)
			if (is_held(n, vectors[v]))
				return false;
	}
	return true;
}

/* A vector whose EOI would leave although no level route leads it there. */
static bool is_stale(uint32_t vcpu, uint8_t vector)
{
	if (!lw_eoi_in_set(w.eoi, vcpu, vector, false))
		return false;
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++) {
		const struct lw_msg *msg = &io()->pin[GSI_0 + pin].msg;

		if (msg->level && msg->vector == vector && lw_lapic_matches(apic(vcpu), msg))
			return false;
	}
	return true;
}

static void look_for_stale(void)
{
	if (!w.stale || !is_quiet())
		return;
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		for (uint32_t v = 0; v < WORLD_VECTORS; v++)
			if (is_stale(n, vectors[v]))
				broken("a stale vector stays when all is quiet");
}

/* At most one superfluous exit for each delivery and each change of a route. */
static void charge(const struct lw_eoi_counters *before, int vector, uint32_t vcpu)
{
	struct lw_eoi_counters now = lw_eoi_counters(w.eoi);
	int n = vector < 0 ? -1 : vector_index((uint8_t)vector);

	if (now.superfluous == before->superfluous || n < 0 || w.given)
		return;
	if (!w.out.credit[vcpu][n])
		broken("more superfluous exits than deliveries and changes of a route");
	w.out.credit[vcpu][n] = 0;
}

static void look(void)
{
	struct broken why;

	for (uint32_t pin = 0; pin < WORLD_PINS; pin++)
		if (is_dead(pin))
			broken("an EOI is lost: an asserted pin waits for nothing");
	look_for_stale();
	if (w.promises && !lw_chip_holds(w.chip, w.eoi, w.given, &why))
		broken(why.rule);
}

/* ---- memory ---- */

#define RANGES        14
#define FROM_TO(f, t) ((size_t)((unsigned char *)(t) - (unsigned char *)(f)))

/* The n-th range that changes. Of the I/O APIC, not the pins and vectors that nobody uses. */
static void *range(unsigned n, size_t *size)
{
	struct lw_ioapic *i = io();
	struct lw_link *links;

	switch (n) {
	case 0:
	case 1:
		*size = sizeof(struct lw_lapic);
		return apic(n);
	case 2:
		*size = FROM_TO(i, i->head);
		return i;
	case 3:
	case 4:
		*size = vectors[1] - vectors[0] + 1u;
		return &i->head[n - 3][vectors[0]];
	case 5:
		*size = WORLD_PINS * sizeof(*i->pin);
		return &i->pin[GSI_0];
	case 6:
		links = lw_pin_links(i, BY_ROUTE);
		*size = FROM_TO(links, lw_pin_links(i, BY_RECORD)) * INDICES;
		return links;
	case 7:
		*size = WORLD_PINS * i->map_words * sizeof(uint64_t);
		return lw_pin_map(i, &i->pin[GSI_0]);
	case 8:
	case 9:
		*size = sizeof(struct vcpu);
		return &w.eoi->vcpu[n - 8];
	case 10:
		*size = sizeof(w.out);
		return &w.out;
	case 11:
	case 12:
		*size = sizeof(struct pair) * (vectors[1] - vectors[0] + 1u);
		return pair(w.chip, n - 11, vectors[0]);
	default:
		*size = sizeof(w.given);
		return &w.given;
	}
}

/* The world into world_saved, or back. */
static void carry(bool out)
{
	size_t at = WORLD_EVENTS, size;

	for (unsigned n = 0; n < RANGES; n++, at += size) {
		void *mine = range(n, &size);

		if (at + size > WORLD_SAVED)
			abort();
		memcpy(out ? &world_saved[at] : mine, out ? mine : &world_saved[at], size);
	}
}

static uint16_t bit(bool on, unsigned n)
{
	return (uint16_t)((on ? 1u : 0u) << n);
}

static bool is_posted_at(const struct lw_lapic *l, uint8_t vector)
{
	return (atomic_load(&l->shared.posted[vector >> 6]) |
		atomic_load(&l->shared.posted[(vector >> 6) + LW_SET_WORDS])) &
	       lw_bit(vector);
}

static uint16_t pair_digest(uint32_t vcpu, uint32_t n)
{
	const struct lw_lapic *l = apic(vcpu);
	struct vcpu *e = &w.eoi->vcpu[vcpu];
	uint8_t v = vectors[n];

	return bit(is_posted_at(l, v), 0) | bit(lw_set_test(l->own.irr, v), 1) |
	       bit(lw_set_test(l->own.isr, v), 2) | bit(lw_eoi_in_set(w.eoi, vcpu, v, false), 3) |
	       bit(w.hardware && lw_eoi_in_set(w.eoi, vcpu, v, true), 4) |
	       bit((atomic_load(&e->dark[v >> 6]) & lw_bit(v)) != 0, 5) |
	       bit(lw_set_test(e->handed, v), 6) | bit(lw_set_test(e->asked, v), 7) |
	       bit(lw_set_test(e->ask_kicked, v), 8) | bit(lw_set_test(e->let_go, v), 9) |
	       bit(lw_set_test(e->would, v), 10) | bit(lw_set_test(e->unloaded, v), 11) |
	       bit(w.out.credit[vcpu][n], 12);
}

static void renew_digest(void)
{
	memset(&world_digest, 0, sizeof(world_digest));
	for (uint32_t n = 0; n < WORLD_VCPUS; n++) {
		const struct vcpu *e = &w.eoi->vcpu[n];
		uint8_t *d = world_digest.vcpu[n];

		for (uint32_t v = 0; v < WORLD_VECTORS; v++)
			world_digest.pair[n][v] = pair_digest(n, v);
		d[0] = (uint8_t)(atomic_load(&e->mode) | atomic_load(&e->requests) << 2 |
				 bit(w.out.kicked[n], 5) | bit(lw_lapic_accepts(apic(n)), 6) |
				 bit(lw_lapic_suppresses(apic(n)), 7));
		d[1] = (uint8_t)e->balance;
		d[2] = (uint8_t)e->last_pending;
	}
	for (uint32_t n = 0; n < WORLD_PINS; n++) {
		const struct lw_pin *p = &io()->pin[GSI_0 + n];
		uint64_t taken = *lw_pin_const_map(io(), p);
		uint8_t *d = world_digest.pin[n];

		world_digest.flags[n] = p->flags;
		d[0] = (uint8_t)(p->msg.dest | (p->msg.vector == vectors[1] ? 1u : 0u) << 2 |
				 bit(p->rte & LW_RTE_MASK, 3) | bit(p->msg.level, 4) |
				 bit(p->msg.logical, 5) | bit(p->sources, 6));
		d[1] = (uint8_t)(p->vcpu | bit(p->vector == vectors[1], 1) | taken << 2 |
				 bit(w.given & LW_GIVEN_SUPPRESSION, 4));
		d[2] = (uint8_t)(w.out.sent[n].to | bit(w.out.sent[n].vector == vectors[1], 2) |
				 bit(w.out.sent[n].vector != 0, 3));
	}
}

/* ---- does the digest omit anything? ---- */

/* States that have been looked at. Direct-mapped and exact: at worst one is looked at again. */
#define TABLE (1u << 20)

static struct seen {
	struct world_digest digest;
	bool used;
	uint64_t state;
} * table;

static bool check_states;

static uint64_t hash(uint64_t h, const void *data, size_t size)
{
	const unsigned char *p = data;

	for (size_t n = 0; n < size; n++)
		h = (h ^ p[n]) * 0x100000001b3ull;
	return h;
}

/* All that SPIN saves but counters, and what docs/reliability.md says governs nothing: TMR, how a
 * vector was posted, and the order of the indices. */
static uint64_t hash_of_state(void)
{
	static struct lw_lapic l;
	static struct vcpu e;
	uint64_t h = 0xcbf29ce484222325ull;
	size_t size;
	const void *maps = range(7, &size);

	for (uint32_t n = 0; n < WORLD_VCPUS; n++) {
		memcpy(&l, apic(n), sizeof(l));
		for (uint32_t word = 0; word < LW_SET_WORDS; word++) {
			l.shared.posted[word] |= l.shared.posted[word + LW_SET_WORDS];
			l.shared.posted[word + LW_SET_WORDS] = 0;
			l.own.tmr[word] = 0;
		}
		l.shared.dirty = 0;
		l.der.busy = 0;
		h = hash(h, &l.shared, sizeof(l.shared));
		h = hash(h, &l.own, sizeof(l.own));
		h = hash(h, &l.der.top, sizeof(l.der.top));
		memcpy(&e, &w.eoi->vcpu[n], sizeof(e));
		e.reloads = 0;
		h = hash(h, &e, sizeof(e));
		for (uint32_t v = 0; v < WORLD_VECTORS; v++)
			h = hash(h, pair(w.chip, n, vectors[v]), sizeof(struct pair));
	}
	h = hash(h, io()->pin, io()->pins * sizeof(struct lw_pin));
	h = hash(h, &io()->refused, sizeof(io()->refused));
	h = hash(h, maps, size);
	return hash(h, &w.out, sizeof(w.out));
}

/* Is it new? And if not, is it the same state as when it was? */
static bool is_new(void)
{
	struct seen *seen = &table[hash(1, &world_digest, sizeof(world_digest)) % TABLE];
	uint64_t state = check_states ? hash_of_state() : 0;

	if (seen->used && !memcmp(&seen->digest, &world_digest, sizeof(world_digest))) {
		if (seen->state != state)
			broken("one digest, two states");
		world_check.matched++;
		return false;
	}
	*seen = (struct seen){.digest = world_digest, .used = true, .state = state};
	return true;
}

/* ---- the whole ---- */

static void renew(void)
{
	for (unsigned n = 0; n < used; n++)
		world_saved[n] = events[n].may(events[n].a, events[n].b);
	renew_digest();
	if (is_new())
		look();
	carry(true);
}

void world_do(unsigned n)
{
	const struct event *e = &events[n];
	struct lw_eoi_counters before;
	int vector;

	carry(false);
	before = lw_eoi_counters(w.eoi);
	vector = e->act == eoi ? lw_set_highest(apic(e->a)->own.isr) : -1;
	world_broken = NULL;
	e->act(e->a, e->b);
	if (e->act == enable && e->b)
		w.given |= LW_GIVEN_SUPPRESSION;
	if (w.promises)
		charge(&before, vector, e->a);
	renew();
}

static unsigned rules_left_out(void)
{
	unsigned out = 0;

	for (unsigned n = 0; n < LW_RULES; n++) {
		char word[32];

		snprintf(word, sizeof(word), "without-%u", n);
		if (has(word))
			out |= 1u << n;
	}
	return out;
}

unsigned lw_left_out;

static int policy_named(void)
{
	for (int n = 0; n < LW_EOI_POLICIES; n++)
		if (has(lw_eoi_policy_name((enum lw_eoi_policy)n)))
			return n;
	return -1;
}

static void guest_starts(void)
{
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		lw_lapic_write(apic(n), LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
	write_low(0, VECTOR(0));
	if (has("share") || has("both"))
		write_low(1, has("apart") ? VECTOR(1) : VECTOR(0));
	memset(&w.out, 0, sizeof(w.out));
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++)
		credit_routes(pin);
	w.given = 0;
}

void world_init(const char *model)
{
	struct lw_chip_ioapic one = {.pins = LW_IOAPIC_MIN_PINS, .version = 0x20};
	struct lw_chip_config chip = {.ops = &ops,
				      .hooks = lw_eoi_hooks(),
				      .nvcpus = WORLD_VCPUS,
				      .x2apic = true,
				      .nioapics = 1,
				      .ioapic = &one,
				      .gsis = LW_IOAPIC_MIN_PINS};
	struct lw_eoi_config eoi = {.nvcpus = WORLD_VCPUS, .env = lw_chip_env()};
	int policy;

	free(w.chip);
	free(w.eoi);
	free(table);
	memset(&w, 0, sizeof(w));
	used = 0;
	world_broken = NULL;
	w.model = model ? model : "";
	policy = policy_named();
	w.hardware = has("hardware");
	w.stale = has("stale");
	w.promises = policy == LW_EOI_ARMED || policy == LW_EOI_LAZY;
	lw_left_out = rules_left_out();
	w.chip = room(lw_chip_size(&chip));
	w.eoi = room(lw_eoi_size(WORLD_VCPUS));
	chip.eoi = w.eoi;
	eoi.ctx = w.chip;
	eoi.policy = (enum lw_eoi_policy)policy;
	eoi.flags = w.hardware ? LW_EOI_HARDWARE : 0;
	if (policy < 0 || lw_eoi_init(w.eoi, &eoi) || lw_chip_init(w.chip, &chip)) {
		fprintf(stderr, "world: no such model: %s\n", model);
		exit(2);
	}
	check_states = has("digest");
	table = calloc(TABLE, sizeof(*table));
	if (!table)
		abort();
	list_events();
	guest_starts();
	renew();
}

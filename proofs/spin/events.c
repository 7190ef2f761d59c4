/* SPDX-License-Identifier: MIT */
/* What may happen in the world, by name. */
#include "world_priv.h"

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
	lw_chip_enter(world.chip, vcpu);
}

static bool is_out(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return !in_guest(vcpu) && !world.out.kicked[vcpu] && !world.out.halted[vcpu];
}

static void leave(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	world.out.kicked[vcpu] = false;
	lw_chip_exit(world.chip, vcpu);
	world.out.halted[vcpu] = world.halts && lw_chip_pending(world.chip, vcpu) < 0;
}

static bool may_leave(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return in_guest(vcpu) || world.out.kicked[vcpu];
}

/* Hardware takes what is posted while the guest runs; a VMM injects before it enters. */
static void take(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	lw_lapic_accept(apic(vcpu));
}

bool world_has_pending(uint32_t vcpu)
{
	const struct lw_lapic *l = apic(vcpu);
	int best = lw_set_highest(l->own.irr), top = lw_set_highest(l->own.isr);

	for (uint32_t n = 0; n < POSTED_WORDS; n++) {
		uint64_t set[LW_SET_WORDS] = {0};
		int posted;

		set[n % LW_SET_WORDS] = atomic_load(&l->shared.posted[n]);
		posted = lw_set_highest(set);
		best = posted > best ? posted : best;
	}
	return best >> 4 > top >> 4;
}

static bool may_take(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return in_guest(vcpu) == world.hardware && world_has_pending(vcpu);
}

/* Of several takers the first ends the delivery for all. What is suppressed ends nothing; what is
 * handed over has not come yet. */
static void ended_by(uint32_t pin, uint32_t vcpu)
{
	uint8_t bit = (uint8_t)(1u << vcpu);

	if (lw_set_test(world.eoi->vcpu[vcpu].handed, world.out.sent[pin].vector))
		return;
	if (lw_lapic_suppresses(apic(vcpu)))
		world.out.sent[pin].muted |= world.out.sent[pin].to & bit;
	else if (io()->pin[GSI_0 + pin].flags & SEVERAL)
		world_end(pin);
	else
		world.out.sent[pin].muted &= (uint8_t)~bit;
	world.out.sent[pin].to &= (uint8_t)~bit;
}

/* The EOI of a sent delivery has been, seen or not, if its vector is not pending again. */
static void eoi(uint32_t vcpu, uint32_t unused)
{
	int vector = lw_set_highest(apic(vcpu)->own.isr);

	(void)unused;
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++)
		if (world.out.sent[pin].vector == vector)
			ended_by(pin, vcpu);
	lw_lapic_eoi(apic(vcpu));
}

static bool serves(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return in_guest(vcpu) && lw_set_highest(apic(vcpu)->own.isr) >= 0;
}

static bool always(uint32_t a, uint32_t b)
{
	(void)a;
	(void)b;
	return true;
}

static void msi(uint32_t vcpu, uint32_t vector)
{
	lw_chip_send(world.chip, &(struct lw_msg){.dest = vcpu, .vector = world_vectors[vector]});
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
			world_earn(vcpu, msg->vector);
}

static void write_low(uint32_t pin, uint32_t how)
{
	uint32_t low = world_vectors[how & 1u] | (how & MASKED ? (uint32_t)LW_RTE_MASK : 0) |
		       (how & EDGE ? 0 : (uint32_t)LW_RTE_LEVEL) |
		       (how & LOGICAL ? (uint32_t)LW_RTE_LOGICAL : 0);

	credit_routes(pin);
	if (how & EDGE)
		world_end(pin); /* the flip does */
	lw_ioapic_write(io(), 0x10 + 2 * (GSI_0 + pin), low);
	credit_routes(pin);
}

static bool low_differs(uint32_t pin, uint32_t how)
{
	const struct lw_pin *p = &io()->pin[GSI_0 + pin];

	return (p->rte & LW_RTE_VECTOR) != world_vectors[how & 1u] ||
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
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++) {
		world.out.sent[pin].to &= (uint8_t) ~(1u << vcpu);
		world.out.sent[pin].muted &= (uint8_t) ~(1u << vcpu);
	}
}

static void init(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	forget(vcpu);
	world.out.halted[vcpu] = false;
	lw_chip_init_vcpu(world.chip, vcpu);
}

static bool may_init(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return !in_guest(vcpu) && lw_lapic_accepts(apic(vcpu));
}

/* What was ever let go ends where suppression begins: docs/policies.md. */
static void enable(uint32_t vcpu, uint32_t how)
{
	for (uint32_t pin = 0; how && pin < WORLD_PINS; pin++)
		if (io()->pin[GSI_0 + pin].flags & DOUBTED && io()->pin[GSI_0 + pin].vcpu == vcpu)
			world_end(pin);
	lw_lapic_write(apic(vcpu), LW_LAPIC_SVR,
		       LW_SVR_ENABLE | 0xff | (how ? LW_SVR_SUPPRESS : 0));
}

static bool may_enable(uint32_t vcpu, uint32_t how)
{
	return !in_guest(vcpu) && !world.out.halted[vcpu] &&
	       (!lw_lapic_accepts(apic(vcpu)) || lw_lapic_suppresses(apic(vcpu)) != (how != 0));
}

static void eoi_register(uint32_t vector, uint32_t unused)
{
	uint32_t value = world_vectors[vector];
	bool open[WORLD_PINS];
	uint64_t before = io()->counters.deliveries;

	(void)unused;
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++) {
		const struct lw_pin *p = &io()->pin[GSI_0 + pin];

		open[pin] = p->flags & RECORD && p->vector == value;
		if (open[pin] || (p->flags & RECORD && p->msg.vector == value))
			world_end(pin); /* the register does */
	}
	lw_ioapic_mmio_write(io(), 0x40, &value, sizeof(value));
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++)
		if (open[pin] && io()->pin[GSI_0 + pin].flags & RECORD &&
		    io()->counters.deliveries == before)
			world_breaks("the EOI register has not resolved what was delivered as the "
				     "vector");
}

static void add_guest(uint32_t pin)
{
	if (world_has("reroute")) {
		world_add(pin ? "high1=0" : "high0=0", write_high, high_differs, pin, 0);
		world_add(pin ? "high1=1" : "high0=1", write_high, high_differs, pin, 1);
	}
	if (world_has("revector") || world_has("mask") || world_has("flip") || world_has("logical"))
		world_add(pin ? "low1=a" : "low0=a", write_low, low_differs, pin, VECTOR(0));
	if (world_has("revector"))
		world_add(pin ? "low1=b" : "low0=b", write_low, low_differs, pin, VECTOR(1));
	if (world_has("mask"))
		world_add(pin ? "low1=a,masked" : "low0=a,masked", write_low, low_differs, pin,
			  VECTOR(0) | MASKED);
	if (world_has("flip"))
		world_add(pin ? "low1=a,edge" : "low0=a,edge", write_low, low_differs, pin,
			  VECTOR(0) | EDGE);
	if (world_has("logical")) {
		world_add(pin ? "low1=a,logical" : "low0=a,logical", write_low, low_differs, pin,
			  VECTOR(0) | LOGICAL);
		world_add(pin ? "high1=0,1" : "high0=0,1", write_high, high_differs, pin, 3);
	}
}

void world_list_events(void)
{
	world_add("up0", line_up, is_down, 0, 0);
	world_add("down0", line_down, is_up, 0, 0);
	if (world_has("share") || world_has("both")) {
		world_add("up1", line_up, is_down, 1, 0);
		world_add("down1", line_down, is_up, 1, 0);
	}
	for (uint32_t n = 0; n < WORLD_VCPUS; n++) {
		world_add(n ? "enter1" : "enter0", enter, is_out, n, 0);
		world_add(n ? "exit1" : "exit0", leave, may_leave, n, 0);
		world_add(n ? "take1" : "take0", take, may_take, n, 0);
		world_add(n ? "eoi1" : "eoi0", eoi, serves, n, 0);
		if (world_has("msi"))
			world_add(n ? "msi1" : "msi0", msi, always, n, 0);
		if (world_has("msi-b"))
			world_add(n ? "msi1=b" : "msi0=b", msi, always, n, 1);
		if (world_has("init")) {
			world_add(n ? "init1" : "init0", init, may_init, n, 0);
			world_add(n ? "enable1" : "enable0", enable, may_enable, n, 0);
		}
		if (world_has("suppress")) {
			if (!world_has("init"))
				world_add(n ? "broadcast1" : "broadcast0", enable, may_enable, n,
					  0);
			world_add(n ? "suppress1" : "suppress0", enable, may_enable, n, 1);
		}
	}
	if (world_has("suppress"))
		world_add("eoir=a", eoi_register, always, 0, 0);
	add_guest(0);
	if (world_has("both"))
		add_guest(1);
}

static struct ended what_ends(uint32_t vcpu)
{
	struct ended ended = {
		.vcpu = vcpu, .vector = lw_set_highest(apic(vcpu)->own.isr), .down = true};

	for (uint32_t pin = 0; pin < WORLD_PINS; pin++) {
		if (!(world.out.sent[pin].to & 1u << vcpu) ||
		    world.out.sent[pin].vector != ended.vector)
			continue;
		ended.level = true;
		if (is_up(pin, 0))
			ended.down = false;
	}
	return ended;
}

struct ended world_act(unsigned n)
{
	const struct event *e = world_at(n);
	struct ended ended = {.vcpu = e->a, .vector = -1};

	if (e->act == eoi)
		ended = what_ends(e->a);
	e->act(e->a, e->b);
	return ended;
}

void world_first_routes(void)
{
	write_low(0, VECTOR(0));
	if (world_has("share") || world_has("both"))
		write_low(1, world_has("apart") ? VECTOR(1) : VECTOR(0));
	memset(&world.out, 0, sizeof(world.out));
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++)
		credit_routes(pin);
}

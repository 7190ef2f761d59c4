/* SPDX-License-Identifier: MIT */
/* What may happen in the second world, by name. */
#include "split_world.h"

/* Exits of a vector for nothing since KVM's last new route: as far as they are followed. */
#define MAX_EXITS 4u

/* ---- whose turn ---- */

/* Another event of somebody else, while a commit is under way. */
static bool may_come_between(void)
{
	return !sw.window.point || sw.window.others < sw.max_others;
}

static bool is_free(uint32_t thread)
{
	return may_come_between() && !threads_busy(thread);
}

/* Out of KVM_RUN, its thread has nothing left to do there. */
static bool may_enter(uint32_t vcpu)
{
	return is_free(vcpu) && !sw.out.exit[vcpu] && !(sw.out.reset >> vcpu & 1);
}

static bool runs(uint32_t vcpu)
{
	return may_enter(vcpu) && sw.kernel.vcpu[vcpu].scan != SCAN_FIRST;
}

/* ---- devices ---- */

static void line_up(uint32_t pin, uint32_t unused)
{
	(void)unused;
	threads_by(DEVICE_0 + pin, false);
	lw_split_line(sw.split, GSI_0 + pin, 0, true);
}

static bool is_down(uint32_t pin, uint32_t unused)
{
	(void)unused;
	return is_free(DEVICE_0 + pin) && !pin_at(pin)->sources;
}

static void line_down(uint32_t pin, uint32_t unused)
{
	(void)unused;
	threads_by(DEVICE_0 + pin, false);
	lw_split_line(sw.split, GSI_0 + pin, 0, false);
}

static bool is_up(uint32_t pin, uint32_t unused)
{
	(void)unused;
	return is_free(DEVICE_0 + pin) && pin_at(pin)->sources;
}

static void msi(uint32_t vcpu, uint32_t vector)
{
	lw_split_msi_send(sw.split, 0xfee00000u | vcpu << 12, world_vectors[vector]);
}

static bool may_send(uint32_t vcpu, uint32_t vector)
{
	return may_come_between() && !(sw.kernel.vcpu[vcpu].irr >> vector & 1);
}

/* ---- vCPUs in KVM_RUN ---- */

static void take(uint32_t vcpu, uint32_t unused)
{
	struct played_vcpu *v = &sw.kernel.vcpu[vcpu];
	uint8_t vector = kernel_deliverable(vcpu);

	(void)unused;
	v->irr &= (uint8_t)~vector;
	v->isr |= vector;
}

static bool may_take(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return runs(vcpu) && kernel_deliverable(vcpu);
}

static void eoi(uint32_t vcpu, uint32_t unused)
{
	struct played_vcpu *v = &sw.kernel.vcpu[vcpu];
	uint8_t vector = v->isr & 2 ? 2 : 1;

	(void)unused;
	v->isr &= (uint8_t)~vector;
	if (v->set & vector)
		sw.out.exit[vcpu] = vector;
}

static bool may_eoi(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return runs(vcpu) && sw.kernel.vcpu[vcpu].isr;
}

static void scan(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	kernel_scan(vcpu);
}

static bool may_scan(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return may_enter(vcpu) && sw.kernel.vcpu[vcpu].scan;
}

/* KVM keeps the LAPIC enabled here, as if the guest had enabled it again at once. */
static void init(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	sw.kernel.vcpu[vcpu].irr = sw.kernel.vcpu[vcpu].isr = 0;
	sw.out.reset |= (uint8_t)(1u << vcpu);
}

static bool may_init(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return runs(vcpu);
}

/* The guest gives a vCPU another logical id, or its own again; KVM rescans. */
static void ldr(uint32_t vcpu, uint32_t value)
{
	sw.kernel.vcpu[vcpu].ldr = (uint8_t)value;
	kernel_ask_scans(SCAN_FIRST);
}

static bool may_ldr(uint32_t vcpu, uint32_t value)
{
	return runs(vcpu) && sw.kernel.vcpu[vcpu].ldr != value;
}

/* ---- vCPUs out of KVM_RUN ---- */

static void serve(uint32_t vcpu, uint32_t unused)
{
	uint32_t vector = sw.out.exit[vcpu] - 1u;

	(void)unused;
	threads_by(vcpu, false);
	sw.out.exit[vcpu] = 0;
	look_before_exit(vcpu, vector);
	lw_split_eoi(sw.split, vcpu, world_vectors[vector]);
}

static bool may_serve(uint32_t vcpu, uint32_t unused)
{
	const struct split_stale *stale;

	(void)unused;
	if (!sw.out.exit[vcpu] || !is_free(vcpu))
		return false;
	stale = stale_at(vcpu, sw.out.exit[vcpu] - 1u);
	return stale->epoch != sw.split->epoch || stale->exits < MAX_EXITS;
}

static void reconcile(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	threads_by(vcpu, false);
	sw.out.reset &= (uint8_t) ~(1u << vcpu);
	lw_split_reconcile_vcpu(sw.split, vcpu);
}

static bool may_reconcile(uint32_t vcpu, uint32_t unused)
{
	(void)unused;
	return sw.out.reset >> vcpu & 1 && is_free(vcpu);
}

/* ---- threads ---- */

static void settle(uint32_t thread, uint32_t unused)
{
	(void)unused;
	threads_by(thread, true);
	sw.out.owes &= (uint8_t) ~(1u << thread);
	lw_split_settle(sw.split);
}

static bool may_settle(uint32_t thread, uint32_t unused)
{
	(void)unused;
	return may_come_between() && sw.out.owes >> thread & 1 &&
	       (!sw.window.point || sw.window.point == COMMITTED);
}

static void go_on(uint32_t unused, uint32_t unused_too)
{
	(void)unused;
	(void)unused_too;
	abort();
}

static bool may_go_on(uint32_t unused, uint32_t unused_too)
{
	(void)unused;
	(void)unused_too;
	return sw.window.point != NO_COMMIT;
}

/* ---- the guest's accesses ---- */

#define VECTOR(n) ((uint32_t)(n))
#define MASKED    (1u << 4)
#define EDGE      (1u << 5)
#define LOGICAL   (1u << 6)

/* IOREGSEL says the register already. */
static void write_register(uint32_t index, uint32_t value)
{
	threads_by(sw.writer, false);
	io()->select = index;
	lw_split_mmio_write(sw.split, 0x10, &value, sizeof(value));
}

static uint32_t low_half(uint32_t how)
{
	return world_vectors[how & 1u] | (how & MASKED ? (uint32_t)LW_RTE_MASK : 0) |
	       (how & EDGE ? 0 : (uint32_t)LW_RTE_LEVEL) |
	       (how & LOGICAL ? (uint32_t)LW_RTE_LOGICAL : 0);
}

static void write_low(uint32_t pin, uint32_t how)
{
	write_register(0x10 + 2 * (GSI_0 + pin), low_half(how));
}

static bool low_differs(uint32_t pin, uint32_t how)
{
	return runs(sw.writer) && (uint32_t)pin_at(pin)->rte != low_half(how);
}

static void write_high(uint32_t pin, uint32_t dest)
{
	write_register(0x11 + 2 * (GSI_0 + pin), dest << 24);
}

static bool high_differs(uint32_t pin, uint32_t dest)
{
	return runs(sw.writer) && pin_at(pin)->rte >> LW_RTE_DEST_SHIFT != dest;
}

/* ---- which of them ---- */

static unsigned on_is;

unsigned world_goes_on(void)
{
	return on_is;
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

static void add_vcpu(uint32_t n)
{
	world_add(n ? "take1" : "take0", take, may_take, n, 0);
	world_add(n ? "eoi1" : "eoi0", eoi, may_eoi, n, 0);
	world_add(n ? "scan1" : "scan0", scan, may_scan, n, 0);
	world_add(n ? "serve1" : "serve0", serve, may_serve, n, 0);
	if (world_has("msi"))
		world_add(n ? "msi1" : "msi0", msi, may_send, n, 0);
	if (world_has("msi-b"))
		world_add(n ? "msi1=b" : "msi0=b", msi, may_send, n, 1);
	if (world_has("init")) {
		world_add(n ? "init1" : "init0", init, may_init, n, 0);
		world_add(n ? "reconcile1" : "reconcile0", reconcile, may_reconcile, n, 0);
	}
	if (world_has("ldr")) {
		world_add(n ? "ldr1=1" : "ldr0=0", ldr, may_ldr, n, 1u << n);
		world_add(n ? "ldr1=none" : "ldr0=none", ldr, may_ldr, n, 4);
	}
}

static void add_threads(void)
{
	static const char *const names[THREADS] = {"settle-vcpu0", "settle-vcpu1", "settle-device0",
						   "settle-device1"};

	if (!sw.threads)
		return;
	for (uint32_t n = 0; n < THREADS; n++)
		world_add(names[n], settle, may_settle, n, 0);
	world_add("on", go_on, may_go_on, 0, 0);
	for (on_is = 0; strcmp(world_event(on_is), "on") != 0; on_is++)
		;
}

void world_list_events(void)
{
	bool two = world_has("share") || world_has("both");

	for (uint32_t pin = 0; pin < (two ? 2u : 1u); pin++) {
		world_add(pin ? "up1" : "up0", line_up, is_down, pin, 0);
		world_add(pin ? "down1" : "down0", line_down, is_up, pin, 0);
	}
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		add_vcpu(n);
	add_guest(0);
	if (world_has("both"))
		add_guest(1);
	on_is = WORLD_EVENTS;
	add_threads();
}

void world_first_routes(void)
{
	write_low(0, VECTOR(0));
	if (world_has("share") || world_has("both"))
		write_low(1, world_has("apart") ? VECTOR(1) : VECTOR(0));
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		kernel_scan(n);
}

/* SPDX-License-Identifier: MIT */
/* The whole controller of one vCPU: level deliveries, entries, EOIs, and who is told of what. */
#include <lapwing/lapwing.h>
#include <string.h>

#include "core/chip_priv.h"
#include "core/lapic_priv.h"
#include "eoi/engine.h"
#include "scenarios.h"

#define VCPU         0u /* and its thread's number */
#define PINS         24u
#define PIN          3u
#define VECTOR       0x51u
#define OTHER        0x61u
#define WIRE         4u /* a line of the 8259s whose pin is masked */
#define REWRITTEN    0x71u
#define PIN_TOO      5u
#define TOO          0x81u
#define STORM        1u /* interrupts that follow each other at once */
#define MSI_TO(vcpu) (0xfee00000u | (vcpu) << 12)

static struct {
	_Alignas(LW_CHIP_ALIGN) unsigned char chip[16384];
	_Alignas(LW_EOI_ALIGN) unsigned char eoi[1024];
	uint32_t served, others;
	uint32_t lowers; /* the handlers lower the line; else it falls by itself */
} world;

static struct lw_chip *const chip = (void *)world.chip;
static struct lw_eoi *const eoi = (void *)world.eoi;

static void lock(void *ctx)
{
	(void)ctx;
	race_lock();
}

static void unlock(void *ctx)
{
	(void)ctx;
	race_unlock();
}

static void kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	race_kick(vcpu);
}

static bool owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	return race_self() == vcpu || race_self() == RACE_THREADS;
}

static const struct lw_chip_ops ops = {
	.lock = lock, .unlock = unlock, .kick = kick, .owned = owned};

static void name_all(void)
{
	struct shared *s = &lapic(chip, VCPU)->shared;
	struct vcpu *v = &eoi->vcpu[VCPU];

	race_name(s->posted, sizeof(s->posted), "posted");
	race_name(&s->dirty, sizeof(s->dirty), "dirty");
	race_name(&s->idle, sizeof(s->idle), "idle");
	race_name(&s->svr, sizeof(s->svr), "svr");
	race_name(&s->floor, sizeof(s->floor), "floor");
	race_name(&s->ppr, sizeof(s->ppr), "ppr");
	race_name(&s->listens, sizeof(s->listens), "listens");
	race_name(v->set, sizeof(v->set), "set");
	race_name(v->loaded, sizeof(v->loaded), "loaded");
	race_name(v->dark, sizeof(v->dark), "dark");
	race_name(&v->mode, sizeof(v->mode), "mode");
	race_name(&v->requests, sizeof(v->requests), "requests");
	race_name(&chip->wire, sizeof(chip->wire), "wire");
	race_name(map(chip)->word, sizeof(map(chip)->word), "word");
	race_name(&map(chip)->twin.begun, sizeof(map(chip)->twin.begun), "begun");
	race_name(&map(chip)->twin.done, sizeof(map(chip)->twin.done), "done");
	race_name(&map(chip)->aliases, sizeof(map(chip)->aliases), "aliases");
	race_name(&s->ldr, sizeof(s->ldr), "ldr");
}

static void open_controller(enum lw_eoi_policy policy, uint32_t flags, bool pic)
{
	static const struct lw_chip_ioapic io = {.pins = PINS, .version = 0x20};
	struct lw_chip_config config = {.ops = &ops,
					.hooks = lw_eoi_hooks(),
					.eoi = eoi,
					.nvcpus = 1,
					.nioapics = 1,
					.ioapic = &io,
					.gsis = PINS,
					.pic = pic};
	struct lw_eoi_config engine = {
		.policy = policy, .flags = flags, .nvcpus = 1, .env = lw_chip_env(), .ctx = chip};

	memset(&world, 0, sizeof(world));
	race_check(lw_chip_size(&config) <= sizeof(world.chip), "the chip is larger");
	race_check(lw_eoi_size(1) <= sizeof(world.eoi), "the engine is larger");
	race_check(!lw_eoi_init(eoi, &engine), "no engine can be made");
	race_check(!lw_chip_init(chip, &config), "no chip can be made");
	world.lowers = true;
	lw_lapic_write(lapic(chip, VCPU), LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
	lw_ioapic_write(ioapic(chip, 0), 0x10 + 2 * PIN, VECTOR | LW_RTE_LEVEL);
	race_region(&world, sizeof(world));
	race_ignore(ledger(chip, VCPU), sizeof(struct ledger));
	name_all();
}

/* ---- the vCPU ---- */

static void leave_and_come_back(void)
{
	lw_chip_exit(chip, VCPU);
	lw_chip_enter(chip, VCPU);
}

/* What a handler does to its device, if it has to, leaves the guest; and its EOI perhaps. */
static void handle(uint8_t vector)
{
	bool left;

	world.served += vector != OTHER;
	if (world.lowers && vector != OTHER) {
		lw_chip_exit(chip, VCPU);
		lw_chip_line(chip, PIN, 0, false);
		lw_chip_enter(chip, VCPU);
	}
	if (world.served >= STORM)
		race_rest(); /* let the line fall */
	left = lw_chip_eoi_leaves(chip, VCPU, vector);
	lw_lapic_eoi(lapic(chip, VCPU));
	if (left)
		leave_and_come_back();
}

/* Guest code, interrupted where something is posted, until there is nothing more to come. */
static void run_guest(void)
{
	int vector;

	do {
		leave_and_come_back();
		while ((vector = lw_lapic_accept(lapic(chip, VCPU))) >= 0)
			handle((uint8_t)vector);
	} while (race_sleep());
}

/* ---- the others ---- */

static void raise_line(void)
{
	lw_chip_line(chip, PIN, 0, true);
}

static void send_msi(void)
{
	lw_chip_msi(chip, MSI_TO(VCPU), OTHER);
}

/* ---- what must be ---- */

static bool remote_irr(void)
{
	uint64_t rte = 0;

	lw_ioapic_rte(ioapic(chip, 0), PIN, &rte);
	return (rte & LW_RTE_REMOTE_IRR) != 0;
}

static void no_pin_is_dead(void)
{
	lw_chip_settle(chip); /* what lazy has let go */
	race_check(!remote_irr(), "an EOI is lost");
	lw_chip_line(chip, PIN, 0, true);
	race_check(remote_irr(), "the pin is dead");
}

static void no_eoi_is_lost(void)
{
	race_check(world.served > 0, "an interrupt is not delivered");
	no_pin_is_dead();
}

static void open_armed_on_hardware(void)
{
	open_controller(LW_EOI_ARMED, LW_EOI_HARDWARE, false);
}

static void open_lazy_on_hardware(void)
{
	open_controller(LW_EOI_LAZY, LW_EOI_HARDWARE, false);
	eoi->vcpu[VCPU].balance = LW_CREDIT_KEPT; /* or it would let nothing go */
}

static void open_lazy_on_software(void)
{
	open_controller(LW_EOI_LAZY, 0, false);
}

static void raise_line_twice(void)
{
	raise_line();
	raise_line();
}

static void rewrite_vector(void)
{
	lw_ioapic_write(ioapic(chip, 0), 0x10 + 2 * PIN, REWRITTEN | LW_RTE_LEVEL);
}

static void reset_and_run_guest(void)
{
	lw_chip_enter(chip, VCPU);
	lw_chip_exit(chip, VCPU);
	lw_chip_init_vcpu(chip, VCPU);
	lw_lapic_write(lapic(chip, VCPU), LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
	run_guest();
}

const struct race armed_on_hardware = {
	.name = "armed on a hardware bitmap: a line rises while the vCPU enters",
	.open = open_armed_on_hardware,
	.run = {run_guest, raise_line},
	.close = no_eoi_is_lost,
};

const struct race armed_twice = {
	.name = "armed on a hardware bitmap: a line rises, and again",
	.open = open_armed_on_hardware,
	.run = {run_guest, raise_line_twice},
	.close = no_eoi_is_lost,
};

const struct race armed_with_msi = {
	.name = "armed on a hardware bitmap: a line rises, and a message is sent",
	.open = open_armed_on_hardware,
	.run = {run_guest, raise_line, send_msi},
	.close = no_eoi_is_lost,
};

const struct race armed_rewritten = {
	.name = "armed on a hardware bitmap: a line rises, and its vector is rewritten",
	.open = open_armed_on_hardware,
	.run = {run_guest, raise_line, rewrite_vector},
	.close = no_eoi_is_lost,
};

const struct race armed_reset = {
	.name = "armed on a hardware bitmap: a line rises while the vCPU is reset",
	.open = open_armed_on_hardware,
	.run = {reset_and_run_guest, raise_line_twice},
	.close = no_pin_is_dead,
};

const struct race lazy_on_hardware = {
	.name = "lazy on a hardware bitmap: a line rises, falls in its handler, and rises",
	.open = open_lazy_on_hardware,
	.run = {run_guest, raise_line_twice},
	.close = no_eoi_is_lost,
};

const struct race lazy_reset = {
	.name = "lazy on a hardware bitmap: a line rises while the vCPU is reset",
	.open = open_lazy_on_hardware,
	.run = {reset_and_run_guest, raise_line_twice},
	.close = no_pin_is_dead,
};

const struct race lazy_on_software = {
	.name = "lazy on a software set: a line rises, falls in its handler, and rises",
	.open = open_lazy_on_software,
	.run = {run_guest, raise_line_twice},
	.close = no_eoi_is_lost,
};

/* ---- handlers that don't leave the guest ---- */

static void open_pulse_on_hardware(void)
{
	open_armed_on_hardware();
	lw_ioapic_write(ioapic(chip, 0), 0x10 + 2 * PIN_TOO, TOO | LW_RTE_LEVEL);
	world.lowers = false;
}

static void open_lazy_pulse(void)
{
	open_lazy_on_hardware();
	world.lowers = false;
}

static void open_track(void)
{
	open_controller(LW_EOI_TRACK, LW_EOI_HARDWARE, false);
	lw_ioapic_write(ioapic(chip, 0), 0x10 + 2 * PIN, LW_RTE_MASK);
	world.lowers = false;
}

static void open_unrouted(void)
{
	open_pulse_on_hardware();
	lw_ioapic_write(ioapic(chip, 0), 0x10 + 2 * PIN, LW_RTE_MASK);
	lw_ioapic_write(ioapic(chip, 0), 0x10 + 2 * PIN_TOO, LW_RTE_MASK);
}

/* Both routed after the entry, so that the hardware has neither vector. */
static void open_entered(void)
{
	open_unrouted();
	lw_chip_enter(chip, VCPU);
	lw_ioapic_write(ioapic(chip, 0), 0x10 + 2 * PIN, VECTOR | LW_RTE_LEVEL);
	lw_ioapic_write(ioapic(chip, 0), 0x10 + 2 * PIN_TOO, TOO | LW_RTE_LEVEL);
}

/* Guest code that halts when nothing is left to do. */
static void run_and_halt(void)
{
	int vector;

	for (;;) {
		while ((vector = lw_lapic_accept(lapic(chip, VCPU))) >= 0)
			handle((uint8_t)vector);
		lw_chip_exit(chip, VCPU);
		if (lw_lapic_pending(lapic(chip, VCPU)) < 0 && !race_sleep())
			return;
		lw_chip_enter(chip, VCPU);
	}
}

static void open_loaded(void)
{
	open_pulse_on_hardware();
	lw_chip_enter(chip, VCPU);
}

static void both_were_served(void)
{
	race_check(world.served >= 2, "one of two interrupts is not delivered");
	no_eoi_is_lost();
}

static void pulse(uint32_t pin)
{
	lw_chip_line(chip, pin, 0, true);
	lw_chip_line(chip, pin, 0, false);
}

static void pulse_line(void)
{
	pulse(PIN);
}

static void pulse_line_too(void)
{
	pulse(PIN_TOO);
}

static void pulse_line_twice(void)
{
	pulse(PIN);
	pulse(PIN);
}

static void route_line(void)
{
	lw_ioapic_write(ioapic(chip, 0), 0x10 + 2 * PIN, VECTOR | LW_RTE_LEVEL);
}

static void route_and_pulse(void)
{
	route_line();
	pulse(PIN);
}

static void route_away_and_back_and_pulse(void)
{
	rewrite_vector();
	route_and_pulse();
}

static void route_and_pulse_too(void)
{
	lw_ioapic_write(ioapic(chip, 0), 0x10 + 2 * PIN_TOO, TOO | LW_RTE_LEVEL);
	pulse(PIN_TOO);
}

static void the_route_is_loaded(void)
{
	race_check(lw_eoi_in_set(eoi, VCPU, VECTOR, true), "a request is not heard");
}

const struct race armed_pulse = {
	.name = "armed on a hardware bitmap: a line rises and falls",
	.open = open_pulse_on_hardware,
	.run = {run_guest, pulse_line},
	.close = no_eoi_is_lost,
};

const struct race armed_routed = {
	.name = "armed on a hardware bitmap: a line is routed, rises and falls",
	.open = open_unrouted,
	.run = {run_guest, route_and_pulse},
	.close = no_eoi_is_lost,
};

const struct race armed_entered = {
	.name = "armed on a hardware bitmap that lacks the bit: a line, and a guest that halts",
	.open = open_entered,
	.run = {run_and_halt, pulse_line},
	.close = no_eoi_is_lost,
};

const struct race armed_back = {
	.name = "armed on a hardware bitmap: a line is routed away, back, rises and falls",
	.open = open_loaded,
	.run = {run_guest, route_away_and_back_and_pulse},
	.close = no_eoi_is_lost,
};

const struct race armed_two_entered = {
	.name = "armed on a hardware bitmap that lacks two bits: two lines, and a guest that halts",
	.size = RACE_MIDDLING,
	.open = open_entered,
	.run = {run_and_halt, pulse_line, pulse_line_too},
	.close = both_were_served,
};

const struct race armed_two_routed = {
	.name = "armed on a hardware bitmap: two lines are routed, rise and fall",
	.size = RACE_LARGE,
	.open = open_unrouted,
	.run = {run_guest, route_and_pulse, route_and_pulse_too},
	.close = no_eoi_is_lost,
};

const struct race armed_pulses = {
	.name = "armed on a hardware bitmap: a line rises and falls twice",
	.open = open_pulse_on_hardware,
	.run = {run_guest, pulse_line_twice},
	.close = no_eoi_is_lost,
};

const struct race armed_two_lines = {
	.name = "armed on a hardware bitmap: two lines rise and fall",
	.size = RACE_MIDDLING,
	.open = open_pulse_on_hardware,
	.run = {run_guest, pulse_line, pulse_line_too},
	.close = no_eoi_is_lost,
};

const struct race lazy_pulses = {
	.name = "lazy on a hardware bitmap: a line rises and falls twice",
	.size = RACE_MIDDLING,
	.open = open_lazy_pulse,
	.run = {run_guest, pulse_line_twice},
	.close = no_eoi_is_lost,
};

const struct race track_routed = {
	.name = "track on a hardware bitmap: a line is routed",
	.open = open_track,
	.run = {run_guest, route_line},
	.close = the_route_is_loaded,
};

/* ---- the virtual wire ---- */

/* Automatic EOI; vector 0x30 and the line's number. */
static void open_wire(void)
{
	static const uint8_t words[] = {0x30, 0x04, 0x03, 0x00};

	open_controller(LW_EOI_ARMED, 0, true);
	lw_pic_write(lw_chip_pic(chip), LW_PIC_PORT_MASTER, 0x11, 1);
	for (size_t n = 0; n < sizeof(words); n++)
		lw_pic_write(lw_chip_pic(chip), LW_PIC_PORT_MASTER + 1u, words[n], 1);
}

static void take_what_is_there(void)
{
	lw_chip_exit(chip, VCPU);
	while (lw_chip_accept(chip, VCPU) == 0x30 + WIRE)
		world.others++;
	lw_chip_enter(chip, VCPU);
}

/* A VMM looks before it enters or halts, and when it is told. */
static void unmask_lint0(void)
{
	lw_lapic_write(lapic(chip, VCPU), LW_LAPIC_LVT_LINT0, LW_DM_EXTINT << 8);
	do
		take_what_is_there();
	while (race_sleep());
}

static void mask_and_unmask_lint0(void)
{
	lw_lapic_write(lapic(chip, VCPU), LW_LAPIC_LVT_LINT0, LW_DM_EXTINT << 8);
	take_what_is_there();
	lw_lapic_write(lapic(chip, VCPU), LW_LAPIC_LVT_LINT0, LW_DM_EXTINT << 8 | LVT_MASKED);
	unmask_lint0();
}

static void raise_wire(void)
{
	lw_chip_line(chip, WIRE, 0, true);
}

static void pulse_wire_twice(void)
{
	lw_chip_line(chip, WIRE, 0, true);
	lw_chip_line(chip, WIRE, 0, false);
	lw_chip_line(chip, WIRE, 0, true);
}

static void the_rise_was_taken(void)
{
	race_check(world.others > 0, "a rise of the 8259s is missed");
	race_check(lw_pic_pending(lw_chip_pic(chip)) < 0, "the 8259s wait");
}

const struct race wire_unmasked = {
	.name = "the 8259s rise while LINT0 is unmasked",
	.open = open_wire,
	.run = {unmask_lint0, raise_wire},
	.close = the_rise_was_taken,
};

const struct race wire_masked_between = {
	.name = "the 8259s rise twice while LINT0 is masked and unmasked",
	.open = open_wire,
	.run = {mask_and_unmask_lint0, pulse_wire_twice},
	.close = the_rise_was_taken,
};

/* ---- the map of destinations ---- */

#define FIRST_BIT  (1u << 24)
#define SECOND_BIT (1u << 25)
#define TO_BOTH    (0xfee00000u | 3u << 12 | 1u << 2)

static void open_map(void)
{
	open_controller(LW_EOI_ARMED, 0, false);
	lw_lapic_write(lapic(chip, VCPU), LW_LAPIC_LDR, FIRST_BIT);
}

static void move_about(void)
{
	lw_lapic_write(lapic(chip, VCPU), LW_LAPIC_LDR, SECOND_BIT);
	lw_lapic_write(lapic(chip, VCPU), LW_LAPIC_LDR, FIRST_BIT);
	lw_lapic_write(lapic(chip, VCPU), LW_LAPIC_LDR, SECOND_BIT);
}

static void send_to_both_bits(void)
{
	race_check(lw_chip_msi(chip, TO_BOTH, OTHER) == 1, "a vCPU is missed");
}

const struct race map_moved = {
	.name = "a logical message while LDR moves from one bit to another",
	.size = RACE_MIDDLING,
	.open = open_map,
	.run = {move_about, send_to_both_bits},
};

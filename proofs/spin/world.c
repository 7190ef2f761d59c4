/* SPDX-License-Identifier: MIT */
#include "world.h"

#include "world_priv.h"

#include <stdio.h>

const uint8_t world_vectors[WORLD_VECTORS] = {0x31, 0x41};

struct world world;
unsigned lw_left_out;

/* ---- the VMM ---- */

static void kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	world.out.kicked[vcpu] = true;
	world.out.halted[vcpu] = false;
}

static void notify(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	world.out.halted[vcpu] = false;
}

/* Where vCPUs halt, others ask after what they have, and must wake them. */
static bool owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	return !in_guest(vcpu) && !world.halts;
}

int world_vector(uint8_t vector)
{
	for (int n = 0; n < WORLD_VECTORS; n++)
		if (world_vectors[n] == vector)
			return n;
	return -1;
}

void world_earn(uint32_t vcpu, uint8_t vector)
{
	int n = world_vector(vector);

	if (n >= 0)
		world.out.credit[vcpu][n] = 1;
}

void world_end(uint32_t pin)
{
	world.out.sent[pin].to = world.out.sent[pin].muted = 0;
}

static void on_trace(void *ctx, const struct lw_trace *event)
{
	uint32_t pin = (uint32_t)event->gsi - GSI_0;

	(void)ctx;
	if (event->kind == LW_TRACE_POSTED && event->gsi >= 0 && event->level) {
		uint8_t to = (uint8_t)(1u << event->vcpu);

		if (world.out.sent[pin].to & to && world.out.sent[pin].vector == event->vector &&
		    world.promises)
			world_breaks("a delivery is made again while it is in flight");
		if (world.out.sent[pin].muted && world.promises)
			world_breaks("a delivery is made again that the EOI register is to end");
		if (world.out.sent[pin].vector != event->vector)
			world.out.sent[pin].to = 0;
		world.out.sent[pin].to |= to;
		world.out.sent[pin].vector = event->vector;
		world_earn(event->vcpu, event->vector);
	}
}

static const struct lw_chip_ops ops = {
	.kick = kick, .notify = notify, .owned = owned, .trace = on_trace};

static void *room(size_t size)
{
	void *p = size ? aligned_alloc(64, lw_round_up(size, 64)) : NULL;

	if (!p) {
		fprintf(stderr, "world: no room\n");
		exit(2);
	}
	return p;
}

/* ---- the whole ---- */

static void settle(void)
{
	if (world_state_is_new())
		world_look();
	world_save();
}

void world_do(unsigned n)
{
	struct lw_eoi_counters before;
	struct ended ended;

	world_restore();
	before = lw_eoi_counters(world.eoi);
	world_broken = NULL;
	ended = world_act(n);
	if (world.promises)
		world_charge(&before, &ended);
	if (world.cost || world.ledger)
		world_keep_books(&before, &ended);
	settle();
}

static unsigned rules_left_out(void)
{
	unsigned out = 0;

	for (unsigned n = 0; n < LW_RULES; n++) {
		char word[32];

		snprintf(word, sizeof(word), "without-%u", n);
		if (world_has(word))
			out |= 1u << n;
	}
	return out;
}

static int policy_named(void)
{
	for (int n = 0; n < LW_EOI_POLICIES; n++)
		if (world_has(lw_eoi_policy_name((enum lw_eoi_policy)n)))
			return n;
	return -1;
}

static void guest_starts(void)
{
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		lw_lapic_write(apic(n), LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
	world_first_routes();
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

	free(world.chip);
	free(world.eoi);
	memset(&world, 0, sizeof(world));
	world_begin(model);
	policy = policy_named();
	world.hardware = world_has("hardware");
	world.stale = world_has("stale");
	world.cost = world_has("cost");
	world.ledger = world_has("ledger");
	world.halts = world_has("halts");
	world.promises = policy == LW_EOI_ARMED || policy == LW_EOI_LAZY;
	lw_left_out = rules_left_out();
	world.chip = room(lw_chip_size(&chip));
	world.eoi = room(lw_eoi_size(WORLD_VCPUS));
	chip.eoi = world.eoi;
	eoi.ctx = world.chip;
	eoi.policy = (enum lw_eoi_policy)policy;
	eoi.flags = world.hardware ? LW_EOI_HARDWARE : 0;
	if (policy < 0 || lw_eoi_init(world.eoi, &eoi) || lw_chip_init(world.chip, &chip)) {
		fprintf(stderr, "world: no such model: %s\n", model);
		exit(2);
	}
	world_list_events();
	guest_starts();
	settle();
}

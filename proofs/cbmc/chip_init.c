/* SPDX-License-Identifier: MIT */
/* Setting a controller up, by any configuration of up to two vCPUs and two I/O APICs: chip.h. */
#include <string.h>

/* Where a part lies is computed here, and CBMC would write into each that it might be. */
static void *cleared(void *to, int byte, size_t size)
{
	(void)byte;
	__CPROVER_assert(__CPROVER_w_ok(to, size), "what is cleared is inside its part");
	return to;
}
#define memset cleared

#include "chip.h"

struct lw_chip_ops nondet_ops(void);
struct lw_eoi_hooks nondet_hooks(void);

static struct lw_chip_ops any_ops;
static struct lw_eoi_hooks any_hooks;
static struct lw_chip_ioapic two[2];
static uint32_t ids_of_two[VCPUS];

/* Numbers that are out of range come, too: they are refused before anything is read by them. */
static struct lw_chip_config any_config(void)
{
	struct lw_chip_config config = {.ops = nondet_bool() ? &any_ops : NULL,
					.hooks = nondet_bool() ? &any_hooks : NULL,
					.nvcpus = nondet_u32(),
					.ids = nondet_bool() ? ids_of_two : NULL,
					.x2apic = nondet_bool(),
					.nioapics = nondet_u32(),
					.ioapic = nondet_bool() ? two : NULL,
					.gsis = nondet_u32(),
					.pic = nondet_bool(),
					.pic_flags = nondet_u32()};

	any_ops = nondet_ops();
	any_hooks = nondet_hooks();
	for (uint32_t n = 0; n < 2; n++) {
		ids_of_two[n] = nondet_u32();
		two[n] = (struct lw_chip_ioapic){.gsi_base = nondet_u32(), .pins = nondet_u32()};
	}
	assume(config.nvcpus <= VCPUS || config.nvcpus > MAX_VCPUS);
	assume(config.nioapics <= 2 || config.nioapics > LW_CHIP_MAX_IOAPICS);
	return config;
}

void prove_lw_chip_init(void)
{
	struct lw_chip_config config = any_config();
	int err = lw_chip_init(&chip, &config);

	must_hold(err == 0 || err == -EINVAL || err == -EEXIST,
		  "it answers as lapwing/chip.h says");
	if (!err)
		reached();
}

/* Each part has its room, and none lies in another. */
void prove_lw_chip_size(void)
{
	struct lw_chip_config config = any_config();
	size_t size = lw_chip_size(nondet_bool() ? &config : NULL), end = 0;
	struct lw_chip c = {0};

	if (!size)
		return;
	must_hold(lay_out(&c, &config) == size, "the same again");
	must_hold(c.lapics >= sizeof(c), "the LAPICs come after the head");
	end = c.lapics + config.nvcpus * LW_LAPIC_SIZE;
	if (config.pic) {
		must_hold(c.pic >= end && c.seen >= c.pic + LW_PIC_SIZE, "then the 8259s");
		end = c.seen + config.nvcpus * sizeof(uint32_t);
	}
	must_hold(c.ioapic[0] >= end, "then the I/O APICs");
	end = c.ioapic[0] + config.nioapics * IOAPIC_SIZE;
	must_hold(c.map >= end, "then the map");
	end = c.map + lw_map_size(config.nvcpus, ids(&config));
	must_hold(c.ledgers >= end && c.pairs >= c.ledgers + config.nvcpus * sizeof(struct ledger),
		  "then the ledgers");
	must_hold(c.routes >= c.pairs + config.nvcpus * 256u * sizeof(struct pair),
		  "then the pairs");
	must_hold(size == c.routes + ROUTES_SIZE, "then the routes, to the end");
	reached();
}

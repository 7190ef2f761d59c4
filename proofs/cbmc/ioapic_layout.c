/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of an I/O APIC lie. The other harnesses
 * have each part as an object of its own (LW_PARTS_APART): they show that no pin but those there
 * are is asked for, and these that each of those has its place, and no other.
 */
#include <stdlib.h>

#include "core/ioapic_priv.h"
#include "prove.h"

static void deliver(void *ctx, uint32_t gsi, const struct lw_msg *msg, struct lw_takers *takers)
{
	(void)ctx, (void)gsi, (void)msg, (void)takers;
}

/* In few bits, for products are hard. prove_lw_ioapic_size() excludes all others. */
static struct lw_ioapic_config any_config(void)
{
	return (struct lw_ioapic_config){
		.gsi_base = nondet_u32(),
		.pins = nondet_u8(),
		.nvcpus = nondet_u32() & 0x1ffffu,
		.flags = nondet_u32(),
		.id = nondet_u8(),
		.version = nondet_u8(),
	};
}

static void size_with(uint32_t pins)
{
	struct lw_ioapic_config config = any_config();
	size_t size;

	config.pins = pins;
	size = lw_ioapic_size(&config);
	must_hold(!size || size >= maps_offset(pins) + pins * lw_map_words(config.nvcpus) * 8,
		  "all maps have room");
}

void prove_lw_ioapic_size(void)
{
	struct lw_ioapic_config config = any_config();

	lw_ioapic_size(nondet_bool() ? &config : NULL);
	size_with(LW_IOAPIC_MIN_PINS);
	size_with(LW_IOAPIC_MAX_PINS);
	config.pins = nondet_u32();
	config.nvcpus = nondet_u32();
	assume(config.pins > 0xff || config.nvcpus > 0x1ffff);
	must_hold(!lw_ioapic_size(&config), "what is too large is refused");
	reached();
}

/* An I/O APIC as far as lw_ioapic_init() has set it up before it looks at pins. */
static struct lw_ioapic *a_chip(uint32_t pins, uint32_t nvcpus, size_t *size)
{
	struct lw_ioapic_config config = {.pins = pins, .nvcpus = nvcpus, .version = 0x11};
	struct lw_ioapic *io;

	*size = lw_ioapic_size(&config);
	io = malloc(*size);
	assume(io != NULL);
	io->pins = pins;
	io->nvcpus = nvcpus;
	io->links[BY_ROUTE] = (uint32_t)(sizeof(*io) + pins * sizeof(struct lw_pin));
	io->links[BY_RECORD] = io->links[BY_ROUTE] + pins * (uint32_t)sizeof(struct lw_link);
	io->maps = (uint32_t)maps_offset(pins);
	io->map_words = (uint32_t)lw_map_words(nvcpus);
	return io;
}

static size_t at(const struct lw_ioapic *io, const void *part)
{
	return (size_t)((const unsigned char *)part - (const unsigned char *)io);
}

static void place(uint32_t pins, uint32_t nvcpus)
{
	size_t size;
	struct lw_ioapic *io = a_chip(pins, nvcpus, &size);
	uint32_t n = any_below(pins), other = any_below(pins);
	struct lw_pin *p = lw_pin_at(io, n);
	struct lw_link *routes = lw_pin_links(io, BY_ROUTE), *records = lw_pin_links(io, BY_RECORD);
	uint64_t *map = lw_pin_map(io, p);

	must_hold(lw_pin_number(io, p) == n, "a pin's number is its place");
	must_hold(at(io, p) >= sizeof(*io) && at(io, p + 1) <= at(io, routes), "pins come first");
	must_hold(at(io, &routes[n + 1]) <= at(io, records), "then the routes' links");
	must_hold(at(io, &records[n + 1]) <= io->maps, "then the records'");
	must_hold(at(io, map) >= io->maps && at(io, map + io->map_words) <= size, "then the maps");
	must_hold(at(io, map) % 8 == 0 && at(io, p) % 8 == 0, "words are aligned");
	must_hold(map == lw_pin_const_map(io, p), "there is one map of a pin");
	must_hold(n == other || (n < other) == (at(io, map + io->map_words) <=
						at(io, lw_pin_map(io, lw_pin_at(io, other)))),
		  "no two maps overlap");
}

/* Of a few sizes, the fewest pins and the most, for products of what is not known are hard. */
void prove_lw_pin_at(void)
{
	if (nondet_bool())
		place(LW_IOAPIC_MIN_PINS, 1);
	else if (nondet_bool())
		place(LW_IOAPIC_MAX_PINS, 65);
	else
		place(LW_IOAPIC_MAX_PINS, 1024);
	reached();
}

/* With 24 pins and 2 vCPUs. That the invariants of pins hold then is tested and not shown. What
 * depends on how many there are is shown above. */
void prove_lw_ioapic_init(void)
{
	static struct {
		_Alignas(LW_IOAPIC_ALIGN) struct lw_ioapic io;
		struct lw_pin pin[LW_IOAPIC_MIN_PINS];
		struct lw_link link[INDICES][LW_IOAPIC_MIN_PINS];
		_Alignas(LW_IOAPIC_ALIGN) uint64_t map[LW_IOAPIC_MIN_PINS];
	} w;
	static struct lw_ioapic_ops ops;
	struct lw_ioapic_config config = any_config();

	ops.deliver = deliver;
	config.ops = nondet_bool() ? &ops : NULL;
	config.pins = LW_IOAPIC_MIN_PINS;
	config.nvcpus = 2;
	if (!lw_ioapic_init(&w.io, &config)) {
		uint32_t n = any_below(LW_IOAPIC_MIN_PINS);

		must_hold(!w.pin[n].msg.level && !(w.pin[n].flags & (RECORD | RESIDUE)) &&
				  w.io.head[any_below(INDICES)][nondet_u8()] == NONE,
			  "the indices are empty, as they should be");
		reached();
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of an I/O APIC lie, of any configuration that is in range. The other harnesses
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

void prove_lw_ioapic_size(void)
{
	struct lw_ioapic_config config = any_config(), other = config;
	size_t size = lw_ioapic_size(nondet_bool() ? &config : NULL);

	other.pins = nondet_u32();
	other.nvcpus = nondet_u32();
	assume(other.pins > 0xff || other.nvcpus > 0x1ffff);
	must_hold(!lw_ioapic_size(&other), "what is too large is refused");
	must_hold(!size || size >= maps_offset(config.pins) +
					   (size_t)config.pins * lw_map_words(config.nvcpus) * 8,
		  "all maps have room");
	reached();
}

/* An I/O APIC as far as lw_ioapic_init() has set it up before it looks at pins. */
static struct lw_ioapic *any_chip(size_t *size)
{
	struct lw_ioapic_config config = any_config();
	struct lw_ioapic *io;

	*size = lw_ioapic_size(&config);
	assume(*size > 0);
	io = malloc(*size);
	assume(io != NULL);
	io->pins = config.pins;
	io->nvcpus = config.nvcpus;
	io->links[BY_ROUTE] = (uint32_t)(sizeof(*io) + config.pins * sizeof(struct lw_pin));
	io->links[BY_RECORD] = io->links[BY_ROUTE] + config.pins * (uint32_t)sizeof(struct lw_link);
	io->maps = (uint32_t)maps_offset(config.pins);
	io->map_words = (uint32_t)lw_map_words(config.nvcpus);
	return io;
}

static size_t at(const struct lw_ioapic *io, const void *part)
{
	return (size_t)((const unsigned char *)part - (const unsigned char *)io);
}

void prove_lw_pin_at(void)
{
	size_t size;
	struct lw_ioapic *io = any_chip(&size);
	uint32_t n = any_below(io->pins), other = any_below(io->pins);
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
	reached();
}

/* With 24 pins; what depends on how many there are is shown above. */
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
	struct broken why;

	ops.deliver = deliver;
	config.ops = nondet_bool() ? &ops : NULL;
	config.pins = LW_IOAPIC_MIN_PINS;
	config.nvcpus = 1 + any_below(64);
	if (!lw_ioapic_init(&w.io, &config)) {
		must_hold(lw_ioapic_holds(&w.io, &why), "the invariants hold");
		reached();
	}
}

/* SPDX-License-Identifier: MIT */
/* What SPIN saves of the world, what it compares, and whether that is enough. */
#include "world_priv.h"

/* What governs the future. */
static struct digest {
	uint16_t pair[WORLD_VCPUS][WORLD_VECTORS];
	uint8_t vcpu[WORLD_VCPUS][4];
	uint16_t flags[WORLD_PINS];
	uint8_t pin[WORLD_PINS][3];
} digest;

_Static_assert(sizeof(digest) <= WORLD_DIGEST, "all of the digest is compared");

#define RANGES        13
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
		*size = world_vectors[1] - world_vectors[0] + 1u;
		return &i->head[n - 3][world_vectors[0]];
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
		return &world.eoi->vcpu[n - 8];
	case 10:
		*size = sizeof(world.out);
		return &world.out;
	default:
		*size = sizeof(struct pair) * (world_vectors[1] - world_vectors[0] + 1u);
		return pair(world.chip, n - 11, world_vectors[0]);
	}
}

void world_save(void)
{
	world_keep(range, RANGES);
}

void world_restore(void)
{
	world_bring_back(range, RANGES);
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
	struct vcpu *e = &world.eoi->vcpu[vcpu];
	uint8_t v = world_vectors[n];

	return bit(is_posted_at(l, v), 0) | bit(lw_set_test(l->own.irr, v), 1) |
	       bit(lw_set_test(l->own.isr, v), 2) |
	       bit(lw_eoi_in_set(world.eoi, vcpu, v, false), 3) |
	       bit(world.hardware && lw_eoi_in_set(world.eoi, vcpu, v, true), 4) |
	       bit((atomic_load(&e->dark[v >> 6]) & lw_bit(v)) != 0, 5) |
	       bit(lw_set_test(e->handed, v), 6) | bit(lw_set_test(e->asked, v), 7) |
	       bit(lw_set_test(e->ask_kicked, v), 8) | bit(lw_set_test(e->let_go, v), 9) |
	       bit(lw_set_test(e->would, v), 10) | bit(lw_set_test(e->unloaded, v), 11) |
	       bit(world.out.credit[vcpu][n], 12);
}

static void renew_digest(void)
{
	memset(&digest, 0, sizeof(digest));
	for (uint32_t n = 0; n < WORLD_VCPUS; n++) {
		const struct vcpu *e = &world.eoi->vcpu[n];
		uint8_t *d = digest.vcpu[n];

		for (uint32_t v = 0; v < WORLD_VECTORS; v++)
			digest.pair[n][v] = pair_digest(n, v);
		d[0] = (uint8_t)(atomic_load(&e->mode) | atomic_load(&e->requests) << 2 |
				 bit(world.out.kicked[n], 5) | bit(lw_lapic_accepts(apic(n)), 6) |
				 bit(lw_lapic_suppresses(apic(n)), 7));
		d[1] = (uint8_t)(world_has("blind") ? 0 : e->balance & 0xf);
		if (!n)
			d[1] |= (uint8_t)((world.out.overspent | world.out.ledger) << 4);
		d[2] = (uint8_t)e->last_pending;
		d[3] = (uint8_t)bit(world.out.halted[n], 0);
	}
	for (uint32_t n = 0; n < WORLD_PINS; n++) {
		const struct lw_pin *p = &io()->pin[GSI_0 + n];
		uint64_t taken = *lw_pin_const_map(io(), p);
		uint8_t *d = digest.pin[n];

		digest.flags[n] = p->flags;
		d[0] = (uint8_t)(p->msg.dest | (p->msg.vector == world_vectors[1] ? 1u : 0u) << 2 |
				 bit(p->rte & LW_RTE_MASK, 3) | bit(p->msg.level, 4) |
				 bit(p->msg.logical, 5) | bit(p->sources, 6));
		d[1] = (uint8_t)(p->vcpu | bit(p->vector == world_vectors[1], 1) | taken << 2 |
				 (unsigned)world.out.sent[n].muted << 4);
		d[2] = (uint8_t)(world.out.sent[n].to |
				 bit(world.out.sent[n].vector == world_vectors[1], 2) |
				 bit(world.out.sent[n].vector != 0, 3));
	}
	memcpy(world_digest, &digest, sizeof(digest));
}

/* All that SPIN saves but counters, and what docs/proofs.md says governs nothing: TMR, how a
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
		h = world_hash(h, &l.shared, sizeof(l.shared));
		h = world_hash(h, &l.own, sizeof(l.own));
		h = world_hash(h, &l.der.top, sizeof(l.der.top));
		memcpy(&e, &world.eoi->vcpu[n], sizeof(e));
		e.reloads = 0;
		h = world_hash(h, &e, sizeof(e));
		for (uint32_t v = 0; v < WORLD_VECTORS; v++)
			h = world_hash(h, pair(world.chip, n, world_vectors[v]),
				       sizeof(struct pair));
	}
	h = world_hash(h, io()->pin, io()->pins * sizeof(struct lw_pin));
	h = world_hash(h, &io()->select, sizeof(io()->select));
	h = world_hash(h, &io()->refused, sizeof(io()->refused));
	h = world_hash(h, &io()->owed, sizeof(io()->owed));
	h = world_hash(h, &io()->draining, sizeof(io()->draining));
	h = world_hash(h, io()->resample, sizeof(io()->resample));
	h = world_hash(h, io()->storm, sizeof(io()->storm));
	h = world_hash(h, maps, size);
	return world_hash(h, &world.out, sizeof(world.out));
}

bool world_state_is_new(void)
{
	renew_digest();
	return world_is_new(world_checks_states() ? hash_of_state() : 0);
}

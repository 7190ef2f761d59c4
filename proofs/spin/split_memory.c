/* SPDX-License-Identifier: MIT */
/* What SPIN saves of the second world, what it compares, and whether that is enough. */
#include "split_world.h"

#define FROM_TO(f, t) ((size_t)((unsigned char *)(t) - (unsigned char *)(f)))
#define RANGES        13u
#define WINDOW        0u

static void *range(unsigned n, size_t *size)
{
	struct lw_ioapic *i = io();
	struct lw_link *links;

	switch (n) {
	case WINDOW:
		*size = sizeof(sw.window);
		return &sw.window;
	case 1:
		*size = sizeof(struct lw_split);
		return sw.split;
	case 2:
		*size = FROM_TO(i, i->head);
		return i;
	case 3:
	case 4:
		*size = world_vectors[1] - world_vectors[0] + 1u;
		return &i->head[n - 3][world_vectors[0]];
	case 5:
		*size = WORLD_PINS * sizeof(struct lw_pin);
		return pin_at(0);
	case 6:
		links = lw_pin_links(i, BY_ROUTE);
		*size = FROM_TO(links, lw_pin_links(i, BY_RECORD)) * INDICES;
		return links;
	case 7:
		*size = WORLD_PINS * sizeof(struct split_pin);
		return split_pin_at(0);
	case 8:
	case 9:
	case 10:
	case 11:
		*size = sizeof(struct split_stale);
		return stale_at((n - 8) / 2, n % 2);
	default:
		*size = offsetof(struct split_world, window) - offsetof(struct split_world, kernel);
		return &sw.kernel;
	}
}

void world_save(void)
{
	world_keep(range, RANGES);
}

/* The rest stays as it was when the commit began. */
void world_save_window(void)
{
	world_keep(range, WINDOW + 1);
}

void world_restore(void)
{
	world_bring_back(range, RANGES);
}

/* ---- the digest ---- */

/* What governs the future. */
static struct digest {
	uint8_t vcpu[WORLD_VCPUS][4];
	struct pin_digest {
		uint16_t flags;
		uint8_t rte, delivered, committed, built, split;
	} pin[WORLD_PINS];
	uint8_t owes, reset, force, due;
	uint8_t point, others;
} digest;

_Static_assert(sizeof(digest) <= WORLD_DIGEST, "all of the digest is compared");

static uint8_t bit(bool on, unsigned n)
{
	return (uint8_t)((on ? 1u : 0u) << n);
}

static uint8_t message(const struct lw_msg *msg)
{
	return (uint8_t)(msg->dest | bit(msg->vector == world_vectors[1], 2) |
			 bit(msg->logical, 3) | bit(msg->level, 4));
}

static uint8_t route(const struct split_route *route)
{
	struct lw_msg msg = lw_split_route_msg(route);

	return route->data ? message(&msg) : 0;
}

/* Those of another epoch are forgotten when they are looked at. */
static struct split_stale known_stale(uint32_t vcpu, uint32_t vector)
{
	struct split_stale stale = *stale_at(vcpu, vector), none = {0};

	if (stale.epoch != sw.split->epoch)
		return none;
	stale.epoch = 0;
	return stale;
}

static void vcpu_digest(uint32_t n, uint8_t *d)
{
	const struct played_vcpu *v = &sw.kernel.vcpu[n];
	struct split_stale a = known_stale(n, 0), b = known_stale(n, 1);

	d[0] = (uint8_t)(v->irr | v->isr << 2 | v->set << 4 | v->scan << 6);
	d[1] = (uint8_t)(v->ldr | sw.out.exit[n] << 3 | sw.out.told[n] << 5);
	d[2] = (uint8_t)(a.exits | b.exits << 4);
	d[3] = (uint8_t)(a.owed | b.owed << 1);
}

static struct pin_digest pin_digest(uint32_t n)
{
	const struct lw_pin *p = pin_at(n);
	const struct split_pin *s = split_pin_at(n);

	return (struct pin_digest){
		.flags = p->flags,
		.rte = message(&p->msg) | bit(p->rte & LW_RTE_MASK, 5) | bit(p->sources, 6),
		.delivered = p->flags & RECORD ? message(&s->delivered) : 0,
		.committed = route(&s->committed),
		.built = s->flags & BUILDING ? route(&s->built) : 0,
		.split = s->flags | bit(p->vcpu, 3) | bit(p->vector == world_vectors[1], 4),
	};
}

static void renew_digest(void)
{
	memset(&digest, 0, sizeof(digest));
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		vcpu_digest(n, digest.vcpu[n]);
	for (uint32_t n = 0; n < WORLD_PINS; n++)
		digest.pin[n] = pin_digest(n);
	digest.owes = sw.out.owes;
	digest.reset = sw.out.reset;
	digest.force = sw.out.force;
	digest.due = (uint8_t)sw.split->force;
	digest.point = (uint8_t)(sw.window.point | sw.window.thread << 2);
	digest.others = sw.window.others;
	memcpy(world_digest, &digest, sizeof(digest));
}

/* ---- does it omit anything? ---- */

/* All that SPIN saves but counters, and what docs/proofs.md says governs nothing. */
static uint64_t hash_of_state(void)
{
	const struct lw_split *s = sw.split;
	struct window window = sw.window;
	uint64_t h = 0xcbf29ce484222325ull;

	h = world_hash(h, &sw.kernel, sizeof(sw.kernel));
	h = world_hash(h, &sw.out, sizeof(sw.out));
	h = world_hash(h, &window.point, sizeof(window.point));
	h = world_hash(h, &window.thread, sizeof(window.thread));
	h = world_hash(h, &window.others, sizeof(window.others));
	h = world_hash(h, io()->pin, io()->pins * sizeof(struct lw_pin));
	h = world_hash(h, &io()->refused, sizeof(io()->refused));
	h = world_hash(h, io()->resample, sizeof(io()->resample));
	h = world_hash(h, &io()->owed, sizeof(io()->owed));
	h = world_hash(h, &io()->draining, sizeof(io()->draining));
	h = world_hash(h, io()->storm, sizeof(io()->storm));
	h = world_hash(h, s->dirty, sizeof(s->dirty));
	h = world_hash(h, &s->force, sizeof(s->force));
	h = world_hash(h, &s->held, sizeof(s->held));
	h = world_hash(h, &s->trouble, sizeof(s->trouble));
	for (uint32_t n = 0; n < s->pins; n++) {
		struct split_pin p;

		memcpy(&p, &s->pin[n], sizeof(p));
		if (!(p.flags & BUILDING))
			memset(&p.built, 0, sizeof(p.built));
		if (!(io()->pin[n].flags & RECORD))
			memset(&p.delivered, 0, sizeof(p.delivered));
		h = world_hash(h, &p, sizeof(p));
	}
	for (uint32_t n = 0; n < WORLD_VCPUS * WORLD_VECTORS; n++) {
		struct split_stale stale = known_stale(n / 2, n % 2);

		h = world_hash(h, &stale.exits, sizeof(stale.exits));
		h = world_hash(h, &stale.owed, sizeof(stale.owed));
	}
	return h;
}

bool world_state_is_new(void)
{
	renew_digest();
	return world_is_new(world_checks_states() ? hash_of_state() : 0);
}

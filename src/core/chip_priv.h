/* SPDX-License-Identifier: MIT */
/*
 * The inside of the controller: chip.c has its storage and the vCPUs' calls, deliver.c says who
 * gets a message, env.c wires I/O APICs and policy, wire.c the 8259s and LINT0.
 */
#ifndef LW_CHIP_PRIV_H
#define LW_CHIP_PRIV_H

#include <lapwing/chip.h>
#include <stdatomic.h>

#include "bits.h"
#include "doubles.h"
#include "map.h"

#define NO_GSI (-1)

/* How many level routes and open records a (vCPU, vector) pair has, in all I/O APICs: so that a
 * route change costs the same however many there are. */
struct pair {
	uint16_t routes, records;
};

/* What a vCPU was given and told. A line of its own for each, so that posters to two vCPUs don't
 * meet in it. */
struct ledger {
	_Alignas(LW_CHIP_ALIGN) _Atomic uint64_t deliveries;
	_Atomic uint64_t notices, kicks, signals;
};

struct lw_chip {
	const struct lw_chip_ops *ops;
	void *ctx;
	const struct lw_eoi_hooks *hooks;
	void *eoi;
	uint32_t nvcpus, nioapics;
	bool x2apic;
	_Atomic uint32_t turn;        /* lowest priority: who is asked first among equals */
	uint64_t exits[3];            /* EOIs that left, by enum lw_eoi_class; under the lock */
	_Atomic uint32_t wire;        /* changes of the 8259s' INT: odd, it is high */
	size_t lapics, routes, pairs; /* offsets in this block */
	size_t map, ledgers;          /* of destinations; of each vCPU */
	size_t pic, seen;             /* the 8259s; `wire` as each vCPU has seen it; 0: none */
	size_t ioapic[LW_CHIP_MAX_IOAPICS];
};

#ifdef LW_PARTS_APART
void *at(const struct lw_chip *c, size_t offset); /* for the proofs: ioapic_priv.h says why */
#else
static inline void *at(const struct lw_chip *c, size_t offset)
{
	return (unsigned char *)(uintptr_t)c + offset;
}
#endif

static inline struct lw_lapic *lapic(const struct lw_chip *c, uint32_t vcpu)
{
	return at(c, c->lapics + (size_t)vcpu * LW_LAPIC_SIZE);
}

static inline struct lw_ioapic *ioapic(const struct lw_chip *c, uint32_t n)
{
	return at(c, c->ioapic[n]);
}

static inline struct lw_map *map(const struct lw_chip *c)
{
	return at(c, c->map);
}

static inline struct lw_pic *pic(const struct lw_chip *c)
{
	return at(c, c->pic);
}

static inline struct ledger *ledger(const struct lw_chip *c, uint32_t vcpu)
{
	struct ledger *ledgers = at(c, c->ledgers);

	return &ledgers[vcpu];
}

static inline void count_one(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static inline void trace(const struct lw_chip *c, const struct lw_trace *event)
{
	if (c->ops->trace)
		c->ops->trace(c->ctx, event);
}

static inline struct pair *pair(const struct lw_chip *c, uint32_t vcpu, uint8_t vector)
{
	struct pair *pairs = at(c, c->pairs);

	return &pairs[(size_t)vcpu * 256u + vector];
}

#pragma GCC visibility push(hidden)

/* The I/O APICs' ops: without, and with, somebody to time a storm's delay. */
extern const struct lw_ioapic_ops lw_chip_ioapic_ops[2];

void lw_chip_lock(void *ctx);
/* Let go, then run what the I/O APICs have queued meanwhile. */
void lw_chip_unlock(void *ctx);
/* Let go where nothing can have been queued. */
void lw_chip_unlock_only(void *ctx);

/* A vCPU's mode, LDR or DFR may be another: bring the map up to date, and say whether it had to be.
 * Under the lock, the owner or for him. */
bool lw_chip_place(const struct lw_chip *c, uint32_t vcpu);

/* The vCPUs that a message names, in their order: one look-up if it is physical, one for each bit
 * of a logical destination, unless several LAPICs share one. */
void lw_chip_targets(void *ctx, const struct lw_msg *msg, void (*see)(void *arg, uint32_t vcpu),
		     void *arg);

/* Post to one vCPU and notify it; false if it refused. */
bool lw_chip_post(const struct lw_chip *c, uint32_t vcpu, uint8_t vector, bool level);

/* NMI, SMI, INIT, SIPI or ExtINT. */
void lw_chip_signal(const struct lw_chip *c, uint32_t vcpu, uint8_t delivery, uint8_t vector);

/* Something is pending on a vCPU that may not know. */
void lw_chip_notify(const struct lw_chip *c, uint32_t vcpu);

/* Where the 8259s lie, from `size` on; the size after. */
size_t lw_chip_lay_out_pic(struct lw_chip *c, const struct lw_chip_config *config, size_t size);
int lw_chip_init_pic(struct lw_chip *c, const struct lw_chip_config *config);

/* The vCPU's LINT0 becomes what INT is, or was meanwhile. Owner. */
void lw_chip_sense(struct lw_chip *c, uint32_t vcpu);

/* The 8259s and what each vCPU has seen of INT, in a snapshot. */
struct lw_snap;
void lw_chip_walk_wire(struct lw_snap *s, struct lw_chip *c);

/* Deliver for a pin, arming as the policy wants it. Under the lock. */
void lw_chip_deliver(struct lw_chip *c, int32_t gsi, const struct lw_msg *msg,
		     struct lw_takers *takers);

/* Deliver what a vCPU's LAPIC sends. Without the lock: a record is an I/O APIC's. */
void lw_chip_ipi(void *ctx, uint32_t vcpu, const struct lw_ipi *ipi);

/* Which routes lead to this vCPU has changed: count them anew. Under the lock. */
void lw_chip_recount(const struct lw_chip *c, uint32_t vcpu);

/* All routes and records have changed: count them anew. Under the lock. */
void lw_chip_count(struct lw_chip *c);

#pragma GCC visibility pop

#endif

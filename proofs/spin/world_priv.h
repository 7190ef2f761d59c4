/* SPDX-License-Identifier: MIT */
/*
 * The inside of the world: world.c has the VMM and sets it up, events.c what may happen, look.c
 * what must hold, memory.c what SPIN saves and compares.
 */
#ifndef LAPWING_WORLD_PRIV_H
#define LAPWING_WORLD_PRIV_H

#include <lapwing/lapwing.h>
#include <stdlib.h>
#include <string.h>

#include "core/chip_priv.h"
#include "core/ioapic_priv.h"
#include "core/lapic_priv.h"
#include "eoi/engine.h"
#include "model/invariants.h"
#include "shared.h"

#undef load
#undef store

#define GSI_0 4u /* the first of the two pins */

extern const uint8_t world_vectors[WORLD_VECTORS];

/* What the devices and the VMM know, and what the proof adds to see by itself. */
struct outside {
	bool kicked[WORLD_VCPUS];
	bool halted[WORLD_VCPUS];
	/* Whom a pin's last delivery was sent to, by the trace and not by the record. */
	struct {
		uint8_t to; /* a bit for each vCPU; 0: nobody, or its EOI has been */
		uint8_t vector;
		uint8_t muted; /* who suppressed its EOI: the EOI register is to end it */
	} sent[WORLD_PINS];
	/* Superfluous exits that a pair has coming: one for each delivery and change of a route. */
	uint8_t credit[WORLD_VCPUS][WORLD_VECTORS];
	/* Kicks less the exits that letting go has saved, and less those that it could have. */
	uint8_t overspent;
	/* Kicks less the exits that it has saved: what `lazy` costs more than `armed`. */
	uint8_t ledger;
};

struct world {
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	struct outside out;
	bool hardware, promises, stale, cost, ledger, halts;
};

extern struct world world;

static inline struct lw_ioapic *io(void)
{
	return lw_chip_ioapic(world.chip, 0);
}

static inline struct lw_lapic *apic(uint32_t vcpu)
{
	return lw_chip_lapic(world.chip, vcpu);
}

static inline bool in_guest(uint32_t vcpu)
{
	return atomic_load(&world.eoi->vcpu[vcpu].mode) != OUT;
}

/* world.c: which of the two vectors, or -1; a pair has a superfluous exit coming; what a pin was
 * sent is ended. */
int world_vector(uint8_t vector);
void world_earn(uint32_t vcpu, uint8_t vector);
void world_end(uint32_t pin);

/* events.c: list those of the model; event n happens; the routes at start; could the vCPU take
 * something? */
struct ended {
	uint32_t vcpu;
	int vector; /* -1: no EOI */
	bool level; /* of a delivery of a pin … */
	bool down;  /* … whose line is down */
};
void world_list_events(void);
struct ended world_act(unsigned n);
void world_first_routes(void);
bool world_has_pending(uint32_t vcpu);

/* look.c: all that must hold; and of what an event has cost. */
void world_look(void);
void world_charge(const struct lw_eoi_counters *before, const struct ended *ended);
void world_keep_books(const struct lw_eoi_counters *before, const struct ended *ended);

/* memory.c: between the library and world_saved; whether the state, whose digest it makes, is new.
 * shared.c has the rest. */
void world_save(void);
void world_restore(void);
bool world_state_is_new(void);

#endif

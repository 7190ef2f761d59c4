/* SPDX-License-Identifier: MIT */
/*
 * The inside of the second world: the split backend over a KVM that is played. split_world.c sets
 * it up, split_kernel.c is KVM, split_threads.c lets threads run into one another, split_events.c
 * has what may happen, split_look.c what must hold, split_memory.c what SPIN saves and compares.
 */
#ifndef LAPWING_SPLIT_WORLD_H
#define LAPWING_SPLIT_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "core/ioapic_priv.h"
#include "kvm/split_priv.h"
#include "model/invariants.h"
#include "shared.h"

#define GSI_0 4u /* the first of the two pins */

/* Threads: the vCPUs', and a device's for each pin. */
#define DEVICE_0 WORLD_VCPUS
#define THREADS  (WORLD_VCPUS + WORLD_PINS)

extern const uint8_t world_vectors[WORLD_VECTORS];

/* ---- KVM ---- */

/* A scan that KVM has asked of a vCPU: it runs on until it hears of it; but not past the end of the
 * ioctl that asked. */
enum scan { NO_SCAN, SCAN_ASKED, SCAN_FIRST };

/* Sets of vectors have a bit for each of the two. */
struct played_vcpu {
	uint8_t irr, isr;
	uint8_t set; /* ioapic_handled_vectors */
	uint8_t scan;
	uint8_t ldr;
};

struct kernel {
	struct played_vcpu vcpu[WORLD_VCPUS];
	struct split_route route[WORLD_PINS];
};

/* ---- the VMM's threads ---- */

/* Where a thread that commits stands, when others run. */
enum point {
	NO_COMMIT,
	WRITTEN,   /* the table is written down, KVM has not got it */
	INSTALLED, /* KVM has it, the ioctl has not returned */
	COMMITTED, /* the commit mutex is free, pins that waited are not retried */
};

#define SCRIPT 40

/* A commit that others have come in between: how it began, and what has happened since. SPIN saves
 * the state in which it began; the rest is done over again, event by event. */
struct window {
	uint8_t point;
	uint8_t thread; /* whose commit */
	uint8_t event;  /* by which it began */
	uint8_t others; /* events of others since */
	uint8_t length;
	uint8_t script[SCRIPT];
};

/* What the VMM and the proof know. */
struct outside {
	uint8_t exit[WORLD_VCPUS]; /* an EOI exit to be served: the vector's bit, which is 1 + n */
	uint8_t owes;              /* threads that wait for the commit mutex */
	uint8_t reset;             /* vCPUs that got INIT, their records not looked at yet */
	uint8_t force;             /* of the commit under way: why */
	/* Vectors whose last superfluous exit found them idle and owed a recommit. */
	uint8_t told[WORLD_VCPUS];
};

struct split_world {
	struct lw_split *split;
	struct kernel kernel;
	struct outside out;
	struct window window;
	bool old_scan; /* 6.1's */
	bool threads, defers;
	bool ldr; /* a LAPIC that takes what none took is not told of: lw_split_retry() */
	uint8_t max_others;
	uint8_t writer; /* the vCPU whose guest code writes RTEs */
};

extern struct split_world sw;

static inline struct lw_ioapic *io(void)
{
	return sw.split->io;
}

static inline struct lw_pin *pin_at(uint32_t pin)
{
	return &io()->pin[GSI_0 + pin];
}

static inline struct split_pin *split_pin_at(uint32_t pin)
{
	return &sw.split->pin[GSI_0 + pin];
}

static inline struct split_stale *stale_at(uint32_t vcpu, uint32_t vector)
{
	return &sw.split->vcpu[vcpu].stale[world_vectors[vector]];
}

/* Which of the two it is, as a bit; or 0. */
static inline uint8_t vector_bit(uint32_t vector)
{
	return vector == world_vectors[0] ? 1 : vector == world_vectors[1] ? 2 : 0;
}

/* ---- split_kernel.c ---- */

extern const struct lw_kvm_sys played_kvm;

bool kernel_matches(uint32_t vcpu, const struct split_route *route);
/* What the vCPU's set would be, if it were made anew now; it is. */
uint8_t kernel_scanned(uint32_t vcpu);
void kernel_scan(uint32_t vcpu);
/* All vCPUs, before they run again. */
void kernel_ask_scans(enum scan how);
/* The vector that would be taken, as a bit. */
uint8_t kernel_deliverable(uint32_t vcpu);
/* KVM_SET_GSI_ROUTING of what KVM had. Since the last split_threads_run(). */
extern unsigned kernel_repeats;

/* ---- split_threads.c ---- */

/* Who does what is being done. Whoever needs the commit mutex stops at its door, unless the event
 * is that he goes on; without `threads` nobody stops. */
void threads_by(uint32_t thread, bool settles);
/* Others may run here. */
void threads_point(enum point point);
/* Event n happens, as the next of the commit under way or by itself. Whether the state now is one
 * from which SPIN can go on by itself; else the commit is under way. */
bool threads_run(unsigned n);
bool threads_busy(uint32_t thread);

/* ---- split_events.c ---- */

void world_list_events(void);
void world_first_routes(void);
/* Which event is it that the commit under way goes on. */
unsigned world_goes_on(void);

/* ---- split_look.c ---- */

/* An EOI exit is about to be served; an event has been, or its thread waits to install. */
void look_before_exit(uint32_t vcpu, uint32_t vector);
void look_after_event(void);
/* What an event has cost; all that must hold. */
void look_at_commits(const struct lw_split_counters *before);
void world_look(void);

/* ---- split_memory.c ---- */

void world_save(void);
void world_save_window(void);
void world_restore(void);
bool world_state_is_new(void);

#endif

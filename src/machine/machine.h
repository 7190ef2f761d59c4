/* SPDX-License-Identifier: MIT */
/*
 * A machine to try EOI policies on: the real chips, vCPUs that enter and leave guest mode one step
 * at a time, lines, MSIs, and a ground truth that watches from outside. Deterministic: the same
 * calls give the same counts. One thread.
 *
 * Each m_…() call is one step. Whoever is kicked by a step leaves guest mode and enters it again
 * before the step returns.
 */
#ifndef LW_MACHINE_H
#define LW_MACHINE_H

#include <lapwing/lapwing.h>

#include "machine/truth.h"

struct machine_config {
	enum lw_eoi_policy policy;
	bool hardware;  /* the EOI-exit set is a bitmap that must be loaded */
	bool in_kernel; /* scanning policies scan as KVM's in-kernel I/O APIC does */
	uint32_t vcpus;
	uint32_t ioapics;
	uint32_t pins;   /* of each */
	uint8_t version; /* of each */
	bool x2apic;
};

struct machine_vcpu {
	bool in_guest;
	bool kicked;
};

enum m_half {
	M_HIGH, /* as Linux does */
	M_LOW
};

struct machine {
	struct machine_config config;
	enum m_half first; /* of the halves of an RTE that scenarios write */
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	struct truth truth;
	struct machine_vcpu *vcpu;
	uint32_t *kicked; /* vCPUs to send through an exit, and how many */
	uint32_t kicks;
	uint64_t interrupts; /* taken by guests */
	uint64_t random;     /* generator state */
	bool slow_kicks;     /* a kicked vCPU may run on a little */
	uint32_t depth;      /* of steps in steps: a callback may make one */
	void *storage[2];    /* chip, engine */
	/* Called when a pin asks for it; may call m_line(). Null: nothing. */
	void (*resample)(struct machine *m, uint32_t gsi);
	/* Called after every step, with nothing under way. Null: nothing. */
	void (*stepped)(struct machine *m);
};

/* 0, -ENOMEM, or -EINVAL for a configuration out of range. Release with m_close() either way. */
int m_open(struct machine *m, const struct machine_config *config, uint64_t seed);
void m_close(struct machine *m);

/* Put chips as new in the place of those there are, whose storage is the caller's from then on. 0,
 * or -ENOMEM with nothing changed. */
int m_replace(struct machine *m, void *storage[2]);

/* ---- vCPUs ---- */

void m_enter(struct machine *m, uint32_t vcpu);
void m_exit(struct machine *m, uint32_t vcpu);
/* To the chips a vCPU that halts has left guest mode like any other. */
void m_halt(struct machine *m, uint32_t vcpu);

/* Take the highest deliverable interrupt in guest mode. Its vector, or -1. */
int m_take(struct machine *m, uint32_t vcpu);

/* EOI the highest vector in service; the vCPU leaves the guest for it if it must. */
void m_eoi(struct machine *m, uint32_t vcpu);

void m_init(struct machine *m, uint32_t vcpu);
void m_tpr(struct machine *m, uint32_t vcpu, uint32_t tpr);
void m_svr(struct machine *m, uint32_t vcpu, uint32_t svr);
void m_ldr(struct machine *m, uint32_t vcpu, uint32_t logical);

/* ---- devices ---- */

void m_msi(struct machine *m, uint32_t vcpu, uint8_t vector);
void m_line(struct machine *m, uint32_t gsi, uint32_t source, bool level);
void m_notify(struct machine *m, uint32_t gsi, bool on);

/* A storm's delay is over, everywhere. */
void m_resume(struct machine *m);

/* ---- a guest's accesses to an I/O APIC; the vCPU leaves the guest for each ---- */

void m_rte_half(struct machine *m, uint32_t by, uint32_t gsi, enum m_half half, uint64_t rte);
uint64_t m_rte_read(struct machine *m, uint32_t by, uint32_t gsi);
void m_eoi_register(struct machine *m, uint32_t by, uint32_t gsi, uint8_t vector);

/* Both halves, the given one first. */
void m_rte(struct machine *m, uint32_t by, uint32_t gsi, enum m_half first, uint64_t rte);

#define M_MASKED LW_RTE_MASK
#define M_LEVEL  LW_RTE_LEVEL

/* An RTE: physical destination, fixed mode. */
uint64_t m_route(uint32_t vcpu, uint8_t vector, uint64_t flags);

/* ---- chance ---- */

uint32_t m_below(struct machine *m, uint32_t n); /* 0 … n-1 */

/* ---- the end ---- */

/* The guest reads every RTE and the truth closes its books: what is dead now is lost. */
void m_finish(struct machine *m);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A second I/O APIC, naive on purpose: every pin's fields and everybody who took its delivery in
 * plain arrays, searched from end to end, after the 82093AA's data sheet and the rules of
 * docs/policies.md, as they are worded. It sees each EOI at once, and lets go of none.
 */
#ifndef LAPWING_MODEL_NAIVE_IOAPIC_H
#define LAPWING_MODEL_NAIVE_IOAPIC_H

#include <lapwing/ioapic.h>

#define NAIVE_VCPUS 8

struct naive_takers {
	bool took[NAIVE_VCPUS];
	bool any;
};

struct naive_pin {
	int vector, delivery, dest;
	bool logical, low, level, masked;
	bool source[32];
	bool remote_irr, anybody, taker[NAIVE_VCPUS]; /* the delivery in flight */
	bool several;                                 /* … which more than one took */
	bool residue[NAIVE_VCPUS]; /* who took one that another has resolved since */
	int delivered;             /* its vector */
	bool refused, notify, delayed, sampling, owes_resample, owes_storm;
	int eois; /* in a row, with the line still up */
};

struct naive_ioapic {
	struct lw_ioapic_config config;
	/* Who takes this message? */
	void (*deliver)(void *ctx, uint32_t gsi, const struct lw_msg *msg, struct naive_takers *t);
	/* Owed to the outside, and run when the chip is at rest. */
	void (*resample)(void *ctx, uint32_t gsi);
	void (*storm)(void *ctx, uint32_t gsi);
	void *ctx;
	struct naive_pin pin[LW_IOAPIC_MAX_PINS];
	int id, select;
	bool owing; /* a pin may owe something */
	bool telling;
	struct lw_ioapic_counters counters;
};

/* The caller has set config, the three callbacks and ctx. */
void naive_ioapic_init(struct naive_ioapic *n);

/* As the lw_ioapic_ calls of the same name. */
void naive_ioapic_reset(struct naive_ioapic *n);
uint32_t naive_ioapic_read(struct naive_ioapic *n, uint32_t index);
void naive_ioapic_write(struct naive_ioapic *n, uint32_t index, uint32_t value);
uint64_t naive_ioapic_mmio_read(struct naive_ioapic *n, uint64_t offset, size_t len);
void naive_ioapic_mmio_write(struct naive_ioapic *n, uint64_t offset, uint64_t value, size_t len);
void naive_ioapic_line(struct naive_ioapic *n, uint32_t pin, uint32_t source, bool level);
void naive_ioapic_notify(struct naive_ioapic *n, uint32_t pin, bool on);
void naive_ioapic_resume(struct naive_ioapic *n, uint32_t pin);
enum lw_eoi_class naive_ioapic_eoi(struct naive_ioapic *n, uint32_t vcpu, uint8_t vector);
void naive_ioapic_forget(struct naive_ioapic *n, uint32_t vcpu);
void naive_ioapic_retry(struct naive_ioapic *n);

/* Does a delivery of `vector` to `vcpu` wait for its EOI? */
bool naive_ioapic_in_flight(const struct naive_ioapic *n, uint32_t vcpu, uint8_t vector);

#endif

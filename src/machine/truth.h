/* SPDX-License-Identifier: MIT */
/*
 * Ground truth. It sees what a guest and its devices do and which messages are posted, gives each
 * interrupt an identity, follows it to its EOI, and classifies the EOI by itself. It knows no
 * policy, and it models lines, RTEs and destinations in its own naive way.
 */
#ifndef LW_TRUTH_H
#define LW_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct truth_counts {
	uint64_t necessary, redundant, superfluous, elided, lost;
	uint64_t doubled;    /* a pin delivered again while its delivery was open: must stay 0 */
	uint64_t phantom;    /* a vector taken that nobody had posted: must stay 0 */
	uint64_t identities; /* interrupts that had one, coalesced ones once */
};

/* A level delivery's life. */
enum truth_state {
	TRUTH_NONE,
	TRUTH_OPEN,   /* its EOI has not arrived */
	TRUTH_WAITS,  /* EOI'd with broadcasts suppressed: the EOI register must be written */
	TRUTH_UNSEEN, /* its last taker's EOI did not leave the guest */
	TRUTH_LOST
};

struct truth_pin {
	uint64_t rte;     /* as the guest wrote it */
	uint32_t sources; /* who holds the line */
	uint64_t id;
	uint64_t step; /* the step it was delivered in */
	enum truth_state state;
	uint8_t vector;
	uint32_t taker; /* TRUTH_UNSEEN: whose EOI was not seen */
	bool delayed;
	bool fell; /* the line has, since the delivery */
};

struct truth_lapic {
	uint32_t svr, ldr;
	bool in_service[256];
	uint64_t
		sent[256]; /* identity of what is on its way, pending, and in service; 0: nothing */
	uint64_t pending[256];
	uint64_t serving[256];
};

struct truth {
	uint32_t vcpus, pins;
	bool x2apic;
	struct truth_pin *pin;
	struct truth_lapic *lapic;
	/* vCPU × pin: where a delivery is, and whose EOI will be redundant. */
	uint8_t *stage;
	uint32_t open[256]; /* pins that may have a stage, by vector: a shortcut only */
	uint64_t step, next_id;
	struct truth_counts counts;
};

int truth_open(struct truth *t, uint32_t vcpus, uint32_t pins, bool x2apic);
void truth_close(struct truth *t);

/* A new step: what is delivered in one step to several vCPUs is one delivery. */
void truth_step(struct truth *t);

/* A message was taken; its vector has become pending in the LAPIC. Between the two the vCPU's owner
 * may have to do something first. */
void truth_sent(struct truth *t, int32_t gsi, uint32_t vcpu, uint8_t vector, bool level);
void truth_published(struct truth *t, uint32_t vcpu, uint8_t vector);
void truth_taken(struct truth *t, uint32_t vcpu, uint8_t vector);
int truth_serving(const struct truth *t, uint32_t vcpu); /* highest in service, or -1 */
void truth_eoi(struct truth *t, uint32_t vcpu, uint8_t vector, bool left);
void truth_eoi_register(struct truth *t, uint32_t first, uint32_t pins, uint8_t vector);
void truth_rte(struct truth *t, uint32_t gsi, uint64_t rte);
void truth_line(struct truth *t, uint32_t gsi, uint32_t source, bool level);
void truth_init(struct truth *t, uint32_t vcpu);

/* Look for dead pins: asserted, unmasked, accepted somewhere, and nothing on its way whose EOI
 * could bring it back. Returns how many were found now. */
uint32_t truth_check(struct truth *t);

/* All vCPUs have taken what they could: what has an identity and was never taken is lost. */
void truth_close_books(struct truth *t);

/* The guest read this RTE: a delivery whose EOI nobody saw and whose remote IRR is set is lost. */
void truth_read(struct truth *t, uint32_t gsi, bool remote_irr);

#endif

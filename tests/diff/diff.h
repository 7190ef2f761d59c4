/* SPDX-License-Identifier: MIT */
/*
 * The differential test: the same operations on Lapwing and on KVM's in-kernel chips, one at a
 * time, and everything compared after each.
 */
#ifndef LAPWING_DIFF_H
#define LAPWING_DIFF_H

#include <lapwing/lapwing.h>
#include <stdio.h>

#define DIFF_CPUS 2u
#define DIFF_PINS 24u
#define DIFF_GSIS 32u /* beyond the pins are GSIs that only MSIs are routed to */

/* ---- operations ---- */

enum diff_op_kind {
	/* A guest's, on the vCPU `cpu`. */
	OP_PAGE_READ, /* `address` is an offset in the APIC page, of `width` bytes */
	OP_PAGE_WRITE,
	OP_IO_READ, /* … in the I/O APIC's window */
	OP_IO_WRITE,
	OP_MSR_READ,
	OP_MSR_WRITE,
	OP_PORT_READ,
	OP_PORT_WRITE,
	OP_CR8_READ,
	OP_CR8_WRITE,
	OP_WINDOW, /* one interrupt may come */
	/* The VMM's. */
	OP_LINE,  /* GSI `address` goes to level `value` */
	OP_MSI,   /* `address`, data `value` */
	OP_ROUTE, /* GSI `width` leads to the MSI (`address`, `value`), or if `address` is 0 to
		     where it leads by default */
	OP_KINDS
};

struct diff_op {
	enum diff_op_kind kind;
	uint32_t cpu;
	uint32_t width;
	uint32_t address;
	uint64_t value;
};

static inline bool diff_is_guests(const struct diff_op *op)
{
	return op->kind <= OP_WINDOW;
}

/* One line, readable by people and by diff_parse(). */
void diff_print(FILE *to, const struct diff_op *op);
/* False if the line is no operation. */
bool diff_parse(const char *line, struct diff_op *op);

/* ---- drawing them ---- */

struct diff_chance {
	uint64_t state;
};

uint64_t diff_draw(struct diff_chance *c);
uint32_t diff_below(struct diff_chance *c, uint32_t limit);

/* What the generator knows of the guest it plays. */
struct diff_generator {
	struct diff_chance chance;
	struct diff_op queue[24]; /* of an operation that takes several accesses */
	unsigned queued, taken;
	bool x2apic[DIFF_CPUS], off[DIFF_CPUS];
	uint32_t lines;
	bool pic;   /* the 8259s are used, */
	bool modes; /* modes change, */
	bool wild;  /* and reserved bits and such are written */
};

void diff_start(struct diff_generator *g, uint64_t seed);
struct diff_op diff_next(struct diff_generator *g);

/* ---- what is seen ---- */

#define DIFF_REGS 0x40u

struct diff_lapic {
	uint64_t base;           /* IA32_APIC_BASE */
	bool nmi;                /* pending */
	uint32_t reg[DIFF_REGS]; /* by offset / 16 */
	uint32_t icr_high;       /* ICR's destination, in either mode */
	uint64_t state;          /* bit per register: there is one, and it can be looked at */
};

struct diff_state {
	struct diff_lapic lapic[DIFF_CPUS];
	uint64_t rte[DIFF_PINS];
	uint32_t ioregsel, id;
	struct lw_pic_regs pic[2];
	/* Ours only: to which vCPUs (a bit each) each pin sent its last level message. */
	uint8_t sent_to[DIFF_PINS], sent_vector[DIFF_PINS];
};

/* What an operation brought about at once. */
struct diff_outcome {
	uint64_t value;
	bool fault;
	int vector; /* taken in the window, or -1 */
	bool nmi;   /* one or several came to this vCPU since it last ran */
};

/* ---- the two worlds ---- */

struct diff_ours;

/* Ways to be wrong that the test must find: Lapwing hears another operation than KVM. */
struct diff_mutant {
	const char *name;
	void (*hears)(struct diff_op *op);
};

extern const struct diff_mutant diff_mutants[];
extern const unsigned diff_mutant_count;

/* As at power-on; `mutant` counts from 1, 0 is none. Never fails but for want of memory. */
struct diff_ours *diff_ours_create(enum lw_eoi_policy policy, unsigned mutant);
void diff_ours_destroy(struct diff_ours *ours);
void diff_ours_run(struct diff_ours *ours, const struct diff_op *op, struct diff_outcome *outcome);
/* Has this vCPU an interrupt to take? */
bool diff_ours_pending(struct diff_ours *ours, uint32_t cpu);
/* Mending takes NMIs away, from both. */
void diff_ours_forget_nmis(struct diff_ours *ours);
void diff_ours_state(struct diff_ours *ours, struct diff_state *state);

struct diff_kvm;

/* Errors are told on stderr, and end the program: without KVM there is nothing to compare. */
struct diff_kvm *diff_kvm_create(void);
void diff_kvm_destroy(struct diff_kvm *kvm);
void diff_kvm_run(struct diff_kvm *kvm, const struct diff_op *op, struct diff_outcome *outcome);
void diff_kvm_state(struct diff_kvm *kvm, struct diff_state *state);
/* Make KVM's LAPICs and I/O APIC hold what `to` says, no NMI pending. `lines` are the GSIs that are
 * up; none of them may be an edge-triggered pin's, for KVM would take that for an edge. */
void diff_kvm_mend(struct diff_kvm *kvm, const struct diff_state *to, uint32_t lines);

/* ---- comparing ---- */

enum diff_where {
	AT_VALUE, /* what the guest read */
	AT_FAULT,
	AT_VECTOR,
	AT_NMI,
	AT_NMI_PENDING, /* at vCPU `cpu` */
	AT_BASE,        /* of LAPIC `cpu` */
	AT_REG,         /* … register `index`, an offset */
	AT_ICR_HIGH,
	AT_RTE, /* `index` is the pin */
	AT_IOREGSEL,
	AT_IOAPIC_ID,
	AT_PIC_IRR, /* `index` 0 is the master */
	AT_PIC_ISR,
	AT_PIC_IMR,
	AT_PIC_ELCR
};

struct diff_one {
	enum diff_where where;
	uint32_t cpu, index;
	uint64_t ours, theirs;
};

/* What a guest has made of one 8259, as far as KVM does not go along. */
struct diff_pic_watch {
	uint8_t icw1;       /* the last */
	uint8_t icw;        /* ICWs that it waits for */
	bool sfnm;          /* special fully nested mode */
	bool special;       /* special mask mode */
	bool poll;          /* polls at the next read */
	bool polled;        /* once since ICW1 */
	bool rotates;       /* in automatic EOI mode; */
	bool rotates_still; /* said before ICW1 */
	bool rewired;       /* master: ICW3 is not 4; slave: not 2 */
};

/* One operation, in both worlds. */
struct diff_case {
	struct diff_op op;
	struct diff_outcome our_outcome, their_outcome;
	struct diff_state before; /* ours */
	struct diff_state ours, theirs;
	struct diff_state theirs_before;
	uint32_t lines;      /* GSIs that are up */
	uint32_t msi_routes; /* GSIs that lead to MSIs: which */
	uint32_t msi_address[DIFF_GSIS], msi_data[DIFF_GSIS];
	struct diff_pic_watch pic[2], pic_before[2];
};

/* What follows from a known deviation. */
enum diff_then {
	THEN_GO_ON,
	THEN_MEND, /* give KVM our state */
	THEN_END   /* end the sequence: what differs can't be given to KVM */
};

struct diff_rule {
	const char *name; /* in docs/deviations.md, which says why */
	enum diff_then then;
	/* The bits that differ for this reason. */
	uint64_t (*explains)(const struct diff_case *c, const struct diff_one *d);
	uint64_t used;  /* operations that it explained something of */
	uint64_t ended; /* sequences */
};

extern struct diff_rule diff_rules[];
extern const unsigned diff_rule_count;

struct diff_verdict {
	enum diff_then then;
	bool unexplained;
	struct diff_one
		first; /* that nothing explains; only the bits that nothing explains differ */
	struct diff_rule *rule; /* that asks for `then` */
};

void diff_compare(const struct diff_case *c, bool count, struct diff_verdict *verdict);
/* Keep `c` what the rules must know and no chip tells: before c->op is run. */
void diff_watch(struct diff_case *c);
void diff_tell(FILE *to, const struct diff_one *d);

#endif

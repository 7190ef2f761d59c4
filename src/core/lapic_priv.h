/* SPDX-License-Identifier: MIT */
/*
 * The inside of a LAPIC: lapic.c has posting, priorities and EOI, lapic_ipi.c what it sends,
 * lapic_lvt.c its own interrupts and errors, lapic_timer.c the timer, lapic_mode.c xAPIC,
 * x2APIC and off, lapic_regs.c the registers as a guest sees them.
 */
#ifndef LW_LAPIC_PRIV_H
#define LW_LAPIC_PRIV_H

#include <lapwing/lapic.h>
#include <stdatomic.h>

#include "bits.h"
#include "dest.h"

/* ESR (SDM 11.5.3). Bits 0 to 3 belong to the APIC bus, which no processor of today has; bit 4 to
 * those that can't send lowest-priority IPIs, which this one can. */
#define ESR_SEND_ILLEGAL     (1u << 5)
#define ESR_RECEIVED_ILLEGAL (1u << 6)
#define ESR_ILLEGAL_REGISTER (1u << 7) /* xAPIC mode only; in x2APIC mode that is a fault */
#define ESR_ALL              (ESR_SEND_ILLEGAL | ESR_RECEIVED_ILLEGAL | ESR_ILLEGAL_REGISTER)

/* The local vector table, in the order of its registers. No CMCI: the version register says that
 * entry 5 is the last, and CMCI comes with a sixth (SDM 11.4.8, 11.5.1). */
enum lvt { LVT_TIMER, LVT_THERMAL, LVT_PMC, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };

#define LVT_REMOTE_IRR (1u << 14)
#define LVT_LEVEL      (1u << 15)
#define LVT_MASKED     (1u << 16)

#define LVT_TIMER_MODE(lvt) ((lvt) >> 17 & 3u)
#define TIMER_ONE_SHOT      0u
#define TIMER_PERIODIC      1u
#define TIMER_TSC_DEADLINE  2u

#define POSTED_WORDS (2u * LW_SET_WORDS)
#define DIRTY_ERRORS (1u << POSTED_WORDS) /* somebody posted what is no vector */

/* What other threads write or read. Everything here is atomic; see docs/concurrency.md. */
struct shared {
	_Atomic uint64_t posted[POSTED_WORDS]; /* with TMR 0, then with TMR 1 */
	_Atomic uint32_t dirty;  /* bit per word of `posted` that may have something, and
				    DIRTY_ERRORS */
	_Atomic uint32_t idle;   /* nobody has posted since the last merge: the first to clear it
				    owes the kick */
	_Atomic uint32_t errors; /* ESR bits found since the last write to ESR */
	_Atomic uint32_t id;
	_Atomic uint32_t ldr;
	_Atomic uint32_t dfr;
	_Atomic uint32_t svr;
	_Atomic uint32_t floor; /* the lowest vector that is taken, by SVR */
	_Atomic uint32_t ppr;
	_Atomic uint32_t mode; /* enum lw_lapic_mode */
	_Atomic bool listens;  /* to LINT0 */
};

/* Expiry 0: it does not run. */
struct timer {
	uint64_t now;          /* as the owner said last */
	uint64_t expiry;       /* of the running count or TSC deadline, in the same ns */
	uint64_t deadline_tsc; /* IA32_TSC_DEADLINE; 0 when it has fired */
	uint64_t base_tsc;     /* the TSC was this … */
	uint64_t base_ns;      /* … then */
	uint32_t tmict;
	uint32_t dcr;
	struct lw_lapic_clock clock;
};

/* What only the owner touches. */
struct owned {
	uint64_t irr[LW_SET_WORDS];
	uint64_t isr[LW_SET_WORDS];
	uint64_t tmr[LW_SET_WORDS];
	uint32_t tpr;
	uint32_t esr;
	uint32_t icr;  /* low half */
	uint32_t dest; /* ICR's high half; in xAPIC mode its bits 31…24 */
	struct timer timer;
	uint32_t lvt[LVTS];
	uint32_t threshold;  /* as told last */
	uint32_t raised;     /* ESR bits that LVT error has been raised for */
	uint8_t lint_vector; /* LINT0's, as delivered, while its remote IRR is set */
	bool lint[2];        /* the lines, asserted or not */
	uint8_t phys_bits;   /* of the guest's addresses */
	bool xapic_only;     /* the guest's CPUID offers no x2APIC */
	uint64_t base;       /* IA32_APIC_BASE without EN and EXTD, which are the mode */
};

/* What an acceptance or an EOI has to look at; where there is nothing of it they take a short way.
 */
enum busy {
	BUSY_PENDING = 1u << 0,   /* IRR may have something */
	BUSY_SERVING = 1u << 1,   /* ISR has */
	BUSY_NESTED = 1u << 2,    /* … several */
	BUSY_LINT = 1u << 3,      /* LINT0's remote IRR may be set */
	BUSY_THRESHOLD = 1u << 4, /* somebody heeds ops->threshold */
	BUSY_OFF = 1u << 5        /* it takes nothing, though a poster may have overlooked it */
};

/* What follows from the rest, kept because it is asked at every interrupt. */
struct derived {
	uint32_t busy;  /* enum busy */
	uint8_t top;    /* the highest vector in ISR; 0: none */
	bool broadcast; /* the guest does not suppress EOI broadcasts */
};

struct lw_lapic {
	_Alignas(LW_LAPIC_ALIGN) struct shared shared;
	struct owned own;
	struct derived der;
	struct lw_lapic_counters counters;
	const struct lw_lapic_ops *ops;
	void (*eoi)(void *ctx, uint32_t vcpu, uint8_t vector, bool broadcast); /* ops->eoi */
	void *ctx;
	uint32_t vcpu;
};

/* All its state, in a copy: struct shared as plain words but for what follows from the rest. */
struct lw_lapic_image {
	uint64_t posted[POSTED_WORDS];
	uint32_t dirty, idle, errors, ldr, dfr, svr, mode;
	struct owned own;
};

_Static_assert(sizeof(struct lw_lapic) <= LW_LAPIC_SIZE, "LW_LAPIC_SIZE is too small");

#define load(field)         atomic_load_explicit(&(field), memory_order_relaxed)
#define store(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

static inline bool is_x2apic(const struct lw_lapic *l)
{
	return load(l->shared.mode) == LW_LAPIC_X2APIC;
}

/* IA32_APIC_BASE (SDM figure 11-5). */
#define APIC_BASE_DEFAULT 0xfee00000u
#define APIC_BASE_BSP     (1u << 8)
#define APIC_BASE_EXTD    (1u << 10)
#define APIC_BASE_EN      (1u << 11)
#define MAX_PHYS_BITS     52u
#define MIN_PHYS_BITS     32u /* as many as the address at power-on has */

#pragma GCC visibility push(hidden)

/* The only way to write SVR. */
void lw_lapic_set_svr(struct lw_lapic *lapic, uint32_t svr);

/* Make struct derived anew, and PPR. */
void lw_lapic_derive(struct lw_lapic *lapic);

/* As at power-on but for id and mode; ops->changed is not told. */
void lw_lapic_clear(struct lw_lapic *lapic);

/* An edge or level interrupt from inside, into IRR at once. */
void lw_lapic_take(struct lw_lapic *lapic, uint8_t vector, bool level);

/* Log ESR bits; raise LVT error for those not yet raised; do both; latch them for the guest. */
void lw_lapic_log(struct lw_lapic *lapic, uint32_t bits);
void lw_lapic_raise_errors(struct lw_lapic *lapic);
void lw_lapic_error(struct lw_lapic *lapic, uint32_t bits);
void lw_lapic_write_esr(struct lw_lapic *lapic);

/* Deliver what an LVT entry says, unless it is masked. */
void lw_lapic_fire(struct lw_lapic *lapic, enum lvt entry);

void lw_lapic_write_lvt(struct lw_lapic *lapic, enum lvt entry, uint32_t value);
void lw_lapic_mask_lvts(struct lw_lapic *lapic);

/* LVT timer was written; it held `before`. */
void lw_lapic_timer_mode(struct lw_lapic *lapic, uint32_t before);
void lw_lapic_stop_timer(struct lw_lapic *lapic);
void lw_lapic_write_tmict(struct lw_lapic *lapic, uint32_t value);
void lw_lapic_write_dcr(struct lw_lapic *lapic, uint32_t value);
uint32_t lw_lapic_tmcct(const struct lw_lapic *lapic);

/* `vector` was EOI'd while LINT0's remote IRR is set. */
void lw_lapic_lint_eoi(struct lw_lapic *lapic, uint8_t vector);

/* LINT0's entry or the mode was written: does a rise of LINT0 mean anything now? */
void lw_lapic_listen(struct lw_lapic *lapic);

/* TPR takes a new value, and PPR follows. */
void lw_lapic_set_tpr(struct lw_lapic *lapic, uint32_t tpr);

/* The state as it is. And: put another in its place, and tell whoever keeps something of it; or
 * -EINVAL if it can't be. */
void lw_lapic_copy_out(const struct lw_lapic *lapic, struct lw_lapic_image *image);
int lw_lapic_put(struct lw_lapic *lapic, const struct lw_lapic_image *image);

/* A count that began as `tmict` has `left` to go, from now on. */
void lw_lapic_resume_count(struct lw_lapic *lapic, uint32_t tmict, uint32_t left);

/* What the version register says. */
uint32_t lw_lapic_version(void);

/* The bits of a register that a write keeps. */
uint32_t lw_lapic_writable(uint32_t offset);

/* Could a guest have left IA32_APIC_BASE so? */
bool lw_lapic_base_can_be(const struct owned *own);

void lw_lapic_tell_changed(const struct lw_lapic *lapic);

/* The logical id: LDR's in xAPIC mode, derived from the id in x2APIC mode. */
uint32_t lw_lapic_logical_id(const struct lw_lapic *lapic);

#pragma GCC visibility pop

#endif

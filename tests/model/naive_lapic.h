/* SPDX-License-Identifier: MIT */
/*
 * A second LAPIC, naive on purpose: arrays of booleans, every rule as the SDM's chapter on the APIC
 * words it, nothing remembered that can be counted anew. It knows nothing of how the first one does
 * it, but for the instants at which that one merges what was posted.
 */
#ifndef LAPWING_MODEL_NAIVE_LAPIC_H
#define LAPWING_MODEL_NAIVE_LAPIC_H

#include <lapwing/lapic.h>

enum naive_kind { NAIVE_EOI, NAIVE_IPI, NAIVE_SIGNAL };

/* What left the LAPIC, in order. */
struct naive_event {
	enum naive_kind kind;
	uint32_t dest;
	uint8_t vector, delivery, shorthand;
	bool logical, broadcast;
};

#define NAIVE_EVENTS 16

struct naive_log {
	struct naive_event event[NAIVE_EVENTS];
	unsigned count, changed, broadcasts;
};

enum naive_lvt { N_TIMER, N_THERMAL, N_PMC, N_LINT0, N_LINT1, N_ERROR, N_LVTS };

struct naive_lapic {
	struct lw_lapic_config config;
	struct naive_log log;
	enum lw_lapic_mode mode;
	bool irr[256], isr[256], tmr[256];
	bool edge[256], level[256]; /* posted */
	uint64_t base;              /* IA32_APIC_BASE without EN and EXTD */
	uint32_t ldr, dfr, svr, tpr, esr, icr, dest, lvt[N_LVTS], tmict, dcr;
	bool error[8], raised[8]; /* by ESR bit */
	bool lint[2];
	uint8_t lint_vector;
	uint64_t now, expiry, deadline_tsc, base_tsc, base_ns;
};

void naive_lapic_init(struct naive_lapic *n, const struct lw_lapic_config *config);

/* As the lw_lapic_ calls of the same name; naive_lapic_post() returns whether it was taken. */
bool naive_lapic_post(struct naive_lapic *n, uint8_t vector, bool level);
void naive_lapic_sync(struct naive_lapic *n);
int naive_lapic_pending(struct naive_lapic *n);
int naive_lapic_accept(struct naive_lapic *n);
int naive_lapic_eoi(struct naive_lapic *n);
bool naive_lapic_holds(const struct naive_lapic *n, uint8_t vector);
uint8_t naive_lapic_ppr(const struct naive_lapic *n);
uint8_t naive_lapic_threshold(const struct naive_lapic *n);
bool naive_lapic_matches(const struct naive_lapic *n, const struct lw_msg *msg);
void naive_lapic_reset(struct naive_lapic *n);
uint32_t naive_lapic_read(struct naive_lapic *n, uint32_t offset);
void naive_lapic_write(struct naive_lapic *n, uint32_t offset, uint32_t value);
uint32_t naive_lapic_page_read(struct naive_lapic *n, uint32_t offset);
void naive_lapic_page_write(struct naive_lapic *n, uint32_t offset, uint32_t value);
int naive_lapic_msr_read(struct naive_lapic *n, uint32_t msr, uint64_t *value);
int naive_lapic_msr_write(struct naive_lapic *n, uint32_t msr, uint64_t value);
int naive_lapic_set_base(struct naive_lapic *n, uint64_t value);
uint64_t naive_lapic_base(const struct naive_lapic *n);
int naive_lapic_set_cr8(struct naive_lapic *n, uint64_t value);
void naive_lapic_send(struct naive_lapic *n, uint64_t icr);
void naive_lapic_self_ipi(struct naive_lapic *n, uint8_t vector);
void naive_lapic_lint(struct naive_lapic *n, uint32_t pin, bool asserted);
bool naive_lapic_extint(const struct naive_lapic *n);
bool naive_lapic_listens(const struct naive_lapic *n);
void naive_lapic_pmi(struct naive_lapic *n);
void naive_lapic_thermal(struct naive_lapic *n);
void naive_lapic_time(struct naive_lapic *n, uint64_t now_ns);
void naive_lapic_set_tsc(struct naive_lapic *n, uint64_t tsc);
void naive_lapic_write_tsc_deadline(struct naive_lapic *n, uint64_t tsc);

#endif

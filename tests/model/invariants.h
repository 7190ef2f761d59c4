/* SPDX-License-Identifier: MIT */
/*
 * What must hold of the chips between any two calls, whatever a guest has done: one executable
 * list, for unit tests, fuzzers and proofs. It looks inside, and it changes nothing.
 *
 * Threads: with all of them stopped.
 */
#ifndef LAPWING_MODEL_INVARIANTS_H
#define LAPWING_MODEL_INVARIANTS_H

#include <lapwing/lapwing.h>

/* The first rule found broken: as a sentence, and where. */
struct broken {
	const char *rule;
	uint32_t chip, vcpu, pin, vector; /* those that the rule is about; else 0 */
};

/* Of an I/O APIC alone: flags, records, the two indices, what is refused, delayed and owed; and
 * that no asserted and unmasked level pin is left behind. */
bool lw_ioapic_holds(const struct lw_ioapic *io, struct broken *why);

/* The same, but for the two indices, which take 512 lists to walk. */
bool lw_ioapic_pins_hold(const struct lw_ioapic *io, struct broken *why);

/* Of a LAPIC alone: IRR, ISR, PPR, request maps, LVT, timer. */
bool lw_lapic_is_sound(const struct lw_lapic *lapic, struct broken *why);

/* Of a pair of 8259As: each chip's registers, lines, what is asked for, and what is owed. Also
 * where ops->eoi runs. */
bool lw_pic_holds(const struct lw_pic *pic, struct broken *why);

/* Of an EOI engine alone: what each vCPU's owner is asked, what was let go, and the balances. */
bool lw_eoi_holds(const struct lw_eoi *eoi, struct broken *why);

/* What the history of a run leaves out of lw_chip_holds(). */
#define LW_GIVEN_SUPPRESSION                                                               \
	1u                /* EOI broadcasts have been suppressed: EOIs may resolve nothing \
			   */
#define LW_GIVEN_REMAP 2u /* an LDR, DFR, enable or mode changed under a route */

/*
 * Of the whole controller: each chip's own, and what ties remote IRR, the records, the counts of
 * (vCPU, vector) pairs, IRR, ISR and the policy's sets together. The sets are looked at under
 * `armed` and `lazy` only: what the other policies do is compared with, and not promised.
 */
bool lw_chip_holds(struct lw_chip *chip, const struct lw_eoi *eoi, unsigned given,
		   struct broken *why);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a harness around the whole controller remembers of its run, in its own words: who was sent
 * what and has not taken it, and what has happened that a rule of lw_chip_holds() allows for. At
 * the end the world comes to rest, and then nothing may be owed.
 */
#ifndef LAPWING_FUZZ_HISTORY_H
#define LAPWING_FUZZ_HISTORY_H

#include <lapwing/lapwing.h>

#define HISTORY_VCPUS 8u

struct history {
	struct lw_chip *chip;
	uint32_t nvcpus;
	unsigned given; /* LW_GIVEN_…, as lw_chip_holds() takes it */
	struct seen {
		uint32_t ldr, dfr;
		bool enabled;
		enum lw_lapic_mode mode;
	} seen[HISTORY_VCPUS];
	bool owed[HISTORY_VCPUS][256]; /* fixed edge messages, sent and not taken */
};

/* All LAPICs are as they shall be to begin with. */
void history_begin(struct history *h, struct lw_chip *chip, uint32_t nvcpus);

/* A register, a mode or a whole LAPIC may have changed. Call it before it can change once more. No
 * LAPIC notices. */
void history_look(struct history *h);

/* Before this message is sent; one that is not fixed, or is level-triggered, is not followed. */
void history_send(struct history *h, const struct lw_msg *msg);
void history_taken(struct history *h, uint32_t vcpu, int vector);

/* A LAPIC has been cleared. */
void history_cleared(struct history *h, uint32_t vcpu);

/*
 * Nobody is in guest mode: lines fall, pins are masked, and vCPUs take and end whatever there is.
 * `sources` of each GSI are lowered; `served` is called after each round.
 */
void history_rest(struct history *h, uint32_t gsis, uint32_t sources, void (*served)(void));

/* After that: remote IRR is clear everywhere. Not if EOIs were not meant to resolve. */
void history_all_resolved(const struct history *h);

#endif

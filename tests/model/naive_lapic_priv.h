/* SPDX-License-Identifier: MIT */
/*
 * The inside of the naive LAPIC: naive_lapic.c has what it takes, holds, ends and sends,
 * naive_lapic_timer.c the timer, naive_lapic_regs.c its modes and registers.
 */
#ifndef LAPWING_MODEL_NAIVE_LAPIC_PRIV_H
#define LAPWING_MODEL_NAIVE_LAPIC_PRIV_H

#include "model/naive_lapic.h"

#define MASKED 0x10000u /* in the LVT */

enum { ONE_SHOT, PERIODIC, TSC_DEADLINE };

enum { SEND_ILLEGAL = 5, RECEIVED_ILLEGAL = 6, ILLEGAL_REGISTER = 7 }; /* ESR, figure 11-9 */

static inline bool enabled(const struct naive_lapic *n)
{
	return n->svr & LW_SVR_ENABLE;
}

void naive_lapic_fire(struct naive_lapic *n, enum naive_lvt entry, bool level);
void naive_lapic_error(struct naive_lapic *n, int bit);
void naive_lapic_write_lvt(struct naive_lapic *n, enum naive_lvt entry, uint32_t value);

uint32_t naive_lapic_timer_mode(const struct naive_lapic *n);
uint32_t naive_lapic_count(const struct naive_lapic *n);
void naive_lapic_stop(struct naive_lapic *n);
void naive_lapic_write_tmict(struct naive_lapic *n, uint32_t value);
void naive_lapic_write_dcr(struct naive_lapic *n, uint32_t value);

#endif

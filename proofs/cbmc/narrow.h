/* SPDX-License-Identifier: MIT */
/*
 * For harnesses whose worlds have at most 64 pins and vCPUs: included before the sources, it has
 * them find a set's bit in its first word. Of a word that is chosen by what is computed, CBMC
 * thinks that it may be any in the whole chip.
 */
#ifndef LAPWING_PROVE_NARROW_H
#define LAPWING_PROVE_NARROW_H

#include "core/bits.h"

#define narrow(n) (__CPROVER_assert((n) < 64, "a set of one word has the bit"), 0)

#define lw_set_test(set, n) (narrow(n), ((set)[0] & lw_bit(n)) != 0)
#define lw_set_add(set, n)  (narrow(n), (void)((set)[0] |= lw_bit(n)))
#define lw_set_del(set, n)  (narrow(n), (void)((set)[0] &= ~lw_bit(n)))

#endif

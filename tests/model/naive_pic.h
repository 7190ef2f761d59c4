/* SPDX-License-Identifier: MIT */
/* A second pair of 8259As, naive on purpose: from the data sheet's rules, with arrays of booleans,
 * and knowing nothing of how the first one does it. */
#ifndef LAPWING_MODEL_NAIVE_PIC_H
#define LAPWING_MODEL_NAIVE_PIC_H

#include <stdbool.h>

struct naive_chip {
	bool high[8], edge_seen[8], serving[8], masked[8], elcr[8], has_slave[8];
	bool special_mask, auto_eoi, auto_rotate, nested_special, ltim, single, wants_icw4;
	bool shows_isr, polled;
	int next_icw; /* 0: none is awaited */
	int base, id, lowest;
};

struct naive_pic {
	struct naive_chip chip[2];
	bool source[16][32];
	bool strict, intr, slave_int;
	bool over[16];
	int rises;
};

void naive_pic_init(struct naive_pic *m, bool strict);

/* A chip's pin by its line's level. Ask for the outputs after. */
void naive_pic_line(struct naive_pic *m, int n, int pin, bool level);
void naive_pic_outputs(struct naive_pic *m);
int naive_pic_inta(struct naive_pic *m);
void naive_pic_out(struct naive_pic *m, int port, int v);
int naive_pic_in(struct naive_pic *m, int port);
void naive_pic_reset(struct naive_pic *m);
int naive_pic_bits(const bool b[8]);

#endif

/* SPDX-License-Identifier: MIT */
/* Text into a buffer that may be too small: what the dumps are written with. */
#ifndef LW_TEXT_H
#define LW_TEXT_H

#include <lapwing/chip.h>
#include <stddef.h>
#include <stdint.h>

struct lw_text {
	char *buf;
	size_t size;
	size_t used; /* as if there had been room */
};

#pragma GCC visibility push(hidden)

/* %s, %u, %x, %llu and %llx, the numbers with a width and leading zeros. */
__attribute__((format(printf, 2, 3))) void lw_text(struct lw_text *text, const char *format, ...);

/* Ends the text where it fits, and returns its length as if it had. */
size_t lw_text_end(const struct lw_text *text);

/* The members of a set of 256, in hexadecimal; those in `marked`, which may be null, with an L. */
void lw_text_vectors(struct lw_text *text, const uint64_t *set, const uint64_t *marked);

/* The dumps of the parts, as a part of another's. */
void lw_lapic_text(struct lw_text *text, const struct lw_lapic *lapic);
void lw_ioapic_text(struct lw_text *text, const struct lw_ioapic *io);
void lw_pic_text(struct lw_text *text, const struct lw_pic *pic);
void lw_routes_text(struct lw_text *text, const struct lw_routes *routes);

#pragma GCC visibility pop

#endif

/* SPDX-License-Identifier: MIT */
/* The pair of 8259As as text, as in lapic_dump.c. */
#include "core/text.h"
#include "pic.h"

void lw_text(struct lw_text *text, const char *format, ...)
{
	(void)text, (void)format;
}

size_t lw_text_end(const struct lw_text *text)
{
	(void)text;
	return nondet_size();
}

void prove_lw_pic_dump(void)
{
	char buf[8];

	any_state();
	lw_pic_dump(&p, buf, sizeof(buf));
	still_sound();
}

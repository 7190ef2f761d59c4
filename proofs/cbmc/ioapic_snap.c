/* SPDX-License-Identifier: MIT */
/* An I/O APIC's state as bytes, and as text. */
#include "ioapic.h"

#include "core/text.h"

#define MOST 176u /* what two pins take */

static uint8_t buf[MOST];

/* So many bytes that what lies behind them is no memory. */
static uint8_t *any_bytes(size_t *size)
{
	__CPROVER_havoc_object(buf);
	*size = any_below(MOST + 1);
	return buf + MOST - *size;
}

/* In place of the CRC, which may come out right. */
uint32_t any_checksum(const uint8_t *p, size_t size)
{
	must_hold(size >= 16 && __CPROVER_r_ok(p, size), "a snapshot has a header");
	return nondet_u32();
}

/* In place of lw_text(), which formats. */
void lw_text(struct lw_text *text, const char *format, ...)
{
	must_hold(text && format, "there is something to say");
}

size_t lw_text_end(const struct lw_text *text)
{
	return text->used;
}

void prove_lw_ioapic_save(void)
{
	size_t size;
	uint8_t *bytes = any_bytes(&size);

	any_state();
	lw_ioapic_save(&io, size ? bytes : NULL, size);
	still_sound();
}

/* Who is owed a sample need not wait for one then. */
void prove_lw_ioapic_restore(void)
{
	size_t size;
	uint8_t *bytes = any_bytes(&size);

	any_state();
	told = false;
	lw_ioapic_restore(&io, nondet_bool() ? bytes : NULL, size);
	still_sound();
}

void prove_lw_ioapic_dump(void)
{
	any_state();
	lw_ioapic_dump(&io, NULL, 0);
	still_sound();
}

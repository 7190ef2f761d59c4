/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdarg.h>
#include <stdbool.h>

#include "bits.h"

#define DIGITS 20u /* of 64 bits, in decimal */

static void put(struct lw_text *t, char c)
{
	if (t->used + 1 < t->size)
		t->buf[t->used] = c;
	t->used++;
}

static void put_string(struct lw_text *t, const char *s)
{
	while (*s)
		put(t, *s++);
}

static void put_number(struct lw_text *t, uint64_t value, uint32_t base, uint32_t width)
{
	char digit[DIGITS];
	uint32_t n = 0;

	do {
		digit[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	for (; width > n; width--)
		put(t, '0');
	while (n > 0)
		put(t, digit[--n]);
}

/* What stands after a percent sign; returns its last character. */
static const char *convert(struct lw_text *t, const char *f, va_list *args)
{
	uint32_t width = 0;
	bool wide = false;

	for (; *f >= '0' && *f <= '9'; f++)
		width = width * 10u + (uint32_t)(*f - '0');
	for (; *f == 'l'; f++)
		wide = true;
	if (*f == 's')
		put_string(t, va_arg(*args, const char *));
	else
		put_number(t, wide ? va_arg(*args, unsigned long long) : va_arg(*args, unsigned),
			   *f == 'x' ? 16 : 10, width);
	return f;
}

void lw_text(struct lw_text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	for (const char *f = format; *f; f++) {
		if (*f == '%')
			f = convert(t, f + 1, &args);
		else
			put(t, *f);
	}
	va_end(args);
}

size_t lw_text_end(const struct lw_text *t)
{
	if (t->size)
		t->buf[t->used < t->size ? t->used : t->size - 1] = '\0';
	return t->used;
}

void lw_text_vectors(struct lw_text *t, const uint64_t *set, const uint64_t *marked)
{
	for (uint32_t vector = 0; vector < 256; vector++)
		if (lw_set_test(set, vector))
			lw_text(t, " %02x%s", vector,
				marked && lw_set_test(marked, vector) ? "L" : "");
}

/* SPDX-License-Identifier: MIT */
#include "tool/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int lw_table_row(struct lw_table *t, const char *const cells[])
{
	size_t have = t->rows * t->columns;
	char **grown = realloc(t->cells, (have + t->columns) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	t->cells = grown;
	for (size_t i = 0; i < t->columns; i++) {
		t->cells[have + i] = strdup(cells[i] ? cells[i] : "");
		if (t->cells[have + i])
			continue;
		while (i > 0)
			free(t->cells[have + --i]);
		return -ENOMEM;
	}
	t->rows++;
	return 0;
}

int lw_table_init(struct lw_table *t, const char *const titles[])
{
	const char *plain[LW_TABLE_COLUMNS];

	*t = (struct lw_table){0};
	while (titles[t->columns]) {
		const char *title = titles[t->columns];

		if (t->columns == LW_TABLE_COLUMNS)
			return -E2BIG;
		t->right[t->columns] = title[0] == '>';
		plain[t->columns++] = title[0] == '>' ? title + 1 : title;
	}
	return lw_table_row(t, plain);
}

/* Characters, not bytes: cells are UTF-8. */
static int width_of(const char *s)
{
	int width = 0;

	for (; *s; s++)
		width += ((unsigned char)*s & 0xc0) != 0x80;
	return width;
}

static void print_cell(const char *cell, int width, bool right, bool last, FILE *out)
{
	int pad = width - width_of(cell);

	if (right)
		fprintf(out, "%*s%s", pad, "", cell);
	else if (last)
		fputs(cell, out);
	else
		fprintf(out, "%s%*s", cell, pad, "");
	fputs(last ? "\n" : "  ", out);
}

void lw_table_print(const struct lw_table *t, FILE *out)
{
	int width[LW_TABLE_COLUMNS] = {0};

	for (size_t i = 0; i < t->rows * t->columns; i++) {
		int w = width_of(t->cells[i]);

		if (w > width[i % t->columns])
			width[i % t->columns] = w;
	}
	for (size_t i = 0; i < t->rows * t->columns; i++) {
		size_t column = i % t->columns;

		print_cell(t->cells[i], width[column], t->right[column], column + 1 == t->columns,
			   out);
	}
}

void lw_table_free(struct lw_table *t)
{
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct lw_table){0};
}

/* ---- numbers ---- */

struct lw_cell lw_cell_grouped(uint64_t n)
{
	struct lw_cell plain, c;
	size_t length, out = 0;

	length = (size_t)snprintf(plain.text, sizeof(plain.text), "%" PRIu64, n);
	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			c.text[out++] = ',';
		c.text[out++] = plain.text[i];
	}
	c.text[out] = '\0';
	return c;
}

struct lw_cell lw_cell_brief(double n)
{
	struct lw_cell c;

	if (n < 999999.5)
		return lw_cell_grouped((uint64_t)(n + 0.5));
	if (n < 9999.95e6)
		snprintf(c.text, sizeof(c.text), "%.1f M", n / 1e6);
	else
		snprintf(c.text, sizeof(c.text), "%.1f G", n / 1e9);
	return c;
}

/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_TOOL_H
#define LAPWING_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

/* What a subcommand exits with. */
enum lw_tool_exit {
	LW_EXIT_FINE = 0,
	LW_EXIT_FOUND = 1,  /* the thing looked for was found */
	LW_EXIT_UNTOLD = 2, /* usage, environment, or nothing could be told */
};

/*
 * A subcommand. run() gets its own argv (argv[0] is "lapwing NAME", for getopt's messages) and
 * returns an enum lw_tool_exit, or a negative errno for which main() prints the message.
 */
struct lw_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

extern const char lw_tool_version[];

/* command.c: the whole tool; returns its exit status. */
int lw_tool_main(int argc, char **argv);

int lw_cmd_bench(int argc, char **argv);
int lw_cmd_probe(int argc, char **argv);
int lw_cmd_run(int argc, char **argv);
int lw_cmd_sim(int argc, char **argv);

/* util.c */

/* Prints "lapwing: MESSAGE" on standard error. */
void lw_tool_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Reads an unsigned number (decimal, or hexadecimal after 0x) within [min, max]. On failure says
 * what was wrong with WHAT, leaves *out alone and returns -EINVAL or -ERANGE.
 */
int lw_tool_parse_u64(const char *what, const char *s, uint64_t min, uint64_t max, uint64_t *out);

/*
 * Names with commas between them, into flags by the names' numbers; known(n) is the n-th name, or
 * null. On failure says what was wrong with WHAT and returns -EINVAL or -ENOMEM.
 */
int lw_tool_read_names(const char *what, const char *list, const char *(*known)(size_t),
		       bool *flags);

/*
 * Points at "--help" after a usage error that was already reported; returns LW_EXIT_UNTOLD.
 * COMMAND is the subcommand's name, or NULL for lapwing itself.
 */
int lw_tool_usage_error(const char *command);

/* After the options nothing may be left; otherwise says so and returns -EINVAL. */
int lw_tool_no_operands(int argc, char **argv, int optind_now);

/* Flushes standard output; 0, or a negative errno when what was printed did not get through. */
int lw_tool_flush_stdout(void);

/* json.c */

/* Prints the value, indented, and a newline on standard output, and drops the reference. */
int lw_tool_print_json(json_t *value);

/* progress.c */

/*
 * A bar on standard error, drawn only on a terminal and only once the work has taken two
 * seconds. Counters are the caller's; update as often as you like.
 */
struct lw_progress {
	const char *label;
	uint64_t total;
	uint64_t started_ms;
	uint64_t drawn_ms;
	bool terminal;
	bool drawn;
};

void lw_progress_start(struct lw_progress *p, const char *label, uint64_t total);
void lw_progress_update(struct lw_progress *p, uint64_t done);
/* Wipes the bar. */
void lw_progress_end(struct lw_progress *p);

/* table.c */

#define LW_TABLE_COLUMNS 16

/* Columns as wide as their widest cell. Cells are copied; release with lw_table_free(). */
struct lw_table {
	size_t columns;
	size_t rows;
	char **cells;
	bool right[LW_TABLE_COLUMNS];
};

/*
 * Titles of the columns, at most LW_TABLE_COLUMNS, ended by NULL. A title starting with '>' makes
 * a column of numbers, aligned to the right.
 */
int lw_table_init(struct lw_table *t, const char *const titles[]);
/* One row with a cell for every column; NULL is an empty cell. */
int lw_table_row(struct lw_table *t, const char *const cells[]);
void lw_table_print(const struct lw_table *t, FILE *out);
void lw_table_free(struct lw_table *t);

struct lw_cell {
	char text[40];
};

/* 1,234,567; and short enough for a column: 999,999 and then 1.0 M. */
struct lw_cell lw_cell_grouped(uint64_t n);
struct lw_cell lw_cell_brief(double n);

/* gnuplot.c */

/* Both say what is wrong and return 0 or -errno. */

/* Is gnuplot here, and can a file be written to this place? Leaves nothing there. */
int lw_plot_check(const char *path);
/* Runs the script and puts its output, a whole SVG file, in this place. */
int lw_plot_draw(const char *path, const char *script, size_t size);

/* A string in gnuplot's quotes. */
void lw_plot_quoted(const char *s, FILE *out);

#endif

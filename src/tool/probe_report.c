/* SPDX-License-Identifier: MIT */
#include "tool/probe.h"

#include <inttypes.h>
#include <string.h>

static json_t *string_or_null(const char *s)
{
	return s && s[0] ? json_string(s) : json_null();
}

static json_t *arrival_json(enum lw_arrival arrival)
{
	return arrival == LW_ARRIVAL_NONE ? json_null() : json_boolean(arrival == LW_ARRIVED);
}

static json_t *case_json(const struct lw_case_result *result)
{
	json_t *superfluous = result->superfluous_known
				      ? json_integer((json_int_t)result->superfluous)
				      : json_null();

	return json_pack("{s:s, s:o, s:o, s:I, s:o, s:s, s:o, s:b}", "case", result->name, "order",
			 string_or_null(result->order), "eoi_arrived",
			 arrival_json(result->arrival), "reuses", (json_int_t)result->seen.reuses,
			 "superfluous", superfluous, "verdict", lw_verdict_name(result->verdict),
			 "reason", string_or_null(result->reason.text), "counted", result->counted);
}

/* Appends and takes over the value; a NULL value or a failure drops the whole list. */
static json_t *append(json_t *list, json_t *value)
{
	if (json_array_append_new(list, value) == 0)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *mode_json(const struct lw_mode_result *mode)
{
	json_t *cases = json_array();

	for (size_t i = 0; i < mode->case_count; i++)
		cases = append(cases, case_json(&mode->cases[i]));
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o}", "mode", mode->name, "verdict",
			 lw_verdict_name(mode->verdict), "reason",
			 string_or_null(mode->reason.text), "observer",
			 string_or_null(lw_observer_name(mode->calibration.observer)), "rerouted",
			 mode->pending ? "pending" : "in-service", "cases", cases);
}

json_t *lw_probe_json(const struct lw_probe_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->mode_count; i++)
		list = append(list, mode_json(&report->modes[i]));
	return json_pack("{s:s, s:s, s:I, s:o, s:o}", "lapwing", lw_tool_version, "kernel",
			 report->kernel, "count", (json_int_t)report->count, "modes", list,
			 "through_lapwing", mode_json(report->lapwing));
}

static const char *const arrivals[] = {"-", "arrived", "LOST"};

static int add_case(struct lw_table *table, const struct lw_mode_result *mode,
		    const struct lw_case_result *result)
{
	char exits[48] = "?";
	char name[64];

	snprintf(name, sizeof(name), "%s%s%s", result->name, result->order ? ", " : "",
		 result->order ? result->order : "");
	if (result->superfluous_known)
		snprintf(exits, sizeof(exits), "%" PRIu64 " of %" PRIu64, result->superfluous,
			 result->seen.reuses);
	return lw_table_row(table,
			    (const char *const[]){mode->name, name, arrivals[result->arrival],
						  exits, lw_verdict_name(result->verdict)});
}

static const char *advice(enum lw_verdict verdict)
{
	switch (verdict) {
	case LW_CLEAN:
		return "Moving interrupts costs guests nothing here; there is nothing to do.";
	case LW_STALE:
		return "Moving an interrupt does not lose it, but from then on each later one "
		       "that\n"
		       "reuses its vector on the old vCPU may cost a needless VM exit. Linux 6.16\n"
		       "and later end this at the first EOI that finds the vector idle; pinning\n"
		       "interrupts in the guest avoids it.";
	case LW_LOSES_EOI:
		return "A guest that moves a level-triggered interrupt while it is served loses "
		       "its\n"
		       "end, and that device goes silent. Update this host's kernel; until then "
		       "use\n"
		       "the other irqchip mode if it is better, or keep guests from moving\n"
		       "interrupts (no irqbalance in the guest).";
	default:
		return NULL;
	}
}

static bool is_rewrite(const struct lw_case_result *result)
{
	return strcmp(result->name, "vector-rewrite") == 0;
}

static bool has_lost(const struct lw_mode_result *mode, bool rewrite)
{
	for (size_t i = 0; i < mode->case_count; i++) {
		if (mode->cases[i].arrival == LW_LOST && is_rewrite(&mode->cases[i]) == rewrite)
			return true;
	}
	return false;
}

/* The worst of the cases that the guest's own care does not avoid: what the advice is about. */
static enum lw_verdict worst_but_rewrite(const struct lw_mode_result *mode)
{
	enum lw_verdict worst = mode->case_count ? LW_CLEAN : LW_CANNOT_TELL;

	for (size_t i = 0; i < mode->case_count; i++) {
		const struct lw_case_result *result = &mode->cases[i];

		if (result->counted && !is_rewrite(result) && result->verdict > worst)
			worst = result->verdict;
	}
	return worst;
}

static void print_mode(const struct lw_mode_result *mode, FILE *out)
{
	enum lw_verdict other = worst_but_rewrite(mode);
	const char *text = advice(mode->verdict == LW_CANNOT_TELL ? LW_CANNOT_TELL : other);

	fprintf(out, "\n%s: %s", mode->name, lw_verdict_name(mode->verdict));
	if (mode->verdict == LW_LOSES_EOI && other != LW_LOSES_EOI)
		fprintf(out, ", but only in vector-rewrite; %s otherwise", lw_verdict_name(other));
	fputc('\n', out);
	if (other == LW_CANNOT_TELL && mode->cases[0].arrival == LW_ARRIVED &&
	    !has_lost(mode, false))
		fputs("No other EOI is lost; whether vectors go stale can't be told:\n", out);
	if (mode->reason.text[0])
		fprintf(out, "(%s)\n", mode->reason.text);
	if (text)
		fprintf(out, "%s\n", text);
	if (mode->pending)
		fputs("(This KVM ends an interrupt as it delivers it, so none is ever in service. "
		      "Pins\n"
		      "were rerouted with the interrupt still pending, which asks KVM the same.)\n",
		      out);
}

static bool rewrite_lost(const struct lw_mode_result *modes, size_t mode_count)
{
	for (size_t i = 0; i < mode_count; i++) {
		if (has_lost(&modes[i], true))
			return true;
	}
	return false;
}

/* Has the reason been given, as the mode's or with an earlier case? */
static bool is_repeated(const struct lw_mode_result *mode, size_t at)
{
	const char *text = mode->cases[at].reason.text;

	if (strcmp(text, mode->reason.text) == 0)
		return true;
	for (size_t i = 0; i < at; i++) {
		if (strcmp(text, mode->cases[i].reason.text) == 0)
			return true;
	}
	return false;
}

/* Every distinct reason once, with the first case that has it. */
static void print_reasons(const struct lw_mode_result *mode, FILE *out)
{
	for (size_t i = 0; i < mode->case_count; i++) {
		const struct lw_case_result *result = &mode->cases[i];

		if (!result->reason.text[0] || is_repeated(mode, i))
			continue;
		fprintf(out, "(%s%s%s: %s)\n", result->name, result->order ? ", " : "",
			result->order ? result->order : "", result->reason.text);
	}
}

static int print_table(const struct lw_probe_report *report, FILE *out)
{
	static const char *const titles[] = {"irqchip",         "case",    "EOI in flight",
					     ">needless exits", "verdict", NULL};
	struct lw_table table;
	int err = lw_table_init(&table, titles);

	for (size_t i = 0; err == 0 && i < report->mode_count; i++) {
		const struct lw_mode_result *mode = &report->modes[i];

		for (size_t j = 0; err == 0 && j < mode->case_count; j++)
			err = add_case(&table, mode, &mode->cases[j]);
	}
	if (err == 0) {
		fprintf(out, "KVM of Linux %s, each vector reused %" PRIu64 " times\n\n",
			report->kernel, report->count);
		lw_table_print(&table, out);
	}
	lw_table_free(&table);
	return err;
}

static const struct lw_case_result *find_case(const struct lw_mode_result *mode, const char *name)
{
	for (size_t i = 0; i < mode->case_count; i++) {
		if (strcmp(mode->cases[i].name, name) == 0)
			return &mode->cases[i];
	}
	return NULL;
}

static int add_comparison(struct lw_table *table, const struct lw_mode_result *split,
			  const struct lw_case_result *mine)
{
	const struct lw_case_result *other = find_case(split, mine->name);
	char exits[48] = "?", less[48] = "?";

	if (other && other->superfluous_known)
		snprintf(exits, sizeof(exits), "%" PRIu64, other->superfluous);
	if (mine->superfluous_known)
		snprintf(less, sizeof(less), "%" PRIu64, mine->superfluous);
	return lw_table_row(table, (const char *const[]){mine->name,
							 other ? arrivals[other->arrival] : "?",
							 arrivals[mine->arrival], exits, less});
}

/* The last lines: what a VMM on this library makes of the host as it is. */
static int print_comparison(const struct lw_probe_report *report, FILE *out)
{
	static const char *const titles[] = {
		"case", "EOI in flight", "through Lapwing", ">needless exits", ">through Lapwing",
		NULL};
	const struct lw_mode_result *mine = report->lapwing;
	struct lw_table table;
	int err;

	fprintf(out, "\nThe same host through Lapwing (split): %s\n",
		lw_verdict_name(mine->verdict));
	if (mine->reason.text[0])
		fprintf(out, "(%s)\n", mine->reason.text);
	print_reasons(mine, out);
	if (!mine->case_count)
		return 0;
	err = lw_table_init(&table, titles);
	for (size_t i = 1; err == 0 && i < mine->case_count; i++)
		err = add_comparison(&table, &report->modes[0], &mine->cases[i]);
	if (err == 0) {
		fputc('\n', out);
		lw_table_print(&table, out);
	}
	lw_table_free(&table);
	return err;
}

int lw_probe_print(const struct lw_probe_report *report, FILE *out)
{
	int err = print_table(report, out);

	for (size_t i = 0; err == 0 && i < report->mode_count; i++) {
		print_mode(&report->modes[i], out);
		print_reasons(&report->modes[i], out);
	}
	if (err == 0 && rewrite_lost(report->modes, report->mode_count))
		fputs("\nvector-rewrite: every kernel known loses the EOI of an interrupt whose "
		      "vector\n"
		      "the guest changes while it is served. A guest that masks the pin and waits "
		      "for\n"
		      "the EOI before it does so is safe. --ignore vector-rewrite asks about the "
		      "rest.\n",
		      out);
	return err < 0 ? err : print_comparison(report, out);
}

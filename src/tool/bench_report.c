/* SPDX-License-Identifier: MIT */
#include "tool/bench.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>

static const char *const irqchips[2] = {[LW_VM_SPLIT] = "split", [LW_VM_INKERNEL] = "in-kernel"};

static bool has_policy(const struct bench_case *c)
{
	return c->op == BENCH_LEVEL || c->op == BENCH_AFFINITY;
}

/* ---- JSON ---- */

static json_t *figure(double n)
{
	return n < 0 ? json_null() : json_real(n);
}

static json_t *reason_json(const struct lw_reason *reason)
{
	return reason->text[0] ? json_string(reason->text) : json_null();
}

static json_t *row_json(const struct bench_row *r)
{
	const struct bench_case *c = &r->what;

	return json_pack("{s:s, s:s?, s:i, s:i, s:i, s:o, s:o}", "operation",
			 lw_bench_ops[c->op].name, "policy",
			 has_policy(c) ? lw_eoi_policy_name(c->policy) : NULL, "vcpus",
			 (int)c->vcpus, "routes", (int)c->routes, "targets", (int)c->targets,
			 "instructions", figure(r->instructions), "ns", figure(r->ns));
}

/* Appends, whatever went wrong before; null from then on. */
static json_t *append(json_t *list, json_t *value)
{
	if (list && json_array_append_new(list, value) == 0)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *rows_json(const struct bench *b)
{
	json_t *list = json_array();

	for (size_t n = 0; n < b->count; n++)
		list = append(list, row_json(&b->rows[n]));
	return list;
}

static json_t *kvm_json(const struct bench *b)
{
	json_t *list = json_array();

	for (size_t n = 0; n < b->kvm_count; n++)
		for (int i = 0; i < 2; i++)
			list = append(list, json_pack("{s:s, s:s, s:i, s:o}", "operation",
						      lw_cost_name(b->kvm[n].kind), "irqchip",
						      irqchips[i], "routes", (int)b->kvm[n].routes,
						      "ns", figure(b->kvm[n].ns[i])));
	return list;
}

static json_t *pair_json(const struct bench *b)
{
	struct bench_pair pair = lw_bench_pair(b);

	return json_pack("{s:o, s:o}", "instructions", figure(pair.instructions), "ns",
			 figure(pair.ns));
}

static json_t *posters_json(const struct bench *b)
{
	const struct bench_posters *p = &b->posters;

	if (!(b->groups & BENCH_GROUP_POSTERS) || b->unposted.text[0])
		return json_null();
	return json_pack("{s:f, s:f, s:f, s:f}", "one", p->one, "same_vcpu", p->same_vcpu,
			 "two_vcpus", p->two_vcpus, "control", p->control);
}

static json_t *targets_json(const struct bench *b)
{
	static const char *const verdicts[] = {"met", "missed", "untold"};
	struct bench_target t[BENCH_TARGETS];
	size_t count = lw_bench_targets(b, t);
	json_t *list = json_array();

	for (size_t n = 0; n < count; n++)
		list = append(list,
			      json_pack("{s:s, s:s, s:f, s:o, s:s}", "target", t[n].name, "bound",
					t[n].at_most ? "at most" : "at least", "limit", t[n].limit,
					"measured", figure(t[n].measured), "verdict",
					verdicts[t[n].verdict]));
	return list;
}

json_t *lw_bench_json(const struct bench *b)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
			 lw_tool_version, "operations", rows_json(b), "no_instructions",
			 reason_json(&b->uncounted), "scanned_pair", pair_json(b), "kvm",
			 kvm_json(b), "no_split", reason_json(&b->no_kvm[LW_VM_SPLIT]),
			 "no_in_kernel", reason_json(&b->no_kvm[LW_VM_INKERNEL]), "posters",
			 posters_json(b), "no_posters", reason_json(&b->unposted), "machine",
			 b->machine > 0 ? json_real(b->machine) : json_null(), "targets",
			 targets_json(b));
}

/* ---- for people ---- */

/* Small figures with a decimal; a dash where nothing is known. */
static struct lw_cell cell_of(double n, bool decimal)
{
	struct lw_cell c;

	if (n < 0)
		return (struct lw_cell){"-"};
	if (n >= 100 || !decimal)
		return lw_cell_brief(n);
	snprintf(c.text, sizeof(c.text), "%.1f", n);
	return c;
}

static void describe(const struct bench_case *c, char text[80])
{
	static const char *const plain[] = {
		[BENCH_EDGE_LAPIC] = "edge MSI posted, accepted, EOI: a LAPIC alone",
		[BENCH_EDGE_EOI] = "  its EOIs told to an op",
		[BENCH_EDGE_CHIP] = "  sent through the controller",
	};

	if (c->op <= BENCH_EDGE_CHIP)
		snprintf(text, 80, "%s", plain[c->op]);
	else if (c->op == BENCH_LEVEL_PAIR)
		snprintf(text, 80, "level line up, accepted, line down, EOI: two chips");
	else if (c->op == BENCH_LEVEL)
		snprintf(text, 80, "  through the controller, %s", lw_eoi_policy_name(c->policy));
	else if (c->op == BENCH_MSI)
		snprintf(text, 80, "MSI to %s vCPU%s, accepted, EOI",
			 lw_cell_grouped(c->targets).text, c->targets == 1 ? "" : "s");
	else if (c->op == BENCH_SNAPSHOT)
		snprintf(text, 80, "snapshot of %s vCPU%s, saved and restored",
			 lw_cell_grouped(c->vcpus).text, c->vcpus == 1 ? "" : "s");
	else
		snprintf(text, 80, "IPI to all of %s vCPU%s, accepted, EOI",
			 lw_cell_grouped(c->vcpus).text, c->vcpus == 1 ? "" : "s");
}

static int print_operations(const struct bench *b, FILE *out)
{
	static const char *const titles[] = {"operation", ">instructions", ">ns", NULL};
	struct lw_table table;
	int err = lw_table_init(&table, titles);
	bool any = false;

	for (size_t n = 0; err == 0 && n < b->count; n++) {
		const struct bench_row *r = &b->rows[n];
		char text[80];

		if (r->what.op == BENCH_AFFINITY)
			continue;
		describe(&r->what, text);
		err = lw_table_row(&table,
				   (const char *const[]){text, cell_of(r->instructions, false).text,
							 cell_of(r->ns, true).text});
		any = true;
	}
	if (err == 0 && any) {
		lw_table_print(&table, out);
		fputc('\n', out);
	}
	lw_table_free(&table);
	return err;
}

static int affinity_row(struct lw_table *table, const struct bench *b, const struct bench_case *c,
			bool ns)
{
	struct lw_cell cell[2 + LW_EOI_POLICIES];
	const char *cells[2 + LW_EOI_POLICIES];

	cell[0] = lw_cell_grouped(c->vcpus);
	cell[1] = lw_cell_grouped(c->routes);
	for (int p = 0; p < LW_EOI_POLICIES; p++) {
		const struct bench_row *r =
			lw_bench_find(b, (enum lw_eoi_policy)p, c->vcpus, c->routes);

		cell[2 + p] =
			r ? cell_of(ns ? r->ns : r->instructions, false) : (struct lw_cell){""};
	}
	for (int n = 0; n < 2 + LW_EOI_POLICIES; n++)
		cells[n] = cell[n].text;
	return lw_table_row(table, cells);
}

/* One line for each size, one column for each policy. */
static int print_affinity(const struct bench *b, bool ns, FILE *out)
{
	static const char *const titles[] = {">vCPUs", ">routes", ">static", ">scan", ">track-v4",
					     ">track", ">armed",  ">lazy",   NULL};
	struct lw_table table;
	int err = lw_table_init(&table, titles);
	const struct bench_case *last = NULL;

	for (size_t n = 0; err == 0 && n < b->count; n++) {
		const struct bench_case *c = &b->rows[n].what;

		if (c->op != BENCH_AFFINITY ||
		    (last && last->vcpus == c->vcpus && last->routes == c->routes))
			continue;
		err = affinity_row(&table, b, c, ns);
		last = c;
	}
	if (err == 0 && last) {
		fprintf(out, "one affinity change of a level pin: %s\n",
			ns ? "ns" : "instructions");
		lw_table_print(&table, out);
		fputc('\n', out);
	}
	lw_table_free(&table);
	return err;
}

static void print_pair(const struct bench *b, FILE *out)
{
	struct bench_pair pair = lw_bench_pair(b);

	if (pair.ns >= 0)
		fprintf(out,
			"scan: %s instructions and %s ns for each (vCPU, route) pair looked at\n\n",
			cell_of(pair.instructions, true).text, cell_of(pair.ns, true).text);
}

static int print_kvm(const struct bench *b, FILE *out)
{
	static const char *const titles[] = {"KVM's calls, ns", ">routes", ">split", ">in-kernel",
					     NULL};
	struct lw_table table;
	int err = lw_table_init(&table, titles);

	for (size_t n = 0; err == 0 && n < b->kvm_count; n++) {
		const struct bench_kvm_row *k = &b->kvm[n];
		struct lw_cell routes =
			k->routes ? lw_cell_grouped(k->routes) : (struct lw_cell){""};

		err = lw_table_row(
			&table, (const char *const[]){lw_cost_name(k->kind), routes.text,
						      cell_of(k->ns[LW_VM_SPLIT], false).text,
						      cell_of(k->ns[LW_VM_INKERNEL], false).text});
	}
	if (err == 0 && b->kvm_count)
		lw_table_print(&table, out);
	lw_table_free(&table);
	for (int n = 0; n < 2; n++)
		if (b->no_kvm[n].text[0])
			fprintf(out, "KVM, %s: not measured, %s\n", irqchips[n], b->no_kvm[n].text);
	if (b->groups & BENCH_GROUP_KVM)
		fputc('\n', out);
	return err;
}

static void print_posters(const struct bench *b, FILE *out)
{
	const struct bench_posters *p = &b->posters;

	if (!(b->groups & BENCH_GROUP_POSTERS))
		return;
	if (b->unposted.text[0]) {
		fprintf(out, "Two posters: not measured, %s\n\n", b->unposted.text);
		return;
	}
	fprintf(out,
		"Posts a second: one poster %s; two to one vCPU %s (%.2f times), to two vCPUs %s "
		"(%.2f times);\ntwo threads that share nothing %.2f times.\n\n",
		lw_cell_brief(p->one).text, lw_cell_brief(p->same_vcpu).text, p->same_vcpu / p->one,
		lw_cell_brief(p->two_vcpus).text, p->two_vcpus / p->one, p->control);
}

static struct lw_cell target_cell(double n)
{
	struct lw_cell c;

	if (n < 0 || n >= 10)
		return cell_of(n, false);
	snprintf(c.text, sizeof(c.text), "%.2f", n);
	return c;
}

static int print_targets(const struct bench *b, FILE *out)
{
	static const char *const titles[] = {"target", ">", ">", ">measured", "", NULL};
	static const char *const verdicts[] = {"met", "MISSED", "not told"};
	struct bench_target t[BENCH_TARGETS];
	size_t count = lw_bench_targets(b, t);
	struct lw_table table;
	int err = lw_table_init(&table, titles);

	for (size_t n = 0; err == 0 && n < count; n++)
		err = lw_table_row(&table,
				   (const char *const[]){t[n].summary, t[n].at_most ? "<=" : ">=",
							 target_cell(t[n].limit).text,
							 target_cell(t[n].measured).text,
							 verdicts[t[n].verdict]});
	if (err == 0)
		lw_table_print(&table, out);
	lw_table_free(&table);
	return err;
}

int lw_bench_print(const struct bench *b, FILE *out)
{
	int err;

	fprintf(out, "Lapwing %s: what operations cost\n\n", lw_tool_version);
	err = print_operations(b, out);
	if (err == 0)
		err = print_affinity(b, false, out);
	if (err == 0)
		err = print_affinity(b, true, out);
	print_pair(b, out);
	if (b->uncounted.text[0])
		fprintf(out, "Instructions: not counted, %s\n\n", b->uncounted.text);
	if (err == 0)
		err = print_kvm(b, out);
	print_posters(b, out);
	if (b->groups & BENCH_GROUP_MACHINE)
		fprintf(out,
			"The machine, coincidence, 8 vCPUs, armed, ground truth on: %s interrupts "
			"a second.\n\n",
			lw_cell_brief(b->machine).text);
	return err == 0 ? print_targets(b, out) : err;
}

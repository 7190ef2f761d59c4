/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "tool/bench.h"

#include <errno.h>
#include <string.h>

#define AFFINITY(p, v, r, i, t)                                                             \
	{                                                                                   \
		.what = {.op = BENCH_AFFINITY, .policy = (p), .vcpus = (v), .routes = (r)}, \
		.instructions = (i), .ns = (t)                                              \
	}

static struct bench_row rows[] = {
	{.what = {.op = BENCH_EDGE_LAPIC, .vcpus = 1}, .instructions = 90, .ns = 12.34},
	{.what = {.op = BENCH_EDGE_EOI, .vcpus = 1}, .instructions = 100, .ns = 30},
	{.what = {.op = BENCH_LEVEL_PAIR, .vcpus = 1}, .instructions = 301, .ns = 50},
	{.what = {.op = BENCH_LEVEL, .policy = LW_EOI_LAZY}, .instructions = 901, .ns = 101},
	{.what = {.op = BENCH_MSI, .vcpus = 16, .targets = 15}, .instructions = 6152, .ns = 600},
	{.what = {.op = BENCH_IPI, .vcpus = 4096}, .instructions = 1250000, .ns = 2e5},
	AFFINITY(LW_EOI_SCAN, 8, 24, 30000, 1800),
	AFFINITY(LW_EOI_ARMED, 8, 24, 1000, 90),
	AFFINITY(LW_EOI_LAZY, 8, 24, 1100, 92),
	AFFINITY(LW_EOI_SCAN, 8, 4096, 3e6, 2e5),
	AFFINITY(LW_EOI_ARMED, 8, 4096, 1200, 91),
	AFFINITY(LW_EOI_LAZY, 8, 4096, 1500, 93),
};

static struct bench_kvm_row kvm[] = {
	{.kind = LW_COST_MSI, .ns = {180, BENCH_UNKNOWN}},
	{.kind = LW_COST_ROUTING, .routes = 24, .ns = {3500, BENCH_UNKNOWN}},
	{.kind = LW_COST_ROUTING, .routes = 4096, .ns = {230000, BENCH_UNKNOWN}},
};

static const struct bench whole = {
	.groups = BENCH_GROUP_ALL,
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.kvm = kvm,
	.kvm_count = 3,
	.no_kvm = {[LW_VM_INKERNEL] = {"for some reason"}},
	.posters = {.one = 4e7, .same_vcpu = 4e7, .two_vcpus = 7e7, .control = 1.9},
	.machine = 2e6,
};

static const struct bench_target *target(const struct bench *b, const char *name)
{
	static struct bench_target targets[BENCH_TARGETS];
	size_t count = lw_bench_targets(b, targets);

	for (size_t n = 0; n < count; n++)
		if (strcmp(targets[n].name, name) == 0)
			return &targets[n];
	return NULL;
}

static char *printed(const struct bench *b)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(lw_bench_print(b, out), 0);
	fclose(out);
	return text;
}

static void a_target_is_met_at_its_limit(void **state)
{
	(void)state;
	assert_int_equal(target(&whole, "edge-instructions")->verdict, BENCH_MET);
	assert_true(target(&whole, "edge-instructions")->measured == 100);
	assert_int_equal(target(&whole, "affinity-flat")->verdict, BENCH_MET);
	assert_int_equal(target(&whole, "machine")->verdict, BENCH_MET);
	assert_int_equal(target(&whole, "lapic-bytes")->verdict, BENCH_MET);
	assert_int_equal(target(&whole, "ioapic-bytes")->verdict, BENCH_MET);
}

static void and_missed_past_it(void **state)
{
	struct bench_row one[] = {AFFINITY(LW_EOI_ARMED, 1, 24, 1000, 1),
				  AFFINITY(LW_EOI_ARMED, 8, 24, 1201, 1)};
	struct bench b = {.groups = BENCH_GROUP_AFFINITY, .rows = one, .count = 2};

	(void)state;
	assert_true(target(&whole, "level-instructions")->measured == 301);
	assert_int_equal(target(&whole, "level-instructions")->verdict, BENCH_MISSED);
	assert_true(lw_bench_missed(&whole));
	assert_int_equal(target(&b, "affinity-flat")->verdict, BENCH_MISSED);
	assert_true(lw_bench_missed(&b));
	one[1].instructions = 1200;
	assert_false(lw_bench_missed(&b));
	assert_null(target(&b, "edge-instructions")); /* was not asked for */
}

static void what_was_not_counted_is_not_told(void **state)
{
	struct bench_row one[] = {AFFINITY(LW_EOI_ARMED, 1, 24, BENCH_UNKNOWN, 1)};
	struct bench b = {.groups = BENCH_GROUP_ALL, .rows = one, .count = 1, .machine = 3e6};

	(void)state;
	assert_int_equal(target(&b, "affinity-flat")->verdict, BENCH_UNTOLD);
	assert_int_equal(target(&b, "edge-instructions")->verdict, BENCH_UNTOLD);
	assert_int_equal(target(&b, "level-instructions")->verdict, BENCH_UNTOLD);
	assert_int_equal(target(&b, "two-posters")->verdict, BENCH_UNTOLD);
	assert_false(lw_bench_missed(&b));
}

static void posters_need_two_cores_to_miss(void **state)
{
	struct bench b = {.groups = BENCH_GROUP_POSTERS,
			  .posters = {.one = 10, .two_vcpus = 15, .control = 1.7}};

	(void)state;
	assert_int_equal(target(&b, "two-posters")->verdict, BENCH_UNTOLD);
	b.posters.control = 1.9;
	assert_int_equal(target(&b, "two-posters")->verdict, BENCH_MISSED);
	b.posters.two_vcpus = 16;
	b.posters.control = 1.0;
	assert_int_equal(target(&b, "two-posters")->verdict, BENCH_MET);
}

static void json_has_the_documented_shape(void **state)
{
	json_t *root = lw_bench_json(&whole), *list, *o;

	(void)state;
	assert_int_equal(json_object_size(root), 11);
	list = json_object_get(root, "operations");
	assert_int_equal(json_array_size(list), whole.count);
	o = json_array_get(list, 3);
	assert_int_equal(json_object_size(o), 7);
	assert_string_equal(json_string_value(json_object_get(o, "operation")), "level");
	assert_string_equal(json_string_value(json_object_get(o, "policy")), "lazy");
	assert_true(json_real_value(json_object_get(o, "instructions")) == 901);
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "policy")));
	list = json_object_get(root, "kvm");
	assert_int_equal(json_array_size(list), 6);
	o = json_array_get(list, 5);
	assert_string_equal(json_string_value(json_object_get(o, "operation")),
			    "KVM_SET_GSI_ROUTING");
	assert_string_equal(json_string_value(json_object_get(o, "irqchip")), "in-kernel");
	assert_int_equal(json_integer_value(json_object_get(o, "routes")), 4096);
	assert_true(json_is_null(json_object_get(o, "ns")));
	assert_true(json_is_null(json_object_get(root, "no_split")));
	assert_string_equal(json_string_value(json_object_get(root, "no_in_kernel")),
			    "for some reason");
	assert_int_equal(json_object_size(json_object_get(root, "posters")), 4);
	assert_int_equal(json_array_size(json_object_get(root, "targets")), 7);
	json_decref(root);
}

static void text_tells_people(void **state)
{
	char *text = printed(&whole);

	(void)state;
	assert_non_null(strstr(text, "a LAPIC alone"));
	assert_non_null(strstr(text, "  90     12.3\n"));
	assert_non_null(strstr(text, "MSI to 15 vCPUs, accepted, EOI"));
	assert_non_null(strstr(text, "IPI to all of 4,096 vCPUs"));
	assert_non_null(strstr(text, "  1.2 M  200,000\n"));
	assert_non_null(strstr(text, "\n    8   4,096           3.0 M                   1,200  "
				     "1,500\n"));
	assert_non_null(strstr(text, "\nKVM_SET_GSI_ROUTING   4,096  230,000          -\n"));
	assert_non_null(strstr(text, "\nscan: 91.2 instructions and 6.1 ns for each (vCPU, "));
	assert_non_null(strstr(text, "KVM, in-kernel: not measured, for some reason\n"));
	assert_non_null(strstr(text, "one poster 40.0 M; two to one vCPU 40.0 M (1.00 times), to "
				     "two vCPUs 70.0 M (1.75 times)"));
	assert_non_null(strstr(text, "301  MISSED\n"));
	assert_non_null(strstr(text, ">=   1.60      1.75  met\n"));
	free(text);
}

static void text_says_what_is_missing(void **state)
{
	struct bench b = {
		.groups = BENCH_GROUP_POSTERS, .uncounted = {"it rains"}, .unposted = {"it snows"}};
	char *text = printed(&b);

	(void)state;
	assert_non_null(strstr(text, "Instructions: not counted, it rains\n"));
	assert_non_null(strstr(text, "Two posters: not measured, it snows\n"));
	assert_null(strstr(text, "affinity"));
	assert_null(strstr(text, "KVM"));
	free(text);
}

static void the_script_draws_what_is_known(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	lw_bench_script(&whole, "lapwing bench \"x\"", out);
	fclose(out);
	assert_non_null(strstr(text, "\"lapwing bench \\\"x\\\"\""));
	assert_non_null(strstr(text, "\n24 1800.0 1800.0 90.0 92.0 3500.0 NaN\n"
				     "4096 200000.0 200000.0 91.0 93.0 230000.0 NaN\nEOD\n"));
	assert_non_null(strstr(text, "armed takes 1,000 to 1,200"));
	assert_non_null(strstr(text, "$routes using 1:6 with"));
	assert_null(strstr(text, "using 1:7 with"));
	assert_null(strstr(text, "$vcpus using 1:6 with"));
	free(text);
}

/* ---- callgrind's files ---- */

static int counts(const char *text, uint64_t *instructions)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int err;

	assert_non_null(in);
	err = lw_bench_read_counts(in, instructions);
	fclose(in);
	return err;
}

static void only_the_library_is_counted(void **state)
{
	uint64_t n = 0;

	(void)state;
	assert_int_equal(
		counts("version: 1\npositions: line\nevents: Ir\nsummary: 60\n\n"
		       "fl=(1) x.c\nfn=(1) lw_bench_measured\n10 5\n"
		       "cfn=(2) bench_edge_alone\ncalls=1 20\n+1 55\n"
		       "\nfn=(2)\n* 3\n-1 4\ncfn=(3) lw_lapic_post\ncalls=1 0\n+3 48\n"
		       "\nfn=(3)\n1 20\n+2 28\ncfi=(9) y.c\ncfn=(4) memcpy\ncalls=2 7\n9 7\n"
		       "\nfn=(4)\n1 7\n\ntotals: 60\n",
		       &n),
		0);
	assert_int_equal(n, 20 + 28 + 7);
}

static void what_is_no_such_file_is_refused(void **state)
{
	static const char *const bad[] = {
		"nonsense\n",
		"fn=(1) x\n1 5\n",                   /* cut off */
		"fn=(1 x\n1 5\ntotals: 5\n",         /* no name */
		"fn=(99999999) x\n1 5\ntotals: 5\n", /* too many */
		"fn=(1) x\n1\ntotals: 5\n",          /* no cost */
		"fn=(1) x\n1 y\ntotals: 5\n",
	};
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(counts(bad[i], &n), -EPROTO);
}

/* ---- what is measured ---- */

static void every_operation_does_what_it_says(void **state)
{
	struct bench_case *cases;
	size_t count = lw_bench_list(BENCH_GROUP_ALL, &cases);
	unsigned seen = 0;

	(void)state;
	assert_true(count > 60);
	for (size_t n = 0; n < count; n++) {
		const struct bench_case *c = &cases[n];
		const struct bench_op *op = &lw_bench_ops[c->op];
		struct lw_lapic *first;
		struct bench_rig rig;

		if (c->vcpus > 64 || c->routes > 256)
			continue;
		assert_int_equal(op->open(&rig, c), 0);
		lw_bench_measured(&rig, c, 3);
		first = rig.alone ? rig.alone : lw_chip_lapic(rig.chip, c->vcpus > 1);
		assert_int_equal(lw_lapic_pending(first), -1);
		if (op->group <= BENCH_GROUP_IPI && (c->op != BENCH_MSI || c->targets > 1))
			assert_int_equal(lw_lapic_counters(first).eois, 3);
		if (c->op == BENCH_AFFINITY)
			assert_int_equal(rig.done, 3);
		lw_bench_close(&rig);
		seen |= op->group;
	}
	assert_int_equal(seen, BENCH_GROUP_POSTERS - 1);
	free(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_is_met_at_its_limit),
		cmocka_unit_test(and_missed_past_it),
		cmocka_unit_test(what_was_not_counted_is_not_told),
		cmocka_unit_test(posters_need_two_cores_to_miss),
		cmocka_unit_test(json_has_the_documented_shape),
		cmocka_unit_test(text_tells_people),
		cmocka_unit_test(text_says_what_is_missing),
		cmocka_unit_test(the_script_draws_what_is_known),
		cmocka_unit_test(only_the_library_is_counted),
		cmocka_unit_test(what_is_no_such_file_is_refused),
		cmocka_unit_test(every_operation_does_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

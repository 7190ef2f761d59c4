/* SPDX-License-Identifier: MIT */
/*
 * The tool, called with any words. What would take long, or touch the host, is made up: what comes
 * of scenarios, what is measured, what KVM shows and what a guest does. So reports of any figures
 * are printed; what begins as JSON must be JSON. And callgrind's files, the only ones it reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "kvm/cases.h"
#include "machine/scenario.h"
#include "tool/bench.h"
#include "tool/tool.h"
#include "vmm.h"

#define MAX_WORDS 12
#define LONGEST   48

static struct input *in;

/* ---- what is played ---- */

int __wrap_scenario_run(const struct scenario *s, enum lw_eoi_policy policy,
			const struct scenario_params *p, struct scenario_result *result);
int __wrap_lw_bench_time_row(struct bench_row *row);
int __wrap_lw_bench_time_machine(struct bench *b);
void __wrap_lw_bench_time_kvm(struct bench *b, const struct lw_kvm *kvm,
			      enum lw_vm_irqchip irqchip);
void __wrap_lw_bench_post(struct bench *b);
int __wrap_lw_bench_count(struct bench *b, char *const arguments[], struct lw_progress *bar);
int __wrap_lw_bench_be_counted(const struct bench *b);
int __wrap_lw_kvm_open(struct lw_kvm *kvm, const char *path, const struct lw_kvm_sys *sys,
		       struct lw_reason *reason);
void __wrap_lw_probe_run(struct lw_probe *probe, struct lw_mode_result *modes);
void __wrap_lw_probe_lapwing(struct lw_probe *probe, struct lw_mode_result *mode);
int __wrap_lw_plot_check(const char *path);
int __wrap_lw_plot_draw(const char *path, const char *script, size_t size);
int __wrap_tv_create(struct tv *vm);

/* Small, large, or none. */
static uint64_t figure(void)
{
	uint8_t byte = in_byte(in);

	return byte < 0xf0 ? (uint64_t)(byte & 15u) << byte / 4 : in_bytes(in, 8);
}

static double measured(void)
{
	uint64_t n = figure();

	return n & 1 ? BENCH_UNKNOWN : (double)(n >> 1) / 16;
}

static void make_up(void *at, size_t size)
{
	uint64_t *numbers = at;

	for (size_t n = 0; n < size / sizeof(*numbers); n++)
		numbers[n] = figure();
}

int __wrap_scenario_run(const struct scenario *s, enum lw_eoi_policy policy,
			const struct scenario_params *p, struct scenario_result *result)
{
	uint8_t how = in_byte(in);

	(void)policy;
	if ((p->vcpus && p->vcpus < s->min_vcpus) || (p->pins && p->pins < s->min_pins))
		fuzz_fail("%s with %u vCPUs and %u pins", s->name, p->vcpus, p->pins);
	memset(result, 0, sizeof(*result));
	if (how % 2)
		make_up(&result->truth, sizeof(result->truth));
	if (how % 4)
		make_up(&result->engine, sizeof(result->engine));
	result->interrupts = figure();
	return how == 0xff ? -ENOMEM : 0;
}

int __wrap_lw_bench_time_row(struct bench_row *row)
{
	row->ns = measured();
	return 0;
}

int __wrap_lw_bench_time_machine(struct bench *b)
{
	b->machine = (double)figure();
	return 0;
}

void __wrap_lw_bench_time_kvm(struct bench *b, const struct lw_kvm *kvm, enum lw_vm_irqchip irqchip)
{
	(void)kvm;
	for (size_t n = 0; n < b->kvm_count; n++)
		b->kvm[n].ns[irqchip == LW_VM_SPLIT ? 0 : 1] = measured();
}

void __wrap_lw_bench_post(struct bench *b)
{
	b->posters = (struct bench_posters){.one = (double)figure(),
					    .same_vcpu = (double)figure(),
					    .two_vcpus = (double)figure(),
					    .control = (double)figure()};
}

int __wrap_lw_bench_count(struct bench *b, char *const arguments[], struct lw_progress *bar)
{
	(void)arguments;
	(void)bar;
	for (size_t n = 0; n < b->count; n++)
		b->rows[n].instructions = measured();
	return 0;
}

int __wrap_lw_bench_be_counted(const struct bench *b)
{
	(void)b;
	return 0;
}

int __wrap_lw_kvm_open(struct lw_kvm *kvm, const char *path, const struct lw_kvm_sys *sys,
		       struct lw_reason *reason)
{
	(void)sys;
	*kvm = (struct lw_kvm){.fd = -1};
	if (in_byte(in) & 1)
		return lw_reason_set(reason, -EPROTO, "no KVM here: %s", path);
	kvm->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

static void make_up_case(struct lw_case_result *c)
{
	uint8_t how = in_byte(in);

	c->name = how & 1 ? "control" : "vector-rewrite";
	c->order = how & 2 ? "high-first" : NULL;
	c->control = how & 4;
	c->counted = how & 8;
	c->superfluous_known = how & 16;
	c->seen.exits_known = how & 32;
	c->arrival = (enum lw_arrival)(how % 3);
	c->verdict = (enum lw_verdict)(in_byte(in) % 4);
	c->seen.reuses = figure();
	c->seen.eoi_exits = figure();
	c->seen.eoi_writes = figure();
	c->superfluous = figure();
	if (how & 64)
		make_up(c->seen.exits, sizeof(c->seen.exits));
	if (how & 128)
		memset(c->reason.text, "x\"\\\n"[how & 3], in_byte(in) % sizeof(c->reason.text));
}

static void make_up_mode(struct lw_mode_result *mode, const char *name)
{
	uint8_t how = in_byte(in);

	memset(mode, 0, sizeof(*mode));
	mode->name = name;
	mode->calibration.observer = (enum lw_observer)(how % 4);
	mode->pending = how & 4;
	mode->verdict = (enum lw_verdict)(how >> 3 & 3);
	mode->case_count = how >> 5;
	if (how == 0xff)
		memset(mode->reason.text, '%', sizeof(mode->reason.text) - 1);
	for (size_t n = 0; n < mode->case_count; n++)
		make_up_case(&mode->cases[n]);
}

void __wrap_lw_probe_run(struct lw_probe *probe, struct lw_mode_result *modes)
{
	probe->progress(probe->context, 1, 2);
	make_up_mode(&modes[0], "split");
	make_up_mode(&modes[1], "in-kernel");
}

void __wrap_lw_probe_lapwing(struct lw_probe *probe, struct lw_mode_result *mode)
{
	(void)probe;
	make_up_mode(mode, "lapwing");
}

int __wrap_lw_plot_check(const char *path)
{
	return path[0] ? 0 : -ENOENT;
}

int __wrap_lw_plot_draw(const char *path, const char *script, size_t size)
{
	(void)path;
	if (strlen(script) != size)
		fuzz_fail("a script of %zu bytes has a NUL in it", size);
	return 0;
}

int __wrap_tv_create(struct tv *vm)
{
	const struct tv_options *o = &vm->options;

	if (!o->kernel || o->cpus < 1 || o->cpus > 4096 || o->memory < 2u << 20)
		fuzz_fail("a guest of %u vCPUs and %llu bytes", o->cpus,
			  (unsigned long long)o->memory);
	return tv_error(vm, -EPROTO, "%s", o->kernel);
}

/* ---- words ---- */

static const char *const words[] = {
	"sim",
	"probe",
	"bench",
	"run",
	"help",
	"sim",
	"sim",
	"bench",
	"probe",
	"--json",
	"--all",
	"--count",
	"--seed",
	"--vcpus",
	"--pins",
	"--bitmap",
	"--irqchip",
	"--order",
	"--svg",
	"--scenario",
	"--policy",
	"--cost-exit",
	"--cost-kick",
	"--cost-scan",
	"--help",
	"--only",
	"--device",
	"--ignore",
	"--counted",
	"--kernel",
	"--memory",
	"--cpus",
	"--append",
	"--immediate",
	"--timeout",
	"--disk",
	"--version",
	"software",
	"hardware",
	"split",
	"in-kernel",
	"user",
	"high-first",
	"low-first",
	"armed,lazy",
	"track",
	"static,scan",
	"storm",
	"random",
	"moved-in-service,coincidence",
	"irqbalance",
	"wide",
	"affinity",
	"edge,level",
	"posters,machine,kvm",
	"coincidence",
	"vector-rewrite",
	"0",
	"1",
	"3",
	"0x7",
	"4096",
	"-1",
	"18446744073709551616",
	"--",
	"-",
	"",
	"/tmp/x",
	"--co",
	"a b",
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static void some_word(char *to)
{
	uint8_t byte = in_byte(in);

	if (byte < 0xe0) {
		snprintf(to, LONGEST, "%s", words[byte % WORDS]);
	} else if (byte < 0xe8) {
		const char *name = words[in_byte(in) % WORDS];

		snprintf(to, LONGEST, "%.20s=%.20s", name, words[in_byte(in) % WORDS]);
	} else if (byte < 0xf0) {
		snprintf(to, LONGEST, "%llu", (unsigned long long)figure());
	} else {
		size_t length = 1 + byte % 16u;

		for (size_t n = 0; n < length; n++)
			to[n] = (char)in_byte(in);
		to[length] = '\0';
	}
}

/* ---- one call ---- */

static void judge(const char *printed, size_t size, int status)
{
	json_error_t error;
	json_t *json;

	if (status < 0 || status > 2)
		fuzz_fail("exit status %d", status);
	if (strlen(printed) != size)
		fuzz_fail("a NUL was printed");
	if (printed[0] != '{')
		return;
	json = json_loads(printed, 0, &error);
	if (!json)
		fuzz_fail("no JSON, in line %d: %s", error.line, error.text);
	json_decref(json);
}

static void call(void)
{
	static char text[MAX_WORDS][LONGEST];
	char *argv[MAX_WORDS + 1], *printed = NULL;
	int argc = 1 + in_byte(in) % (MAX_WORDS - 1), status;
	FILE *mute, *out;
	size_t size;

	snprintf(text[0], LONGEST, "lapwing");
	for (int n = 0; n < argc; n++) {
		if (n)
			some_word(text[n]);
		argv[n] = text[n];
	}
	argv[argc] = NULL;
	fuzz_mute(true);
	mute = stdout;
	out = open_memstream(&printed, &size);
	if (!out)
		fuzz_fail("no memory");
	stdout = out;
	status = lw_tool_main(argc, argv);
	stdout = mute;
	fclose(out);
	fuzz_mute(false);
	judge(printed, size, status);
	free(printed);
}

/* Callgrind's files, of its own words and of others. */
static void read_counts(void)
{
	static const char *const pieces[] = {
		"fn=(1) bench_x\n",
		"fn=(2) run\n",
		"fn=(1)\n",
		"fn=(8192)",
		"calls=1 2\n",
		"+3 4\n",
		"12 34\n",
		"* 5\n",
		"totals: 7\n",
		"cfn=(3) lw_bench_y\n",
		"\n",
		"(",
		" ",
	};
	char text[512];
	size_t size = 0;
	uint64_t instructions;
	FILE *file;
	int err;

	while (size + 32 < sizeof(text) && in_more(in)) {
		uint8_t byte = in_byte(in);

		if (byte < 0xe0)
			size += (size_t)snprintf(text + size, 32, "%s",
						 pieces[byte % (sizeof(pieces) / sizeof(*pieces))]);
		else
			text[size++] = (char)in_byte(in);
	}
	file = size ? fmemopen(text, size, "r") : NULL;
	if (!file)
		return;
	err = lw_bench_read_counts(file, &instructions);
	if (err && err != -EPROTO)
		fuzz_fail("callgrind's file gave %d", err);
	fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	uint64_t operations = 0;

	in = &input;
	for (; in_more(in) && operations < 8; operations++) {
		if (in_byte(in) % 16 == 15)
			read_counts();
		else
			call();
	}
	fuzz_count(operations);
	return 0;
}

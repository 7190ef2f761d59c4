/* SPDX-License-Identifier: MIT */
/*
 * What becomes of EOIs in the KVM of the machine this runs in, seen from inside. It drives the
 * guest of `lapwing probe` through scenarios, both irqchips, and counts by the kernel's own trace.
 *
 * Prints one line per scenario, tab separated:
 *	irqchip scenario order arrived first reuses gone eoi-induced
 * arrived: yes, no, or - where nothing was in flight; first: EOIs that went to the I/O APIC before
 * the reuses; gone: EOIs of reuses that went there, superfluous but in the scenario `routed`, where
 * they are necessary; eoi-induced: VM exits by the hardware's EOI-exit bitmap, in both, as F+R, or
 * - without APICv.
 */
#include "trace.h"

#include "kvm/cases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* KVM_PRE_FAULT_MEMORY of Linux 6.11, later than the headers of Debian 12. */
struct pre_fault_memory {
	uint64_t gpa;
	uint64_t size;
	uint64_t flags;
	uint64_t padding[5];
};
#define PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct pre_fault_memory)

#define SERVED    0x50
#define OTHER     0x58
#define UNTOUCHED 0x60

/* What happens on vCPU 0 before the reuses. */
enum prelude {
	LEVEL,           /* the pin's interrupt comes into service */
	EDGE,            /* an edge MSI of the vector does */
	LEVEL_THEN_EDGE, /* the pin's does, and an edge one is accepted behind it */
	EDGE_THEN_LEVEL, /* the reverse */
	LEVEL_RESTORED,  /* the pin's, and then the local APIC is read and written back */
};

struct scenario {
	const char *name;
	enum prelude prelude;
	bool rerouted;
	bool busy; /* in the reuses, the next one is always accepted before the EOI of the last */
	bool level_reuses;
	struct lw_pin_route before;
	struct lw_pin_route after;
	uint8_t reused;
};

static const struct scenario scenarios[] = {
	{"control", LEVEL, false, false, false, {0, SERVED}, {0, SERVED}, UNTOUCHED},
	{"routed", LEVEL, false, false, true, {0, SERVED}, {0, SERVED}, SERVED},
	{"moved-in-service", LEVEL, true, false, false, {0, SERVED}, {1, SERVED}, SERVED},
	{"coincidence", EDGE, true, false, false, {0, OTHER}, {1, SERVED}, SERVED},
	{"coincidence-busy", EDGE, true, true, false, {0, OTHER}, {1, SERVED}, SERVED},
	{"level-then-edge", LEVEL_THEN_EDGE, true, false, false, {0, SERVED}, {1, SERVED}, SERVED},
	{"edge-then-level", EDGE_THEN_LEVEL, true, false, false, {0, SERVED}, {1, SERVED}, SERVED},
	{"restored", LEVEL_RESTORED, true, false, false, {0, SERVED}, {1, SERVED}, SERVED},
	{"vector-rewrite", LEVEL, true, false, false, {0, SERVED}, {0, OTHER}, SERVED},
};

#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

struct run {
	struct lw_vm vm;
	const struct lw_pin_ops *pin;
	const struct scenario *scenario;
	enum lw_half_order order;
	uint64_t count;
	bool apicv;
	bool arrived;
	uint64_t first;
	uint64_t gone;
	uint64_t first_induced;
	uint64_t gone_induced;
	struct lw_reason reason;
};

static int step(struct run *run, enum lw_vm_event event, uint8_t vector)
{
	return lw_vm_step(&run->vm, 0, event, vector, NULL, &run->reason);
}

static int raise_pin(struct run *run)
{
	return run->pin->raise(&run->vm, run->scenario->before, &run->reason);
}

static int send_edge(struct run *run, uint8_t vector)
{
	return lw_vm_msi(&run->vm, 0, vector, false, &run->reason);
}

static int restore_lapic(struct run *run)
{
	struct kvm_lapic_state state;
	int fd = run->vm.vcpu[0].fd;

	if (ioctl(fd, KVM_GET_LAPIC, &state) < 0 || ioctl(fd, KVM_SET_LAPIC, &state) < 0)
		return lw_reason_set(&run->reason, -errno, "cannot restore the local APIC");
	return 0;
}

/* Brings the vector into service on vCPU 0, which then stands in its handler. */
static int play_prelude(struct run *run)
{
	enum prelude prelude = run->scenario->prelude;
	bool edge_first = prelude == EDGE || prelude == EDGE_THEN_LEVEL;
	int err = edge_first ? send_edge(run, SERVED) : raise_pin(run);

	if (err == 0)
		err = step(run, LW_VM_SERVICE, SERVED);
	if (err == 0 && prelude == LEVEL_THEN_EDGE)
		err = send_edge(run, SERVED);
	if (err == 0 && prelude == EDGE_THEN_LEVEL)
		err = raise_pin(run);
	if (err == 0 && prelude == LEVEL_RESTORED)
		err = restore_lapic(run);
	if (err == 0 && prelude != EDGE)
		err = run->pin->lower(&run->vm, &run->reason);
	return err;
}

/* Lets the handler, and the second one where the vector was accepted twice, come to its end. */
static int play_end(struct run *run)
{
	enum prelude prelude = run->scenario->prelude;
	int err = 0;

	/* The guest writes RTEs at the end of the handler, so the busy one lets it go by. */
	if (run->scenario->busy)
		err = send_edge(run, SERVED);
	if (err == 0)
		err = step(run, LW_VM_DONE, SERVED);
	if (err < 0 || prelude == LEVEL || prelude == LEVEL_RESTORED ||
	    (prelude == EDGE && !run->scenario->busy))
		return err;
	err = step(run, LW_VM_SERVICE, SERVED);
	if (err == 0 && !run->scenario->busy)
		err = step(run, LW_VM_DONE, SERVED);
	return err;
}

static int reuse_idle(struct run *run)
{
	uint8_t vector = run->scenario->reused;
	int err = 0;

	lw_vm_mailbox(&run->vm, 0)->quiet = 1;
	for (uint64_t i = 0; err == 0 && i < run->count; i++) {
		if (run->scenario->level_reuses) {
			err = raise_pin(run);
			if (err == 0)
				err = run->pin->lower(&run->vm, &run->reason);
		} else {
			err = send_edge(run, vector);
		}
		if (err == 0)
			err = step(run, LW_VM_DONE, vector);
	}
	return err;
}

/* The first is in service already; one more is accepted behind each before its EOI. */
static int reuse_busy(struct run *run)
{
	int err = 0;

	for (uint64_t i = 0; err == 0 && i < run->count; i++) {
		err = send_edge(run, SERVED);
		if (err == 0)
			err = step(run, LW_VM_DONE, SERVED);
		if (err == 0)
			err = step(run, LW_VM_SERVICE, SERVED);
	}
	return err;
}

static int begin_counting(struct run *run, uint8_t vector, uint64_t *exits)
{
	*exits = lw_vm_eoi_exits(&run->vm, 0, vector);
	return trace_start();
}

/*
 * EOIs of the vector that went to the I/O APIC since begin_counting(). vCPU 0 has told the end of
 * the handler, which comes after the EOI, so nothing is still on its way.
 */
static int end_counting(struct run *run, uint8_t vector, uint64_t exits, uint64_t *gone,
			uint64_t *induced)
{
	struct trace_counts counts;
	int err = trace_stop(vector, &counts);

	if (err < 0)
		return err;
	if (counts.lost_events > 0)
		return lw_reason_set(&run->reason, -EPROTO, "the trace lost events");
	exits = lw_vm_eoi_exits(&run->vm, 0, vector) - exits;
	if (run->pin->irqchip == LW_VM_SPLIT && counts.userspace_exits != exits)
		return lw_reason_set(
			&run->reason, -EPROTO, "KVM traced %llu exits of the %llu that came",
			(unsigned long long)counts.userspace_exits, (unsigned long long)exits);
	*gone = run->pin->irqchip == LW_VM_SPLIT ? exits : counts.ioapic_eois;
	*induced = counts.eoi_induced;
	return 0;
}

static int play_reuses(struct run *run)
{
	uint8_t vector = run->scenario->reused;
	uint64_t exits;
	int err = begin_counting(run, vector, &exits);

	if (err == 0)
		err = run->scenario->busy ? reuse_busy(run) : reuse_idle(run);
	if (err == 0)
		err = end_counting(run, vector, exits, &run->gone, &run->gone_induced);
	return err;
}

static int play(struct run *run)
{
	const struct scenario *s = run->scenario;
	struct lw_vm *vm = &run->vm;
	uint64_t exits = 0;
	int err = run->pin->begin(vm);

	if (err == 0)
		err = run->pin->route(vm, s->before, &run->reason);
	if (err == 0)
		err = play_prelude(run);
	if (err == 0 && s->rerouted)
		err = run->pin->reroute(vm, s->after, run->order, &run->reason);
	if (err == 0)
		err = begin_counting(run, SERVED, &exits);
	if (err == 0)
		err = play_end(run);
	if (err == 0)
		err = end_counting(run, SERVED, exits, &run->first, &run->first_induced);
	if (err == 0 && s->prelude != EDGE)
		err = run->pin->arrived(vm, SERVED, &run->arrived, &run->reason);
	return err == 0 ? play_reuses(run) : err;
}

static void print_run(const struct run *run)
{
	const struct scenario *s = run->scenario;
	const char *order = "-";

	if (run->pin->irqchip == LW_VM_INKERNEL && s->rerouted)
		order = run->order == LW_HIGH_FIRST ? "high-first" : "low-first";
	printf("%s\t%s\t%s\t%s\t%llu\t%llu\t%llu\t",
	       run->pin->irqchip == LW_VM_SPLIT ? "split" : "in-kernel", s->name, order,
	       s->prelude == EDGE ? "-"
	       : run->arrived     ? "yes"
				  : "no",
	       (unsigned long long)run->first, (unsigned long long)run->count,
	       (unsigned long long)run->gone);
	if (run->apicv)
		printf("%llu+%llu\n", (unsigned long long)run->first_induced,
		       (unsigned long long)run->gone_induced);
	else
		printf("-\n");
	fflush(stdout);
}

/*
 * Has KVM map the guest's memory now, where it can. Bochs 3.0 forgets the vector of a virtual
 * interrupt whose delivery ends in an EPT violation.
 */
static void map_memory(struct lw_vm *vm)
{
	struct pre_fault_memory all = {.size = LW_GUEST_RAM_SIZE};

	for (size_t at = 0; at < LW_GUEST_RAM_SIZE; at += 4096) {
		volatile uint8_t *byte = vm->ram + at;

		*byte = *byte;
	}
	while (all.size > 0 && ioctl(vm->vcpu[0].fd, PRE_FAULT_MEMORY, &all) == 0)
		continue;
}

static int run_scenario(const struct lw_kvm *kvm, struct run *run)
{
	int err = lw_vm_create(&run->vm, kvm, run->pin->irqchip, &run->reason);

	if (err == 0) {
		map_memory(&run->vm);
		err = play(run);
	}
	lw_vm_destroy(&run->vm);
	if (err < 0)
		fprintf(stderr, "watch: %s, %s: %s\n",
			run->pin->irqchip == LW_VM_SPLIT ? "split" : "in-kernel",
			run->scenario->name,
			run->reason.text[0] ? run->reason.text : strerror(-err));
	else
		print_run(run);
	return err;
}

static bool apicv_is_on(void)
{
	FILE *file = fopen("/sys/module/kvm_intel/parameters/enable_apicv", "r");
	int answer = file ? getc(file) : 'N';

	if (file)
		fclose(file);
	return answer == 'Y';
}

static int run_all(const struct lw_kvm *kvm, uint64_t count, const char *only)
{
	static const struct lw_pin_ops *const pins[] = {&lw_split_pin, &lw_inkernel_pin};
	int failed = 0;

	for (size_t p = 0; p < 2; p++) {
		for (size_t i = 0; i < SCENARIOS; i++) {
			bool orders = pins[p]->irqchip == LW_VM_INKERNEL && scenarios[i].rerouted;

			if (only && strcmp(only, scenarios[i].name) != 0)
				continue;
			for (int order = LW_HIGH_FIRST; order <= (orders ? LW_LOW_FIRST : 0);
			     order++) {
				struct run run = {.pin = pins[p],
						  .scenario = &scenarios[i],
						  .order = (enum lw_half_order)order,
						  .count = count,
						  .apicv = apicv_is_on()};

				failed += run_scenario(kvm, &run) < 0;
			}
		}
	}
	return failed;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 200;
	struct lw_reason reason = {""};
	struct lw_kvm kvm;
	int failed, err;

	if (count == 0) {
		fprintf(stderr, "Usage: watch [REUSES [SCENARIO]]\n");
		return 2;
	}
	if (lw_kvm_open(&kvm, "/dev/kvm", &lw_kvm_host, &reason) < 0) {
		fprintf(stderr, "watch: %s\n", reason.text);
		return 2;
	}
	err = trace_open();
	if (err < 0) {
		fprintf(stderr, "watch: cannot trace KVM: %s\n", strerror(-err));
		return 2;
	}
	failed = run_all(&kvm, count, argc > 2 ? argv[2] : NULL);
	trace_close();
	close(kvm.fd);
	return failed > 0;
}

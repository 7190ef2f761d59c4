/* SPDX-License-Identifier: MIT */
#include "kvm/cases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SERVED    0x50 /* the vector in service on vCPU 0 when the pin is rerouted */
#define BLOCKER   0x48
#define OTHER     0x58
#define UNTOUCHED 0x60

struct lw_case {
	const char *name;
	bool level; /* the pin's interrupt is in service, else an edge MSI */
	bool rerouted;
	struct lw_pin_route before;
	struct lw_pin_route after;
	uint8_t reused;
};

static const struct lw_case cases[] = {
	{"control", true, false, {0, SERVED}, {0, SERVED}, UNTOUCHED},
	{"moved-in-service", true, true, {0, SERVED}, {1, SERVED}, SERVED},
	{"coincidence", false, true, {0, OTHER}, {1, SERVED}, SERVED},
	{"vector-rewrite", true, true, {0, SERVED}, {0, OTHER}, SERVED},
};

#define ENDED_EARLY 1 /* beside 0 and negative errnos */

#define CASES (sizeof(cases) / sizeof(cases[0]))

unsigned lw_case_bit(const char *name)
{
	for (size_t i = 0; i < CASES; i++) {
		if (strcmp(cases[i].name, name) == 0)
			return 1u << i;
	}
	return 0;
}

/* What KVM makes of a vector that is routed to the vCPU: the other end of the ruler. */
static const struct lw_case intercepted_case = {
	"intercepted", true, false, {0, SERVED}, {0, SERVED}, SERVED,
};

static int trigger(struct lw_vm *vm, const struct lw_pin_ops *pin, const struct lw_case *c,
		   struct lw_reason *reason)
{
	if (c->level)
		return pin->raise(vm, c->before, reason);
	return lw_vm_msi(vm, 0, SERVED, false, reason);
}

/* The device has been acknowledged; and the guest reroutes the pin. */
static int lower_and_reroute(struct lw_vm *vm, const struct lw_pin_ops *pin,
			     const struct lw_case *c, enum lw_half_order order,
			     struct lw_reason *reason)
{
	int err = c->level ? pin->lower(vm, reason) : 0;

	if (err == 0 && c->rerouted)
		err = pin->reroute(vm, c->after, order, reason);
	return err;
}

/*
 * An interrupt comes into service on vCPU 0, the pin is rerouted, the interrupt is EOI'd. Returns
 * ENDED_EARLY when this KVM had ended it before the guest did.
 */
static int serve_one(struct lw_vm *vm, const struct lw_pin_ops *pin, const struct lw_case *c,
		     enum lw_half_order order, struct lw_reason *reason)
{
	bool in_service = false;
	int err = trigger(vm, pin, c, reason);

	if (err == 0)
		err = lw_vm_step(vm, 0, LW_VM_SERVICE, SERVED, NULL, reason);
	if (err == 0)
		err = lw_vm_in_service(vm, 0, SERVED, &in_service, reason);
	if (err == 0 && !in_service)
		return ENDED_EARLY;
	if (err == 0)
		err = lower_and_reroute(vm, pin, c, order, reason);
	if (err == 0)
		err = lw_vm_step(vm, 0, LW_VM_DONE, SERVED, NULL, reason);
	return err;
}

/* The same with the interrupt pending behind the handler of another, which reroutes the pin. */
static int serve_pending(struct lw_vm *vm, const struct lw_pin_ops *pin, const struct lw_case *c,
			 enum lw_half_order order, struct lw_reason *reason)
{
	int err = lw_vm_msi(vm, 0, BLOCKER, false, reason);

	if (err == 0)
		err = lw_vm_step(vm, 0, LW_VM_SERVICE, BLOCKER, NULL, reason);
	if (err == 0)
		err = trigger(vm, pin, c, reason);
	if (err == 0)
		err = lower_and_reroute(vm, pin, c, order, reason);
	if (err == 0)
		err = lw_vm_step(vm, 0, LW_VM_DONE, BLOCKER, NULL, reason);
	if (err == 0)
		err = lw_vm_step(vm, 0, LW_VM_SERVICE, SERVED, NULL, reason);
	if (err == 0)
		err = lw_vm_step(vm, 0, LW_VM_DONE, SERVED, NULL, reason);
	return err;
}

/* One edge MSI from delivery to EOI; exits gets how many it took, -1 if they do not show. */
static int take_msi(struct lw_vm *vm, uint8_t vector, uint32_t *told, int64_t *exits,
		    struct lw_reason *reason)
{
	uint64_t before = 0, after = 0;
	bool known = lw_vm_exits(vm, 0, &before) == 0;
	int err = lw_vm_msi(vm, 0, vector, false, reason);

	if (err == 0)
		err = lw_vm_step(vm, 0, LW_VM_DONE, vector, told, reason);
	known = known && lw_vm_exits(vm, 0, &after) == 0;
	*exits = known ? (int64_t)(after - before) : -1;
	return err;
}

static int reuse_once(struct lw_vm *vm, uint8_t vector, struct lw_reuses *seen,
		      struct lw_reason *reason)
{
	uint64_t eoi_exits = lw_vm_eoi_exits(vm, 0, vector);
	int64_t reference = -1, took = -1, slot;
	uint32_t told = 0;
	int err = 0;

	/* In split mode KVM tells each EOI exit: no need to compare. */
	if (vm->irqchip == LW_VM_INKERNEL)
		err = take_msi(vm, UNTOUCHED, NULL, &reference, reason);
	if (err == 0)
		err = take_msi(vm, vector, &told, &took, reason);
	if (err < 0)
		return err;
	seen->reuses++;
	seen->eoi_exits += lw_vm_eoi_exits(vm, 0, vector) > eoi_exits;
	seen->eoi_writes += (told & LW_GUEST_WROTE_EOI) != 0;
	seen->exits_known = reference >= 0 && took >= 0;
	slot = LW_EXITS_EQUAL + took - reference;
	seen->exits[slot < 0 ? 0 : slot >= LW_EXITS_SLOTS ? LW_EXITS_SLOTS - 1 : slot]++;
	return 0;
}

struct lw_how {
	uint64_t count;
	bool pending;
};

static int run_in_vm(struct lw_vm *vm, const struct lw_pin_ops *pin, const struct lw_case *c,
		     enum lw_half_order order, const struct lw_how *how,
		     struct lw_case_result *result)
{
	struct lw_reason *reason = &result->reason;
	bool arrived = false;
	int err = pin->begin(vm);

	if (err == 0)
		err = pin->route(vm, c->before, reason);
	if (err == 0)
		err = how->pending ? serve_pending(vm, pin, c, order, reason)
				   : serve_one(vm, pin, c, order, reason);
	if (err == 0 && c->level)
		err = pin->arrived(vm, SERVED, &arrived, reason);
	if (err != 0)
		return err;
	if (c->level)
		result->arrival = arrived ? LW_ARRIVED : LW_LOST;
	lw_vm_mailbox(vm, 0)->quiet = 1;
	for (uint64_t i = 0; err == 0 && i < how->count; i++)
		err = reuse_once(vm, c->reused, &result->seen, reason);
	if (vm->backend)
		result->seen.eoi_exits = lw_split_counters(vm->backend).superfluous;
	return err;
}

static int run_case(struct lw_probe *probe, const struct lw_pin_ops *pin, const struct lw_case *c,
		    enum lw_half_order order, struct lw_mode_result *mode,
		    struct lw_case_result *result)
{
	struct lw_how how = {.count = probe->count, .pending = mode->pending};
	struct lw_vm *vm = calloc(1, sizeof(*vm));
	int err;

	*result = (struct lw_case_result){
		.name = c->name,
		.control = !c->rerouted,
		.verdict = LW_CANNOT_TELL, /* until it has run */
		.counted = !(probe->ignored & lw_case_bit(c->name)),
	};
	if (c->rerouted && pin->irqchip == LW_VM_INKERNEL)
		result->order = order == LW_HIGH_FIRST ? "high-first" : "low-first";
	if (!vm)
		return lw_reason_set(&result->reason, -ENOMEM, "cannot create a VM");
	err = lw_vm_create(vm, probe->kvm, pin->irqchip, &result->reason);
	if (err == 0)
		err = run_in_vm(vm, pin, c, order, &how, result);
	if (lw_vm_destroy(vm))
		free(vm);
	if (err == ENDED_EARLY && !mode->pending) {
		mode->pending = true;
		return run_case(probe, pin, c, order, mode, result);
	}
	return err;
}

static void tell_progress(struct lw_probe *probe)
{
	/* Split, alone and through Lapwing: each case; in-kernel: calibration, and both orders of
	 * what is rerouted. */
	const unsigned total = 2 * CASES + 1 + 1 + 2 * (CASES - 1);

	probe->done++;
	if (probe->progress)
		probe->progress(probe->context, probe->done, total);
}

static void run_and_judge(struct lw_probe *probe, const struct lw_pin_ops *pin,
			  const struct lw_case *c, enum lw_half_order order,
			  struct lw_mode_result *mode)
{
	struct lw_case_result *result = &mode->cases[mode->case_count++];

	if (run_case(probe, pin, c, order, mode, result) == 0)
		lw_judge_case(result, &mode->calibration);
	else if (result->arrival == LW_LOST)
		result->verdict = LW_LOSES_EOI;
	tell_progress(probe);
}

static void run_split(struct lw_probe *probe, struct lw_mode_result *mode)
{
	mode->calibration.observer = LW_OBSERVER_EOI_EXIT;
	for (size_t i = 0; i < CASES; i++)
		run_and_judge(probe, &lw_split_pin, &cases[i], LW_HIGH_FIRST, mode);
}

/* The control comes first because the ruler is made of it and of the intercepted case. */
static void run_inkernel(struct lw_probe *probe, struct lw_mode_result *mode)
{
	struct lw_case_result intercepted;
	struct lw_case_result *control = &mode->cases[mode->case_count++];
	int control_err =
		run_case(probe, &lw_inkernel_pin, &cases[0], LW_HIGH_FIRST, mode, control);

	tell_progress(probe);
	if (run_case(probe, &lw_inkernel_pin, &intercepted_case, LW_HIGH_FIRST, mode,
		     &intercepted) == 0)
		mode->calibration = lw_calibrate(&control->seen, &intercepted.seen);
	tell_progress(probe);
	if (control_err == 0)
		lw_judge_case(control, &mode->calibration);
	for (size_t i = 1; i < CASES; i++) {
		run_and_judge(probe, &lw_inkernel_pin, &cases[i], LW_HIGH_FIRST, mode);
		run_and_judge(probe, &lw_inkernel_pin, &cases[i], LW_LOW_FIRST, mode);
	}
}

void lw_probe_lapwing(struct lw_probe *probe, struct lw_mode_result *mode)
{
	*mode = (struct lw_mode_result){.name = "lapwing"};
	mode->calibration.observer = LW_OBSERVER_EOI_EXIT;
	if (!probe->kvm->split)
		lw_reason_set(&mode->reason, -EPROTO, "this KVM offers no split irqchip");
	for (size_t i = 0; i < CASES && probe->kvm->split; i++)
		run_and_judge(probe, &lw_lapwing_pin, &cases[i], LW_HIGH_FIRST, mode);
	lw_judge_mode(mode);
}

void lw_probe_run(struct lw_probe *probe, struct lw_mode_result modes[LW_PROBE_MODES])
{
	modes[0] = (struct lw_mode_result){.name = "split"};
	modes[1] = (struct lw_mode_result){.name = "in-kernel"};
	if (probe->kvm->split)
		run_split(probe, &modes[0]);
	else
		lw_reason_set(&modes[0].reason, -EPROTO, "this KVM offers no split irqchip");
	if (probe->kvm->inkernel)
		run_inkernel(probe, &modes[1]);
	else
		lw_reason_set(&modes[1].reason, -EPROTO, "this KVM offers no in-kernel irqchip");
	for (size_t i = 0; i < LW_PROBE_MODES; i++)
		lw_judge_mode(&modes[i]);
}

/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_KVM_CASES_H
#define LAPWING_KVM_CASES_H

#include "kvm/verdict.h"
#include "kvm/vm.h"

/*
 * The cases of the probe. Each runs in a fresh VM: a vector comes into service on vCPU 0, a
 * level-triggered pin is rerouted meanwhile, the vector is EOI'd, and edge MSIs reuse it.
 */

struct lw_pin_route {
	unsigned cpu;
	uint8_t vector;
};

enum lw_half_order {
	LW_HIGH_FIRST,
	LW_LOW_FIRST,
};

/* Whose I/O APIC the pin belongs to. Errors come with their reason. */
struct lw_pin_ops {
	enum lw_vm_irqchip irqchip;
	/* Before anything else; vCPU 0 is stopped. */
	int (*begin)(struct lw_vm *vm);
	/* Reroutes the pin, the vCPU 0 stopped and nothing in service. */
	int (*route)(struct lw_vm *vm, struct lw_pin_route to, struct lw_reason *reason);
	/* Reroutes it while vCPU 0 is stopped in a handler; in force before the EOI. */
	int (*reroute)(struct lw_vm *vm, struct lw_pin_route to, enum lw_half_order order,
		       struct lw_reason *reason);
	int (*raise)(struct lw_vm *vm, struct lw_pin_route routed, struct lw_reason *reason);
	int (*lower)(struct lw_vm *vm, struct lw_reason *reason);
	/* After the EOI: did it arrive? */
	int (*arrived)(struct lw_vm *vm, uint8_t vector, bool *arrived, struct lw_reason *reason);
};

extern const struct lw_pin_ops lw_split_pin;
extern const struct lw_pin_ops lw_inkernel_pin;
extern const struct lw_pin_ops lw_lapwing_pin;

/* Told after each case: so many of so many are done. */
typedef void lw_probe_progress(void *context, unsigned done, unsigned total);

struct lw_probe {
	const struct lw_kvm *kvm;
	uint64_t count;   /* reuses in each case */
	unsigned ignored; /* cases that are run, but part of no mode's verdict */
	lw_probe_progress *progress;
	void *context;
	unsigned done;
};

/* A case's bit in `ignored`; 0 if there is none of this name. */
unsigned lw_case_bit(const char *name);

#define LW_PROBE_MODES 2

/* Runs every case in both modes; what cannot be run is cannot-tell with its reason. */
void lw_probe_run(struct lw_probe *probe, struct lw_mode_result modes[LW_PROBE_MODES]);

/*
 * The same in split mode through lapwing/kvm.h. Here superfluous counts every needless exit of the
 * case, that of the interrupt in service included, and not only those of the reuses.
 */
void lw_probe_lapwing(struct lw_probe *probe, struct lw_mode_result *mode);

#endif

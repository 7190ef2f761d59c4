/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_KVM_COST_H
#define LAPWING_KVM_COST_H

#include "kvm/vm.h"

/*
 * KVM's own calls, to be timed beside Lapwing's: each as often as it is told to, on a VM whose
 * vCPU 0, which gets the interrupts, is stopped and whose vCPU 1 sleeps.
 */

enum lw_cost_kind {
	LW_COST_NOTHING, /* KVM_CHECK_EXTENSION: what entering the kernel costs */
	LW_COST_MSI,     /* KVM_SIGNAL_MSI */
	LW_COST_LINE,    /* KVM_IRQ_LINE, up and down, of an edge pin */
	LW_COST_ROUTING, /* KVM_SET_GSI_ROUTING, the last MSI in it moved */
	LW_COST_KINDS
};

struct lw_cost {
	struct lw_vm *vm;
	enum lw_cost_kind kind;
	uint32_t routes;
	struct kvm_irq_routing *table; /* LW_COST_ROUTING */
};

const char *lw_cost_name(enum lw_cost_kind kind);

/* Most routes that a table can have. */
#define LW_COST_MAX_ROUTES 4096u

/* Makes ready; `routes` is for LW_COST_ROUTING. 0 or -errno with its reason; release either way. */
int lw_cost_prepare(struct lw_cost *cost, struct lw_vm *vm, enum lw_cost_kind kind, uint32_t routes,
		    struct lw_reason *reason);
/* 0 or -errno. */
int lw_cost_run(struct lw_cost *cost, uint64_t count);
void lw_cost_release(struct lw_cost *cost);

#endif

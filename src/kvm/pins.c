/* SPDX-License-Identifier: MIT */
#include "kvm/cases.h"

/* Split: userspace is the I/O APIC, a pin is an entry of the routing table. */

#define SPLIT_PIN 5

static int split_begin(struct lw_vm *vm)
{
	(void)vm;
	return 0;
}

static int split_route(struct lw_vm *vm, struct lw_pin_route to, struct lw_reason *reason)
{
	return lw_vm_route(vm, SPLIT_PIN, to.cpu, to.vector, reason);
}

static int split_reroute(struct lw_vm *vm, struct lw_pin_route to, enum lw_half_order order,
			 struct lw_reason *reason)
{
	(void)order;
	return split_route(vm, to, reason);
}

static int split_raise(struct lw_vm *vm, struct lw_pin_route routed, struct lw_reason *reason)
{
	return lw_vm_msi(vm, routed.cpu, routed.vector, true, reason);
}

static int split_lower(struct lw_vm *vm, struct lw_reason *reason)
{
	(void)vm;
	(void)reason;
	return 0;
}

static int split_arrived(struct lw_vm *vm, uint8_t vector, bool *arrived, struct lw_reason *reason)
{
	(void)reason;
	*arrived = lw_vm_eoi_exits(vm, 0, vector) > 0;
	return 0;
}

const struct lw_pin_ops lw_split_pin = {
	.irqchip = LW_VM_SPLIT,
	.begin = split_begin,
	.route = split_route,
	.reroute = split_reroute,
	.raise = split_raise,
	.lower = split_lower,
	.arrived = split_arrived,
};

/* The same host through Lapwing: the pin is one of an I/O APIC that gives KVM its routes. */

static int lapwing_route(struct lw_vm *vm, struct lw_pin_route to, struct lw_reason *reason)
{
	return lw_vm_write_rte(vm, SPLIT_PIN, to.cpu, to.vector, reason);
}

static int lapwing_reroute(struct lw_vm *vm, struct lw_pin_route to, enum lw_half_order order,
			   struct lw_reason *reason)
{
	(void)order;
	return lapwing_route(vm, to, reason);
}

static int lapwing_raise(struct lw_vm *vm, struct lw_pin_route routed, struct lw_reason *reason)
{
	(void)routed;
	return lw_vm_backend_line(vm, SPLIT_PIN, true, reason);
}

static int lapwing_lower(struct lw_vm *vm, struct lw_reason *reason)
{
	return lw_vm_backend_line(vm, SPLIT_PIN, false, reason);
}

static int lapwing_arrived(struct lw_vm *vm, uint8_t vector, bool *arrived,
			   struct lw_reason *reason)
{
	uint64_t rte = 0;

	(void)vector;
	(void)reason;
	(void)lw_ioapic_rte(lw_split_ioapic(vm->backend), SPLIT_PIN, &rte);
	*arrived = !(rte & LW_RTE_REMOTE_IRR);
	return 0;
}

const struct lw_pin_ops lw_lapwing_pin = {
	.irqchip = LW_VM_LAPWING,
	.begin = split_begin,
	.route = lapwing_route,
	.reroute = lapwing_reroute,
	.raise = lapwing_raise,
	.lower = lapwing_lower,
	.arrived = lapwing_arrived,
};

/*
 * In-kernel: the guest writes the RTE, because KVM_SET_IRQCHIP makes KVM rescan every vCPU while
 * a guest's write reaches only the old and the new target. A pin below 16 would raise the 8259
 * as well.
 */

#define INKERNEL_PIN     20
#define CONFIGURE_VECTOR 0x40
#define RTE_REGISTER     (0x10 + 2 * INKERNEL_PIN)
#define RTE_LEVEL        (1u << 15)

static void order_writes(struct lw_vm *vm, struct lw_pin_route to, enum lw_half_order order)
{
	struct lw_guest_mailbox *mailbox = lw_vm_mailbox(vm, 0);
	unsigned high = order == LW_HIGH_FIRST ? 0 : 1;
	unsigned low = 1 - high;

	mailbox->write[low].reg = RTE_REGISTER;
	mailbox->write[low].value = RTE_LEVEL | to.vector;
	mailbox->write[high].reg = RTE_REGISTER + 1;
	mailbox->write[high].value = to.cpu << 24;
	mailbox->writes = 2;
}

static int inkernel_begin(struct lw_vm *vm)
{
	/* Where KVM does not know it, calibration finds out. */
	(void)lw_vm_enable_pv_eoi(vm, 0);
	return 0;
}

static int inkernel_route(struct lw_vm *vm, struct lw_pin_route to, struct lw_reason *reason)
{
	int err;

	order_writes(vm, to, LW_HIGH_FIRST);
	lw_vm_mailbox(vm, 0)->quiet = 1;
	err = lw_vm_msi(vm, 0, CONFIGURE_VECTOR, false, reason);
	if (err == 0)
		err = lw_vm_step(vm, 0, LW_VM_DONE, CONFIGURE_VECTOR, NULL, reason);
	lw_vm_mailbox(vm, 0)->quiet = 0;
	return err;
}

static int inkernel_reroute(struct lw_vm *vm, struct lw_pin_route to, enum lw_half_order order,
			    struct lw_reason *reason)
{
	(void)reason;
	order_writes(vm, to, order);
	return 0;
}

static int inkernel_raise(struct lw_vm *vm, struct lw_pin_route routed, struct lw_reason *reason)
{
	(void)routed;
	return lw_vm_line(vm, INKERNEL_PIN, true, reason);
}

static int inkernel_lower(struct lw_vm *vm, struct lw_reason *reason)
{
	return lw_vm_line(vm, INKERNEL_PIN, false, reason);
}

static int inkernel_arrived(struct lw_vm *vm, uint8_t vector, bool *arrived,
			    struct lw_reason *reason)
{
	bool remote_irr = false;
	int err = lw_vm_remote_irr(vm, INKERNEL_PIN, &remote_irr, reason);

	(void)vector;
	*arrived = !remote_irr;
	return err;
}

const struct lw_pin_ops lw_inkernel_pin = {
	.irqchip = LW_VM_INKERNEL,
	.begin = inkernel_begin,
	.route = inkernel_route,
	.reroute = inkernel_reroute,
	.raise = inkernel_raise,
	.lower = inkernel_lower,
	.arrived = inkernel_arrived,
};

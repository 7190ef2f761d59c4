/* SPDX-License-Identifier: MIT */
#include "kvm/cost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define PINS        24u
#define PIN         20u /* the 8259s have nothing to do with it */
#define VECTOR      0x51u
#define MSI_ADDRESS 0xfee00000u
#define MSI_LEVEL   (1u << 15)
#define MSI_ASSERT  (1u << 14)

const char *lw_cost_name(enum lw_cost_kind kind)
{
	static const char *const names[] = {"KVM_CHECK_EXTENSION", "KVM_SIGNAL_MSI", "KVM_IRQ_LINE",
					    "KVM_SET_GSI_ROUTING"};

	return names[kind];
}

/* As a VMM has them: the I/O APIC's pins, the rest MSIs. */
static void fill(const struct lw_cost *cost, struct kvm_irq_routing_entry *entry, uint32_t n)
{
	*entry = (struct kvm_irq_routing_entry){.gsi = n};
	if (n < PINS && cost->vm->irqchip == LW_VM_INKERNEL) {
		entry->type = KVM_IRQ_ROUTING_IRQCHIP;
		entry->u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		entry->u.irqchip.pin = n;
		return;
	}
	entry->type = KVM_IRQ_ROUTING_MSI;
	entry->u.msi.address_lo = MSI_ADDRESS | n % 2 << 12;
	entry->u.msi.data = (0x20 + n % 0xc0) | (n < PINS && n != PIN ? MSI_LEVEL | MSI_ASSERT : 0);
}

static int route(struct lw_cost *cost, uint32_t routes, struct lw_reason *reason)
{
	cost->routes = routes;
	cost->table = calloc(1, sizeof(*cost->table) + routes * sizeof(cost->table->entries[0]));
	if (!cost->table)
		return lw_reason_set(reason, -ENOMEM, "cannot route %u GSIs", routes);
	cost->table->nr = routes;
	for (uint32_t n = 0; n < routes; n++)
		fill(cost, &cost->table->entries[n], n);
	if (ioctl(cost->vm->fd, KVM_SET_GSI_ROUTING, cost->table) < 0)
		return lw_reason_set(reason, -errno, "cannot route %u GSIs", routes);
	return 0;
}

/* In the kernel's own I/O APIC: edge, unmasked, to vCPU 0. */
static int program(struct lw_vm *vm, struct lw_reason *reason)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};

	if (ioctl(vm->fd, KVM_GET_IRQCHIP, &chip) < 0)
		return lw_reason_set(reason, -errno, "cannot read the I/O APIC");
	chip.chip.ioapic.redirtbl[PIN].bits = VECTOR;
	if (ioctl(vm->fd, KVM_SET_IRQCHIP, &chip) < 0)
		return lw_reason_set(reason, -errno, "cannot write the I/O APIC");
	return 0;
}

int lw_cost_prepare(struct lw_cost *cost, struct lw_vm *vm, enum lw_cost_kind kind, uint32_t routes,
		    struct lw_reason *reason)
{
	int err = 0;

	*cost = (struct lw_cost){.vm = vm, .kind = kind};
	if (kind == LW_COST_LINE || kind == LW_COST_ROUTING)
		err = route(cost, kind == LW_COST_LINE ? PINS : routes, reason);
	if (err == 0 && kind == LW_COST_LINE && vm->irqchip == LW_VM_INKERNEL)
		err = program(vm, reason);
	if (err == 0 && lw_cost_run(cost, 1) < 0)
		err = lw_reason_set(reason, -errno, "%s", lw_cost_name(kind));
	return err;
}

static int set_line(struct lw_vm *vm, uint32_t level)
{
	struct kvm_irq_level line = {.irq = PIN, .level = level};

	return ioctl(vm->fd, KVM_IRQ_LINE, &line);
}

static int once(struct lw_cost *cost)
{
	struct kvm_msi msi = {.address_lo = MSI_ADDRESS, .data = VECTOR};
	struct kvm_irq_routing_entry *last;

	switch (cost->kind) {
	case LW_COST_MSI:
		return ioctl(cost->vm->fd, KVM_SIGNAL_MSI, &msi);
	case LW_COST_LINE:
		return set_line(cost->vm, 1) < 0 ? -1 : set_line(cost->vm, 0);
	case LW_COST_ROUTING:
		last = &cost->table->entries[cost->routes - 1];
		if (last->type == KVM_IRQ_ROUTING_MSI)
			last->u.msi.address_lo ^= 1u << 12;
		return ioctl(cost->vm->fd, KVM_SET_GSI_ROUTING, cost->table);
	default:
		return ioctl(cost->vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP);
	}
}

int lw_cost_run(struct lw_cost *cost, uint64_t count)
{
	for (uint64_t n = 0; n < count; n++)
		if (once(cost) < 0)
			return -errno;
	return 0;
}

void lw_cost_release(struct lw_cost *cost)
{
	free(cost->table);
	cost->table = NULL;
}

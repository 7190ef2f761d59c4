/* SPDX-License-Identifier: MIT */
/* All interrupt controllers in the kernel, and its PIT: what Lapwing is compared with. */
#include "vmm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define CPUID_TSC_DEADLINE (1u << 24) /* leaf 1, ECX */

/* GSI n is pin n of the I/O APIC and, to 15, of the 8259s, but IRQ 0 goes to pin 2. */
static int set_routes(struct tv *vm)
{
	const size_t most = TV_PINS + 16;
	struct kvm_irq_routing *table =
		calloc(1, sizeof(*table) + most * sizeof(table->entries[0]));
	int err = 0;
	uint32_t nr = 0;

	if (!table)
		return -ENOMEM;
	for (uint32_t gsi = 0; gsi < TV_PINS; gsi++) {
		if (gsi < 16 && gsi != 2)
			table->entries[nr++] = (struct kvm_irq_routing_entry){
				.gsi = gsi,
				.type = KVM_IRQ_ROUTING_IRQCHIP,
				.u.irqchip = {gsi < 8 ? KVM_IRQCHIP_PIC_MASTER
						      : KVM_IRQCHIP_PIC_SLAVE,
					      gsi % 8}};
		if (gsi != 2)
			table->entries[nr++] = (struct kvm_irq_routing_entry){
				.gsi = gsi,
				.type = KVM_IRQ_ROUTING_IRQCHIP,
				.u.irqchip = {KVM_IRQCHIP_IOAPIC, gsi ? gsi : 2}};
	}
	table->nr = nr;
	if (ioctl(vm->fd, KVM_SET_GSI_ROUTING, table) < 0)
		err = -errno;
	free(table);
	return err;
}

static int kernel_create(struct tv *vm)
{
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	int err;

	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return tv_error(vm, -errno, "no irqchip in this kernel (--irqchip kernel)");
	if (ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
		return tv_error(vm, -errno, "no timer in this kernel (--irqchip kernel)");
	err = set_routes(vm);
	return err < 0 ? tv_error(vm, err, "cannot route interrupts") : 0;
}

/* KVM has it wherever it has LAPICs, and leaves it to the VMM to say so. */
void tv_kernel_lapic_cpuid(struct tv *vm, struct kvm_cpuid2 *cpuid)
{
	if (ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) <= 0)
		return;
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= CPUID_TSC_DEADLINE;
	}
}

static int kernel_isa_line(struct tv *vm, unsigned irq, bool level)
{
	struct kvm_irq_level line = {.irq = irq, .level = level};

	return ioctl(vm->fd, KVM_IRQ_LINE, &line) < 0 ? -errno : 0;
}

static int kernel_attach(struct tv *vm, unsigned gsi, int trigger, int resample)
{
	struct kvm_irqfd irqfd = {.fd = (uint32_t)trigger,
				  .gsi = gsi,
				  .flags = KVM_IRQFD_FLAG_RESAMPLE,
				  .resamplefd = (uint32_t)resample};

	return ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

/* The kernel does not tell which EOIs left the guest. */
static void kernel_report(struct tv *vm, void *report)
{
	(void)vm;
	(void)report;
}

static void kernel_destroy(struct tv *vm)
{
	(void)vm;
}

const struct tv_irq_ops tv_irq_kernel = {
	.create = kernel_create,
	.cpuid = tv_kernel_lapic_cpuid,
	.run = tv_kvm_run,
	.isa_line = kernel_isa_line,
	.attach = kernel_attach,
	.report = kernel_report,
	.destroy = kernel_destroy,
};

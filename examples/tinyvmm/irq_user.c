/* SPDX-License-Identifier: MIT */
/* All interrupt controllers in Lapwing, by its user backend. */
#include "vmm.h"

#include <errno.h>
#include <lapwing/kvm_user.h>
#include <stdlib.h>

struct irq_user {
	struct lw_user *backend;
	struct tv_events events;
};

static void serve(void *backend)
{
	(void)lw_user_serve(backend);
}

static int user_create(struct tv *vm)
{
	struct lw_user_config config = {
		.vm_fd = vm->fd,
		.kick = tv_kick_signal(),
		.flags = LW_USER_PIC | LW_USER_X2APIC | LW_USER_DEADLINE |
			 (vm->options.lazy ? LW_USER_LAZY : 0),
		.nvcpus = vm->options.cpus,
		.pins = TV_PINS,
		.version = 0x20,
	};
	struct irq_user *irq = calloc(1, sizeof(*irq));
	int err = -ENOMEM;

	if (irq)
		irq->backend = aligned_alloc(LW_USER_ALIGN, lw_user_size(&config));
	if (irq && irq->backend)
		err = lw_user_init(irq->backend, &config);
	if (err < 0) {
		if (irq)
			free(irq->backend);
		free(irq);
		return tv_error(vm, err, "cannot make the interrupt controllers");
	}
	vm->irqchip = irq;
	irq->events = (struct tv_events){
		.poll_fd = lw_user_poll_fd(irq->backend), .serve = serve, .backend = irq->backend};
	err = tv_events_start(&irq->events);
	return err < 0 ? tv_error(vm, err, "cannot start a thread") : 0;
}

static void user_cpuid(struct tv *vm, struct kvm_cpuid2 *cpuid)
{
	lw_user_cpuid(((struct irq_user *)vm->irqchip)->backend, cpuid);
}

static int user_add_cpu(struct tv_cpu *cpu)
{
	struct irq_user *irq = cpu->vm->irqchip;

	return lw_user_vcpu(irq->backend, cpu->number, cpu->fd, cpu->run);
}

static int user_enter_thread(struct tv_cpu *cpu)
{
	struct irq_user *irq = cpu->vm->irqchip;

	return lw_user_bind(irq->backend, cpu->number);
}

static void user_leave_thread(struct tv_cpu *cpu)
{
	struct irq_user *irq = cpu->vm->irqchip;

	lw_user_unbind(irq->backend, cpu->number);
}

static int user_run(struct tv_cpu *cpu)
{
	struct irq_user *irq = cpu->vm->irqchip;

	return lw_user_run(irq->backend, cpu->number);
}

static int user_isa_line(struct tv *vm, unsigned number, bool level)
{
	struct irq_user *irq = vm->irqchip;

	return lw_user_line(irq->backend, number, 0, level);
}

static int user_attach(struct tv *vm, unsigned gsi, int trigger, int resample)
{
	struct irq_user *irq = vm->irqchip;

	return lw_user_attach(irq->backend, gsi, 0, trigger, resample);
}

static void user_report(struct tv *vm, void *report)
{
	struct irq_user *irq = vm->irqchip;
	struct lw_user_counters c = lw_user_counters(irq->backend);

	tv_count(report, "runs", c.runs, "times a vCPU was entered");
	tv_count(report, "injected", c.injected, "interrupts");
	tv_count(report, "windows", c.windows, "exits because the guest could take one again");
	tv_count(report, "halts", c.halts, "times a vCPU slept");
	tv_count(report, "kicks", c.kicks, "signals to a vCPU that ran or slept");
	tv_count(report, "kicks_spared", c.spared, "signals it did not need");
	tv_count(report, "exits_apic_page", c.apic_mmio, "exits of the LAPICs' page");
	tv_count(report, "exits_apic_msr", c.apic_msr, "exits of their MSRs");
	tv_count(report, "exits_ioapic", c.ioapic_mmio, "exits of the I/O APIC's page");
	tv_count(report, "eoi_necessary", c.eoi.necessary, "EOIs that resolved a level delivery");
	tv_count(report, "eoi_redundant", c.eoi.redundant, "… that another taker had forestalled");
	tv_count(report, "eoi_superfluous", c.eoi.superfluous, "… that left for nothing");
}

static void user_destroy(struct tv *vm)
{
	struct irq_user *irq = vm->irqchip;

	if (!irq)
		return;
	tv_events_stop(&irq->events);
	lw_user_close(irq->backend);
	free(irq->backend);
	free(irq);
}

const struct tv_irq_ops tv_irq_user = {
	.create = user_create,
	.cpuid = user_cpuid,
	.add_cpu = user_add_cpu,
	.enter_thread = user_enter_thread,
	.leave_thread = user_leave_thread,
	.run = user_run,
	.isa_line = user_isa_line,
	.attach = user_attach,
	.report = user_report,
	.destroy = user_destroy,
};

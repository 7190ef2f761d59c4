/* SPDX-License-Identifier: MIT */
/* LAPICs in the kernel, I/O APIC and 8259s in Lapwing, by its split backend. */
#include "vmm.h"

#include <errno.h>
#include <lapwing/kvm.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>

struct irq_split {
	struct lw_split *backend;
	atomic_flag told; /* of its first trouble */
	struct tv_events events;
};

static void kick(void *ctx, uint32_t vcpu)
{
	struct tv *vm = ctx;

	tv_cpu_kick(&vm->cpu[vcpu]);
}

static void serve(void *backend)
{
	(void)lw_split_serve(backend);
}

static const struct lw_split_ops split_ops = {.kick = kick};

/* More than 255 vCPUs have ids that only the long form of a destination reaches. */
static uint32_t flags(const struct tv *vm)
{
	return LW_SPLIT_PIC | (vm->options.immediate ? 0 : LW_SPLIT_FAST) |
	       (vm->options.cpus > 255 ? LW_SPLIT_EXT_DEST : 0);
}

static int split_create(struct tv *vm)
{
	struct lw_split_config config = {
		.ops = &split_ops,
		.ctx = vm,
		.vm_fd = vm->fd,
		.flags = flags(vm),
		.nvcpus = vm->options.cpus,
		.pins = TV_PINS,
		.version = 0x11,
	};
	struct irq_split *irq = calloc(1, sizeof(*irq));
	int err = -ENOMEM;

	if (irq)
		irq->backend =
			aligned_alloc(LW_SPLIT_ALIGN, (lw_split_size(&config) + 63) / 64 * 64);
	if (irq)
		atomic_flag_clear(&irq->told);
	if (irq && irq->backend)
		err = lw_split_init(irq->backend, &config);
	if (err < 0) {
		if (irq)
			free(irq->backend);
		free(irq);
		return tv_error(vm, err, "no split irqchip on this kernel (--irqchip split)");
	}
	vm->irqchip = irq;
	irq->events = (struct tv_events){
		.poll_fd = lw_split_poll_fd(irq->backend), .serve = serve, .backend = irq->backend};
	err = tv_events_start(&irq->events);
	return err < 0 ? tv_error(vm, err, "cannot start a thread") : 0;
}

static int split_add_cpu(struct tv_cpu *cpu)
{
	struct irq_split *irq = cpu->vm->irqchip;

	return lw_split_vcpu(irq->backend, cpu->number, cpu->fd, cpu->number);
}

/* What the backend could not have done is told once and goes on: it tries again by itself. */
static void complain(struct tv_cpu *cpu, int err)
{
	struct irq_split *irq = cpu->vm->irqchip;

	if (!atomic_flag_test_and_set(&irq->told))
		(void)tv_error(cpu->vm, err, "vCPU %u: KVM refused something", cpu->number);
}

static int split_run(struct tv_cpu *cpu)
{
	struct irq_split *irq = cpu->vm->irqchip;
	int result = lw_split_enter(irq->backend, cpu->number, cpu->run);

	if (result < 0)
		complain(cpu, result);
	result = tv_kvm_run(cpu);
	if (result <= 0)
		return result;
	result = lw_split_handle(irq->backend, cpu->number, cpu->run);
	if (result < 0)
		complain(cpu, result);
	return result == 0;
}

static int split_isa_line(struct tv *vm, unsigned number, bool level)
{
	struct irq_split *irq = vm->irqchip;

	return lw_split_isa_line(irq->backend, number, 0, level);
}

static int split_attach(struct tv *vm, unsigned gsi, int trigger, int resample)
{
	struct irq_split *irq = vm->irqchip;

	return lw_split_attach(irq->backend, gsi, 0, trigger, resample);
}

static void split_report(struct tv *vm, void *report)
{
	struct irq_split *irq = vm->irqchip;
	struct lw_split_counters c = lw_split_counters(irq->backend);

	tv_count(report, "eoi_exits", c.eoi_exits, "EOIs that left the guest");
	tv_count(report, "eoi_necessary", c.necessary, "… and resolved a level delivery");
	tv_count(report, "eoi_redundant", c.redundant, "… that another taker had forestalled");
	tv_count(report, "eoi_superfluous", c.superfluous, "… for nothing");
	tv_count(report, "eoi_covered", c.covered, "… of these: a level route leads there");
	tv_count(report, "eoi_busy", c.busy, "… of these: the vector was pending again");
	tv_count(report, "eoi_limited", c.limited, "… of these: too many recommits before");
	tv_count(report, "rte_writes", c.rte_writes, "writes of half a redirection table entry");
	tv_count(report, "commits", c.commits, "KVM_SET_GSI_ROUTING");
	tv_count(report, "commits_deferred", c.deferred, "changes that waited for an EOI");
	tv_count(report, "commits_spared", c.quiet, "writes that committed nothing");
	tv_count(report, "recommits", c.recommits, "commits to drive a stale vector out");
	tv_count(report, "signals", c.signals, "KVM_SIGNAL_MSI");
	tv_count(report, "signals_refused", c.refused, "… that nobody took");
	tv_count(report, "failed", c.failed, "ioctls that did not work");
}

static void split_destroy(struct tv *vm)
{
	struct irq_split *irq = vm->irqchip;

	if (!irq)
		return;
	tv_events_stop(&irq->events);
	lw_split_close(irq->backend);
	free(irq->backend);
	free(irq);
}

const struct tv_irq_ops tv_irq_split = {
	.create = split_create,
	.cpuid = tv_kernel_lapic_cpuid,
	.add_cpu = split_add_cpu,
	.run = split_run,
	.isa_line = split_isa_line,
	.attach = split_attach,
	.report = split_report,
	.destroy = split_destroy,
};

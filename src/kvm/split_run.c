/* SPDX-License-Identifier: MIT */
/* The split backend at the edges of KVM_RUN: the exits that are its own, and the 8259's INTR. */
#include <errno.h>

#include "kvm/split_priv.h"

#define IOAPIC_PAGE 0x1000u

/* ---- the 8259 ---- */

static void pic_lock(void *ctx)
{
	struct lw_split *s = ctx;

	pthread_mutex_lock(&s->pic_lock);
}

static void pic_unlock(void *ctx)
{
	struct lw_split *s = ctx;

	pthread_mutex_unlock(&s->pic_lock);
}

static void pic_intr(void *ctx, bool level)
{
	struct lw_split *s = ctx;

	atomic_store(&s->intr, level);
	if (level)
		s->ops->kick(s->ctx, 0);
}

int lw_split_pic_init(struct lw_split *s, struct lw_pic *storage)
{
	static const struct lw_pic_ops ops = {
		.lock = pic_lock,
		.unlock = pic_unlock,
		.intr = pic_intr,
	};
	struct lw_pic_config config = {.ops = &ops, .ctx = s};

	s->pic = storage;
	return lw_pic_init(storage, &config);
}

/* KVM takes one at a time, and none before the vCPU has run again. A vector that it refuses is
 * kept: the 8259 has been told that it was taken. */
static int inject(struct lw_split *s, struct kvm_run *run)
{
	struct kvm_interrupt interrupt;
	int err;

	if (s->extint < 0)
		s->extint = lw_pic_accept(s->pic);
	if (s->extint < 0)
		return 0;
	interrupt.irq = (uint32_t)s->extint;
	err = lw_split_ioctl(s, s->vcpu[0].fd, KVM_INTERRUPT, &interrupt);
	if (err < 0) {
		pthread_mutex_lock(&s->lock);
		s->counters.failed++;
		pthread_mutex_unlock(&s->lock);
		return err;
	}
	s->extint = -1;
	run->ready_for_interrupt_injection = 0;
	return 0;
}

/* In split mode KVM_INTERRUPT is the wire to LINT0: KVM looks whether that is unmasked for ExtINT,
 * and asks for a window only then. */
int lw_split_enter(struct lw_split *split, uint32_t vcpu, struct kvm_run *run)
{
	int err = 0;

	if (!split->pic || vcpu != 0)
		return 0;
	if (!lw_split_named(split, vcpu))
		return -EINVAL;
	/* KVM_RUN that returns at once leaves what it was given where no saved state has it. */
	if (run->ready_for_interrupt_injection && run->if_flag && !run->immediate_exit)
		err = inject(split, run);
	run->request_interrupt_window = atomic_load(&split->intr) || split->extint >= 0;
	return err;
}

/* ---- exits ---- */

static bool is_pic_port(uint16_t port)
{
	return (port & ~1u) == LW_PIC_PORT_MASTER || (port & ~1u) == LW_PIC_PORT_SLAVE ||
	       (port & ~1u) == LW_PIC_PORT_ELCR;
}

static void pic_access(struct lw_pic *pic, struct kvm_run *run)
{
	unsigned char *data = (unsigned char *)run + run->io.data_offset;
	uint32_t width = run->io.size;

	for (uint32_t n = 0; n < run->io.count; n++, data += width) {
		uint32_t value = 0;

		if (run->io.direction == KVM_EXIT_IO_OUT) {
			for (uint32_t b = 0; b < width; b++)
				value |= (uint32_t)data[b] << 8 * b;
			lw_pic_write(pic, run->io.port, value, width);
			continue;
		}
		value = lw_pic_read(pic, run->io.port, width);
		for (uint32_t b = 0; b < width; b++)
			data[b] = (unsigned char)(value >> 8 * b);
	}
}

static int ioapic_access(struct lw_split *s, struct kvm_run *run)
{
	uint64_t offset = run->mmio.phys_addr - LW_SPLIT_IOAPIC;

	if (run->mmio.is_write)
		return lw_split_mmio_write(s, offset, run->mmio.data, run->mmio.len);
	return lw_split_mmio_read(s, offset, run->mmio.data, run->mmio.len);
}

int lw_split_handle(struct lw_split *split, uint32_t vcpu, struct kvm_run *run)
{
	int err;

	if (!lw_split_named(split, vcpu))
		return -EINVAL;
	switch (run->exit_reason) {
	case KVM_EXIT_IOAPIC_EOI:
		err = lw_split_eoi(split, vcpu, run->eoi.vector);
		break;
	case KVM_EXIT_MMIO:
		if (run->mmio.phys_addr - LW_SPLIT_IOAPIC >= IOAPIC_PAGE)
			return 0;
		err = ioapic_access(split, run);
		break;
	case KVM_EXIT_IO:
		if (!split->pic || !is_pic_port(run->io.port))
			return 0;
		pic_access(split->pic, run);
		return 1;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return split->pic ? 1 : 0;
	default:
		return 0;
	}
	return err < 0 ? err : 1;
}

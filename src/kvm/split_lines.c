/* SPDX-License-Identifier: MIT */
/* The split backend's lines, and a guest's accesses to the I/O APIC. */
#include <errno.h>

#include "kvm/split_priv.h"

#define ISA_IRQS    16u
#define ISA_TIMER   0u /* IRQ 0 reaches pin 2 of the I/O APIC, as on every PC */
#define ISA_CASCADE 2u

int lw_split_line(struct lw_split *split, uint32_t gsi, uint32_t source, bool level)
{
	int err = lw_ioapic_line(split->io, gsi, source, level);

	return err < 0 ? err : lw_split_settle(split);
}

int lw_split_isa_line(struct lw_split *split, uint32_t irq, uint32_t source, bool level)
{
	int err;

	if (irq >= ISA_IRQS || irq == ISA_CASCADE)
		return -EINVAL;
	err = split->pic ? lw_pic_line(split->pic, irq, source, level) : 0;
	if (err < 0)
		return err;
	return lw_split_line(split, irq == ISA_TIMER ? ISA_CASCADE : irq, source, level);
}

int lw_split_resume(struct lw_split *split, uint32_t gsi)
{
	int err = lw_ioapic_resume(split->io, gsi);

	return err < 0 ? err : lw_split_settle(split);
}

void lw_split_storm(void *ctx, uint32_t gsi)
{
	struct lw_split *s = ctx;

	s->ops->storm(s->ctx, gsi);
}

int lw_split_mmio_read(struct lw_split *split, uint64_t offset, void *data, size_t len)
{
	lw_ioapic_mmio_read(split->io, offset, data, len);
	return lw_split_settle(split);
}

int lw_split_mmio_write(struct lw_split *split, uint64_t offset, const void *data, size_t len)
{
	atomic_fetch_add(&split->writers, 1);
	lw_ioapic_mmio_write(split->io, offset, data, len);
	atomic_fetch_sub(&split->writers, 1);
	return lw_split_retry_and_settle(split);
}

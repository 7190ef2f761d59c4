/* SPDX-License-Identifier: MIT */
#include "kvm/user_priv.h"

#include <string.h>

#define PAGE      0x1000u
#define BASE_MASK 0xffffffffff000ull

/* The APIC page takes aligned 32-bit accesses; a read of less finds its part of one, and any other
 * write is ignored (SDM vol. 3, 11.4.1 leaves it undefined). */
static void apic_page(struct user_vcpu *v, uint32_t offset)
{
	struct lw_lapic *lapic = lw_chip_lapic(v->user->chip, v->number);
	struct kvm_run *run = v->run;
	uint32_t value;

	v->apic_mmio++;
	if (!run->mmio.is_write) {
		value = lw_lapic_page_read(lapic, offset & ~3u) >> offset % 4 * 8;
		memset(run->mmio.data, 0, sizeof(run->mmio.data));
		memcpy(run->mmio.data, &value, sizeof(value));
		return;
	}
	if (run->mmio.len != sizeof(value) || offset % 4)
		return;
	memcpy(&value, run->mmio.data, sizeof(value));
	lw_lapic_page_write(lapic, offset, value);
}

static void ioapic_window(struct user_vcpu *v, uint64_t offset)
{
	struct lw_ioapic *io = lw_chip_ioapic(v->user->chip, 0);
	struct kvm_run *run = v->run;

	v->ioapic_mmio++;
	if (run->mmio.is_write)
		lw_ioapic_mmio_write(io, offset, run->mmio.data, run->mmio.len);
	else
		lw_ioapic_mmio_read(io, offset, run->mmio.data, run->mmio.len);
}

static int mmio_exit(struct user_vcpu *v)
{
	struct lw_lapic *lapic = lw_chip_lapic(v->user->chip, v->number);
	uint64_t address = v->run->mmio.phys_addr, base = lw_lapic_base(lapic) & BASE_MASK;

	if (lw_lapic_mode(lapic) == LW_LAPIC_XAPIC && address - base < PAGE) {
		apic_page(v, (uint32_t)(address - base));
		return 0;
	}
	if (address - LW_USER_IOAPIC < PAGE) {
		ioapic_window(v, address - LW_USER_IOAPIC);
		return 0;
	}
	return 1;
}

static bool pic_port(uint16_t port)
{
	return (port & ~1u) == LW_PIC_PORT_MASTER || (port & ~1u) == LW_PIC_PORT_SLAVE ||
	       (port & ~1u) == LW_PIC_PORT_ELCR;
}

static int port_exit(struct user_vcpu *v)
{
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	struct lw_pic *pic = lw_chip_pic(v->user->chip);

	if (!pic || !pic_port(run->io.port))
		return 1;
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		uint32_t value = 0;

		if (run->io.direction == KVM_EXIT_IO_OUT) {
			memcpy(&value, data, run->io.size);
			lw_pic_write(pic, run->io.port, value, run->io.size);
		} else {
			value = lw_pic_read(pic, run->io.port, run->io.size);
			memcpy(data, &value, run->io.size);
		}
	}
	return 0;
}

int user_exit(struct user_vcpu *v)
{
	lw_lapic_time(lw_chip_lapic(v->user->chip, v->number), user_now());
	switch (v->run->exit_reason) {
	case KVM_EXIT_MMIO:
		return mmio_exit(v);
	case KVM_EXIT_IO:
		return port_exit(v);
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		user_msr_exit(v);
		return 0;
	case KVM_EXIT_HLT:
		v->halted = true;
		return 0;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		v->windows++;
		return 0;
	case KVM_EXIT_SET_TPR: /* seen in kvm_run.cr8 */
	case KVM_EXIT_INTR:
		return 0;
	default:
		return 1;
	}
}

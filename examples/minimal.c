/* SPDX-License-Identifier: MIT */
/*
 * The smallest use of Lapwing: two vCPUs, an I/O APIC, one level interrupt that is moved to the
 * other vCPU while it is in service.
 *
 *     cc minimal.c $(pkg-config --cflags --libs lapwing) && ./a.out
 *
 * prints
 *
 *     vCPU 0 takes vector 0x50; it is moved to vCPU 1 and EOI'd
 *     vCPU 1 takes vector 0x50
 *     EOIs that left the guest: 2, for nothing: 0
 */
#include <lapwing/lapwing.h>
#include <stdio.h>
#include <stdlib.h>

#define GSI 16u

/* A VMM would make the vCPU's thread leave KVM_RUN, or wake it. Nothing runs here by itself. */
static void kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
}

/* Nothing else runs, so every vCPU's state is ours to look at. */
static bool owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
	return true;
}

/* What a guest does: its 32-bit writes to the I/O APIC's window. */
static void write_rte(struct lw_ioapic *io, uint32_t pin, uint64_t rte)
{
	uint32_t low = 0x10 + 2 * pin, high = low + 1;
	uint32_t value[2] = {(uint32_t)rte, (uint32_t)(rte >> 32)};

	lw_ioapic_mmio_write(io, 0x00, &high, 4);
	lw_ioapic_mmio_write(io, 0x10, &value[1], 4);
	lw_ioapic_mmio_write(io, 0x00, &low, 4);
	lw_ioapic_mmio_write(io, 0x10, &value[0], 4);
}

static uint64_t route(uint32_t vcpu, uint8_t vector)
{
	return LW_RTE_LEVEL | vector | (uint64_t)vcpu << LW_RTE_DEST_SHIFT;
}

int main(void)
{
	static const struct lw_chip_ops ops = {.kick = kick, .owned = owned};
	static const struct lw_chip_ioapic ioapic = {.pins = 24, .version = 0x20};
	struct lw_chip_config config = {.ops = &ops,
					.hooks = lw_eoi_hooks(),
					.nvcpus = 2,
					.nioapics = 1,
					.ioapic = &ioapic,
					.gsis = 24};
	struct lw_eoi_config policy = {.policy = LW_EOI_ARMED, .nvcpus = 2, .env = lw_chip_env()};
	struct lw_chip *chip = aligned_alloc(LW_CHIP_ALIGN, lw_chip_size(&config));
	struct lw_eoi *eoi = aligned_alloc(LW_EOI_ALIGN, lw_eoi_size(2));
	struct lw_eoi_counters counted;

	policy.ctx = chip;
	config.eoi = eoi;
	if (!chip || !eoi || lw_eoi_init(eoi, &policy) || lw_chip_init(chip, &config))
		return 1;
	for (uint32_t n = 0; n < 2; n++)
		lw_lapic_write(lw_chip_lapic(chip, n), LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);

	write_rte(lw_chip_ioapic(chip, 0), GSI, route(0, 0x50));
	lw_chip_line(chip, GSI, 0, true);
	printf("vCPU 0 takes vector %#x; ", (unsigned)lw_lapic_accept(lw_chip_lapic(chip, 0)));
	write_rte(lw_chip_ioapic(chip, 0), GSI, route(1, 0x50));
	printf("it is moved to vCPU 1 and EOI'd\n");
	lw_lapic_eoi(lw_chip_lapic(chip, 0)); /* the line is still high: it comes again, there */
	printf("vCPU 1 takes vector %#x\n", (unsigned)lw_lapic_accept(lw_chip_lapic(chip, 1)));
	lw_chip_line(chip, GSI, 0, false);
	lw_lapic_eoi(lw_chip_lapic(chip, 1));

	counted = lw_eoi_counters(eoi);
	printf("EOIs that left the guest: %u, for nothing: %u\n",
	       (unsigned)(counted.necessary + counted.superfluous), (unsigned)counted.superfluous);
	free(chip);
	free(eoi);
	return 0;
}

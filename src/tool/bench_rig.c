/* SPDX-License-Identifier: MIT */
/* Controllers to measure: set up, driven by one thread, taken down. */
#include "tool/bench.h"

#include <errno.h>
#include <stdlib.h>

#define PINS_OF_ONE 128u /* of an I/O APIC, where there are more of them than one */

static void bench_kick(void *ctx, uint32_t vcpu)
{
	struct bench_rig *rig = ctx;

	if (rig->kicks < rig->kicked_size)
		rig->kicked[rig->kicks++] = vcpu;
}

/* As posted-interrupt hardware does, a vCPU looks by itself. */
static void bench_notify(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
}

/* One thread drives them all. */
static bool bench_owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
	return true;
}

static const struct lw_chip_ops ops = {
	.kick = bench_kick, .notify = bench_notify, .owned = bench_owned};

static void *storage(size_t size)
{
	return aligned_alloc(LW_CHIP_ALIGN, (size + LW_CHIP_ALIGN - 1) & ~(LW_CHIP_ALIGN - 1ul));
}

static int init_chip(struct bench_rig *rig, struct lw_chip_config *config,
		     struct lw_eoi_config *eoi)
{
	int err;

	rig->chip = storage(lw_chip_size(config));
	rig->eoi = storage(lw_eoi_size(rig->vcpus));
	rig->kicked_size = rig->vcpus;
	rig->kicked = calloc(rig->kicked_size, sizeof(*rig->kicked));
	if (!rig->chip || !rig->eoi || !rig->kicked)
		return -ENOMEM;
	eoi->ctx = rig->chip;
	config->eoi = rig->eoi;
	err = lw_eoi_init(rig->eoi, eoi);
	if (!err)
		err = lw_chip_init(rig->chip, config);
	for (uint32_t n = 0; !err && n < rig->vcpus; n++)
		lw_lapic_write(lw_chip_lapic(rig->chip, n), LW_LAPIC_SVR, LW_SVR_ENABLE | 0xffu);
	return err;
}

int lw_bench_open(struct bench_rig *rig, enum lw_eoi_policy policy, bool hardware, uint32_t vcpus,
		  uint32_t routes)
{
	struct lw_chip_ioapic ioapic[LW_CHIP_MAX_IOAPICS];
	struct lw_chip_config config = {.ops = &ops,
					.ctx = rig,
					.hooks = lw_eoi_hooks(),
					.nvcpus = vcpus,
					.x2apic = true,
					.ioapic = ioapic};
	struct lw_eoi_config eoi = {.policy = policy,
				    .flags = hardware ? LW_EOI_HARDWARE : 0,
				    .nvcpus = vcpus,
				    .env = lw_chip_env()};
	uint32_t chips = (routes + PINS_OF_ONE - 1) / PINS_OF_ONE;

	*rig = (struct bench_rig){.vcpus = vcpus, .pins = routes / chips};
	rig->routes = chips * rig->pins;
	config.nioapics = chips;
	config.gsis = rig->routes;
	for (uint32_t n = 0; n < chips; n++)
		ioapic[n] = (struct lw_chip_ioapic){.gsi_base = n * rig->pins,
						    .pins = rig->pins,
						    .flags = LW_IOAPIC_EXT_DEST,
						    .version = 0x20};
	return init_chip(rig, &config, &eoi);
}

int lw_bench_open_lapic(struct bench_rig *rig, const struct lw_lapic_ops *lapic_ops)
{
	struct lw_lapic_config config = {.ops = lapic_ops, .ctx = rig, .x2apic = true};
	int err;

	*rig = (struct bench_rig){.vcpus = 1};
	rig->alone = storage(LW_LAPIC_SIZE);
	if (!rig->alone)
		return -ENOMEM;
	err = lw_lapic_init(rig->alone, &config);
	if (!err)
		lw_lapic_write(rig->alone, LW_LAPIC_SVR, LW_SVR_ENABLE | 0xffu);
	return err;
}

int lw_bench_open_ioapic(struct bench_rig *rig, const struct lw_ioapic_ops *ioapic_ops)
{
	struct lw_ioapic_config config = {.ops = ioapic_ops,
					  .ctx = rig,
					  .pins = LW_IOAPIC_MIN_PINS,
					  .nvcpus = 1,
					  .version = 0x20};

	rig->beside = storage(lw_ioapic_size(&config));
	return rig->beside ? lw_ioapic_init(rig->beside, &config) : -ENOMEM;
}

void lw_bench_close(struct bench_rig *rig)
{
	free(rig->chip);
	free(rig->eoi);
	free(rig->kicked);
	free(rig->alone);
	free(rig->beside);
	free(rig->snapshot);
	*rig = (struct bench_rig){0};
}

/* What a guest makes of it: the high half of an RTE, then the low one, through the chip's window.
 */
void lw_bench_write_rte(struct bench_rig *rig, uint32_t gsi, uint32_t vcpu, uint8_t vector)
{
	struct lw_ioapic *io = lw_chip_ioapic(rig->chip, gsi / rig->pins);
	uint32_t low = vector | (uint32_t)LW_RTE_LEVEL;
	uint32_t high = (vcpu & 0xff) << 24 | (vcpu >> 8) << 17;
	uint32_t index = 0x10 + 2 * (gsi % rig->pins);

	index++;
	lw_ioapic_mmio_write(io, 0, &index, sizeof(index));
	lw_ioapic_mmio_write(io, 0x10, &high, sizeof(high));
	index--;
	lw_ioapic_mmio_write(io, 0, &index, sizeof(index));
	lw_ioapic_mmio_write(io, 0x10, &low, sizeof(low));
}

void lw_bench_pass(struct bench_rig *rig, uint32_t vcpu)
{
	lw_chip_exit(rig->chip, vcpu);
	lw_chip_enter(rig->chip, vcpu);
}

/* Vectors as an allocator hands them out on each vCPU, from its lowest. */
uint8_t lw_bench_vector(const struct bench_rig *rig, uint32_t gsi)
{
	return (uint8_t)(0x20 + gsi / rig->vcpus % 0xc0);
}

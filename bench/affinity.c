/* SPDX-License-Identifier: MIT */
/*
 * What one affinity change costs: `affinity POLICY VCPUS ROUTES CHANGES`. bench/affinity.sh counts
 * the instructions of measured() under callgrind. A change is what a guest makes of it: the high
 * half of an RTE, then the low one, through the chip's window; whoever is kicked for it leaves and
 * enters guest mode again, and so does the new target, as if for something else.
 */
#include <lapwing/lapwing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PINS_OF_ONE 128u

struct bench {
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	uint32_t vcpus, chips, pins;
	uint32_t *kicked;
	uint32_t kicks;
};

static void kick(void *ctx, uint32_t vcpu)
{
	struct bench *b = ctx;

	b->kicked[b->kicks++] = vcpu;
}

static const struct lw_chip_ops ops = {.kick = kick};

static int setup(struct bench *b, enum lw_eoi_policy policy, uint32_t routes)
{
	struct lw_chip_ioapic ioapic[LW_CHIP_MAX_IOAPICS];
	struct lw_chip_config config = {.ops = &ops,
					.ctx = b,
					.hooks = lw_eoi_hooks(),
					.nvcpus = b->vcpus,
					.x2apic = true,
					.ioapic = ioapic};
	struct lw_eoi_config eoi = {.policy = policy,
				    .flags = LW_EOI_HARDWARE,
				    .nvcpus = b->vcpus,
				    .env = lw_chip_env()};

	b->chips = (routes + PINS_OF_ONE - 1) / PINS_OF_ONE;
	b->pins = routes / b->chips;
	config.nioapics = b->chips;
	config.gsis = b->chips * b->pins;
	for (uint32_t n = 0; n < b->chips; n++)
		ioapic[n] = (struct lw_chip_ioapic){.gsi_base = n * b->pins,
						    .pins = b->pins,
						    .flags = LW_IOAPIC_EXT_DEST,
						    .version = 0x20};
	b->chip = aligned_alloc(64, lw_chip_size(&config));
	b->eoi = aligned_alloc(64, lw_eoi_size(b->vcpus));
	b->kicked = calloc(b->vcpus, sizeof(*b->kicked));
	if (!b->chip || !b->eoi || !b->kicked)
		return 1;
	eoi.ctx = b->chip;
	config.eoi = b->eoi;
	return lw_eoi_init(b->eoi, &eoi) || lw_chip_init(b->chip, &config);
}

static void write_rte(struct bench *b, uint32_t gsi, uint32_t vcpu, uint32_t vector)
{
	struct lw_ioapic *io = lw_chip_ioapic(b->chip, gsi / b->pins);
	uint32_t low = vector | (uint32_t)LW_RTE_LEVEL;
	uint32_t high = (vcpu & 0xff) << 24 | (vcpu >> 8) << 17;
	uint32_t index = 0x10 + 2 * (gsi % b->pins);

	index++;
	lw_ioapic_mmio_write(io, 0, &index, sizeof(index));
	lw_ioapic_mmio_write(io, 0x10, &high, sizeof(high));
	index--;
	lw_ioapic_mmio_write(io, 0, &index, sizeof(index));
	lw_ioapic_mmio_write(io, 0x10, &low, sizeof(low));
}

static void pass(struct bench *b, uint32_t vcpu)
{
	lw_chip_exit(b->chip, vcpu);
	lw_chip_enter(b->chip, vcpu);
}

/* Vectors as an allocator hands them out on each vCPU, from its lowest. A change takes another one,
 * so that with one vCPU, too, there is something to change. */
static uint32_t vector_of(const struct bench *b, uint32_t n)
{
	return 0x20 + n / b->vcpus % 0xc0;
}

__attribute__((noinline)) static void measured(struct bench *b, uint32_t gsi, uint32_t to,
					       uint32_t vector)
{
	write_rte(b, gsi, to, vector);
	while (b->kicks)
		pass(b, b->kicked[--b->kicks]);
	pass(b, to);
}

int main(int argc, char **argv)
{
	struct bench b = {0};
	uint32_t routes, changes;
	int policy = argc == 5 ? lw_eoi_policy_by_name(argv[1]) : -1;

	if (policy < 0) {
		fprintf(stderr, "usage: affinity POLICY VCPUS ROUTES CHANGES\n");
		return 2;
	}
	b.vcpus = (uint32_t)strtoul(argv[2], NULL, 0);
	routes = (uint32_t)strtoul(argv[3], NULL, 0);
	changes = (uint32_t)strtoul(argv[4], NULL, 0);
	if (!b.vcpus || routes < LW_IOAPIC_MIN_PINS ||
	    setup(&b, (enum lw_eoi_policy)policy, routes)) {
		fprintf(stderr, "affinity: no such machine\n");
		return 2;
	}
	routes = b.chips * b.pins;
	for (uint32_t n = 0; n < b.vcpus; n++)
		lw_chip_enter(b.chip, n);
	for (uint32_t n = 0; n < routes; n++) {
		write_rte(&b, n, n % b.vcpus, vector_of(&b, n));
		b.kicks = 0;
	}
	for (uint32_t n = 0; n < b.vcpus; n++)
		pass(&b, n);
	for (uint32_t n = 0; n < changes; n++) {
		uint32_t gsi = n * 7919u % routes;

		measured(&b, gsi, (gsi + 1 + n) % b.vcpus, vector_of(&b, gsi) + 1);
	}
	free(b.chip);
	free(b.eoi);
	free(b.kicked);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Lapwing made wrong, each in one way, so that one sees the test find it. */
#include "diff.h"

/* A write of the register, in either mode's form. */
static bool writes(const struct diff_op *op, uint32_t reg)
{
	return (op->kind == OP_PAGE_WRITE && op->address == reg) ||
	       (op->kind == OP_MSR_WRITE && op->address == LW_MSR_X2APIC + (reg >> 4));
}

static void cluster_is_flat(struct diff_op *op)
{
	if (writes(op, LW_LAPIC_DFR))
		op->value = UINT32_MAX;
}

static void tpr_is_halved(struct diff_op *op)
{
	if (writes(op, LW_LAPIC_TPR))
		op->value &= 0x7f;
}

static void others_is_all(struct diff_op *op)
{
	if (writes(op, LW_LAPIC_ICR) && (op->value >> 18 & 3u) == 3)
		op->value ^= 1u << 18;
}

static void lvt_bit_is_lost(struct diff_op *op)
{
	if (writes(op, LW_LAPIC_LVT_THERMAL))
		op->value &= ~(uint64_t)0x400;
}

static void pin_is_off_by_one(struct diff_op *op)
{
	if (op->kind == OP_LINE && op->address == 20)
		op->address++;
}

static void trigger_mode_is_lost(struct diff_op *op)
{
	if (op->kind == OP_MSI)
		op->value &= ~(uint64_t)0xc000;
}

static void specific_eoi_is_not(struct diff_op *op)
{
	if (op->kind == OP_PORT_WRITE && (op->address & ~0x80u) == 0x20 && op->value >> 5 == 3)
		op->value &= 0x3f;
}

static void rotation_is_lost(struct diff_op *op)
{
	if (op->kind == OP_PORT_WRITE && (op->address & ~0x80u) == 0x20 && op->value >> 5 == 5)
		op->value &= 0x7f;
}

static void reserved_bit_is_no_fault(struct diff_op *op)
{
	if (op->kind == OP_MSR_WRITE && op->address == LW_MSR_APIC_BASE)
		op->value &= ~(uint64_t)0xff;
}

static void read_is_of_the_next_register(struct diff_op *op)
{
	if (op->kind == OP_PAGE_READ && op->address == LW_LAPIC_DCR)
		op->address = LW_LAPIC_SVR;
}

const struct diff_mutant diff_mutants[] = {
	{"cluster-is-flat", cluster_is_flat},
	{"tpr-is-halved", tpr_is_halved},
	{"others-is-all", others_is_all},
	{"lvt-bit-is-lost", lvt_bit_is_lost},
	{"pin-is-off-by-one", pin_is_off_by_one},
	{"trigger-mode-is-lost", trigger_mode_is_lost},
	{"specific-eoi-is-not", specific_eoi_is_not},
	{"rotation-is-lost", rotation_is_lost},
	{"reserved-bit-is-no-fault", reserved_bit_is_no_fault},
	{"read-is-of-the-next", read_is_of_the_next_register},
};

const unsigned diff_mutant_count = sizeof(diff_mutants) / sizeof(*diff_mutants);

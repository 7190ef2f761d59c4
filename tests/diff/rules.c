/* SPDX-License-Identifier: MIT */
/*
 * The known deviations, each as narrow as it can be told: which bits may differ, after which
 * operation, in which direction. docs/deviations.md justifies them. Here is what they are told by.
 */
#include "rules.h"

#define DIFF_ROW(function, name, then) {name, then, rule_##function, 0, 0},

struct diff_rule diff_rules[] = {DIFF_RULES(DIFF_ROW)};

const unsigned diff_rule_count = sizeof(diff_rules) / sizeof(*diff_rules);

/* ---- what the operation was ---- */

bool diff_in_mode(const struct diff_case *c, uint32_t bits)
{
	return (c->before.lapic[c->op.cpu].base & (BASE_EN | BASE_EXTD)) == bits;
}

/* The register that a guest's access names, in the form of the mode it is in. */
uint32_t diff_accessed(const struct diff_case *c)
{
	const struct diff_op *op = &c->op;

	if (op->kind == OP_PAGE_READ || op->kind == OP_PAGE_WRITE)
		return diff_in_mode(c, BASE_EN) && op->width == 4 && op->address % 16 == 0
			       ? op->address
			       : NO_REGISTER;
	if ((op->kind == OP_MSR_READ || op->kind == OP_MSR_WRITE) && op->address >= LW_MSR_X2APIC &&
	    op->address <= LW_MSR_X2APIC_LAST && diff_in_mode(c, BASE_EN | BASE_EXTD))
		return (op->address - LW_MSR_X2APIC) << 4;
	return NO_REGISTER;
}

bool diff_is_write(const struct diff_case *c)
{
	return c->op.kind == OP_PAGE_WRITE || c->op.kind == OP_MSR_WRITE;
}

bool diff_writes(const struct diff_case *c, uint32_t reg)
{
	return diff_is_write(c) && diff_accessed(c) == reg;
}

/* The register that differs, in the state or in what the guest read of it. */
uint32_t diff_register_of(const struct diff_case *c, const struct diff_one *d)
{
	if (d->where == AT_REG)
		return d->index;
	return d->where == AT_VALUE && !diff_is_write(c) ? diff_accessed(c) : NO_REGISTER;
}

static bool is_set(uint32_t reg)
{
	return reg >= LW_LAPIC_ISR && reg < LW_LAPIC_IRR + 0x80;
}

/* The bit of a vector in IRR or TMR, if this is the register that has it. */
uint64_t diff_vector_bit(const struct diff_one *d, uint32_t vector)
{
	if (d->where != AT_REG || d->index < LW_LAPIC_TMR || !is_set(d->index) ||
	    (d->index >> 4 & 7u) != vector >> 5)
		return 0;
	return 1ull << (vector & 31u);
}

bool diff_is_nmi(const struct diff_one *d)
{
	return d->where == AT_NMI || d->where == AT_NMI_PENDING;
}

bool diff_message_of(const struct diff_case *c, struct diff_message *m)
{
	const struct diff_op *op = &c->op;
	uint64_t address = op->address, data = op->value;

	if (op->kind == OP_LINE && op->value && c->msi_routes >> op->address & 1u) {
		address = c->msi_address[op->address];
		data = c->msi_data[op->address];
	} else if (op->kind != OP_MSI && !diff_writes(c, LW_LAPIC_ICR)) {
		return false;
	}
	*m = (struct diff_message){
		.vector = data & 0xffu,
		.delivery = data >> 8 & 7u,
		.level = (data & MSI_LEVEL) != 0, /* the same bits in ICR */
		.asserted = (data & MSI_ASSERT) != 0,
		.ipi = diff_is_write(c),
		.logical =
			diff_is_write(c) ? (data & ICR_LOGICAL) != 0 : (address & MSI_LOGICAL) != 0,
		.hint = !diff_is_write(c) && address & MSI_HINT,
		.shorthand = diff_is_write(c) && data >> 18 & 3u,
	};
	return true;
}

/* All that a vCPU's own write may have changed. */
uint64_t diff_anything_of(const struct diff_one *d, uint32_t cpu)
{
	if (d->where == AT_FAULT || d->where == AT_RTE)
		return ALL;
	return (d->where == AT_REG || d->where == AT_BASE || d->where == AT_ICR_HIGH) &&
			       d->cpu == cpu
		       ? ALL
		       : 0;
}

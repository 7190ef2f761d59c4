/* SPDX-License-Identifier: MIT */
/* Lapwing's chips, and of a VMM and two vCPUs what they need. */
#include <stdlib.h>
#include <string.h>

#include "diff.h"

struct diff_ours {
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	bool kicked[DIFF_CPUS];
	bool nmi[DIFF_CPUS];
	bool init[DIFF_CPUS];
	uint32_t sent_now; /* pins, in this operation */
	uint8_t sent_to[DIFF_PINS], sent_vector[DIFF_PINS];
	struct diff_op op; /* as a mutant hears it */
	unsigned mutant;
};

static void kick(void *ctx, uint32_t vcpu)
{
	struct diff_ours *o = ctx;

	o->kicked[vcpu] = true;
}

static bool owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
	return true;
}

/* Whom a pin's level message went to, the last that the chip says it sent. */
static void on_trace(void *ctx, const struct lw_trace *event)
{
	struct diff_ours *o = ctx;
	uint32_t pin = (uint32_t)event->gsi;

	if (event->kind != LW_TRACE_POSTED || event->gsi < 0 || !event->level)
		return;
	if (!(o->sent_now >> pin & 1u))
		o->sent_to[pin] = 0;
	o->sent_now |= 1u << pin;
	o->sent_to[pin] |= (uint8_t)(1u << event->vcpu);
	o->sent_vector[pin] = event->vector;
}

static void on_signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	struct diff_ours *o = ctx;

	(void)vector;
	if (delivery == LW_DM_NMI)
		o->nmi[vcpu] = true;
	else if (delivery == LW_DM_INIT)
		o->init[vcpu] = true;
}

struct diff_ours *diff_ours_create(enum lw_eoi_policy policy, unsigned mutant)
{
	static const struct lw_chip_ops ops = {
		.kick = kick, .owned = owned, .signal = on_signal, .trace = on_trace};
	static const struct lw_chip_ioapic ioapic = {.pins = DIFF_PINS, .version = 0x11};
	struct lw_eoi_config eoi = {.policy = policy, .nvcpus = DIFF_CPUS, .env = lw_chip_env()};
	struct diff_ours *o = calloc(1, sizeof(*o));
	struct lw_chip_config config = {.ops = &ops,
					.ctx = o,
					.hooks = lw_eoi_hooks(),
					.nvcpus = DIFF_CPUS,
					.nioapics = 1,
					.ioapic = &ioapic,
					.gsis = DIFF_GSIS,
					.pic = true};

	if (!o)
		exit(3);
	o->mutant = mutant;
	o->chip = aligned_alloc(LW_CHIP_ALIGN, lw_chip_size(&config));
	o->eoi = aligned_alloc(LW_EOI_ALIGN, lw_eoi_size(DIFF_CPUS));
	eoi.ctx = o->chip;
	config.eoi = o->eoi;
	if (!o->chip || !o->eoi || lw_eoi_init(o->eoi, &eoi) || lw_chip_init(o->chip, &config))
		exit(3);
	return o;
}

void diff_ours_destroy(struct diff_ours *o)
{
	free(o->chip);
	free(o->eoi);
	free(o);
}

/* ---- operations ---- */

static struct lw_lapic *lapic_of(const struct diff_ours *o, uint32_t cpu)
{
	return lw_chip_lapic(o->chip, cpu);
}

/* A guest's access of other than 4 bytes is the VMM's to refuse. */
static void page_access(const struct diff_ours *o, const struct diff_op *op,
			struct diff_outcome *outcome)
{
	struct lw_lapic *l = lapic_of(o, op->cpu);

	if (op->kind == OP_PAGE_READ && op->width == 4)
		outcome->value = lw_lapic_page_read(l, op->address);
	else if (op->kind == OP_PAGE_READ && lw_lapic_mode(l) != LW_LAPIC_XAPIC)
		outcome->value = UINT64_MAX >> (64u - 8u * op->width);
	else if (op->kind == OP_PAGE_WRITE && op->width == 4)
		lw_lapic_page_write(l, op->address, (uint32_t)op->value);
}

static void msr_access(const struct diff_ours *o, const struct diff_op *op,
		       struct diff_outcome *outcome)
{
	struct lw_lapic *l = lapic_of(o, op->cpu);

	if (op->kind == OP_MSR_READ)
		outcome->fault = lw_lapic_msr_read(l, op->address, &outcome->value) != 0;
	else
		outcome->fault = lw_lapic_msr_write(l, op->address, op->value) != 0;
}

static void guest_access(struct diff_ours *o, const struct diff_op *op,
			 struct diff_outcome *outcome)
{
	struct lw_ioapic *io = lw_chip_ioapic(o->chip, 0);

	switch (op->kind) {
	case OP_PAGE_READ:
	case OP_PAGE_WRITE:
		page_access(o, op, outcome);
		break;
	case OP_IO_READ:
		lw_ioapic_mmio_read(io, op->address, &outcome->value, op->width);
		break;
	case OP_IO_WRITE:
		lw_ioapic_mmio_write(io, op->address, &op->value, op->width);
		break;
	case OP_MSR_READ:
	case OP_MSR_WRITE:
		msr_access(o, op, outcome);
		break;
	case OP_CR8_READ:
		outcome->value = lw_lapic_cr8(lapic_of(o, op->cpu));
		break;
	case OP_CR8_WRITE:
		outcome->fault = lw_lapic_set_cr8(lapic_of(o, op->cpu), op->value) != 0;
		break;
	case OP_PORT_READ:
		outcome->value =
			lw_pic_read(lw_chip_pic(o->chip), (uint16_t)op->address, op->width);
		break;
	case OP_PORT_WRITE:
		lw_pic_write(lw_chip_pic(o->chip), (uint16_t)op->address, (uint32_t)op->value,
			     op->width);
		break;
	default:
		outcome->vector = lw_chip_accept(o->chip, op->cpu);
	}
}

static void route(struct diff_ours *o, uint32_t gsi, const struct diff_op *op)
{
	struct lw_route table[DIFF_GSIS + LW_PIC_PINS];
	struct lw_route old[LW_ROUTES_PER_GSI];
	size_t count = 0;

	for (uint32_t n = 0; n < DIFF_GSIS; n++) {
		size_t found = lw_routes_find(lw_chip_routes(o->chip), n, old);

		if (n == gsi && op->address) {
			table[count++] = (struct lw_route){.gsi = n,
							   .type = LW_ROUTE_MSI,
							   .address = op->address,
							   .data = (uint32_t)op->value};
		} else if (n == gsi && gsi < DIFF_PINS) { /* no 8259's: none above 15 is */
			table[count++] = (struct lw_route){
				.gsi = n, .type = LW_ROUTE_IOAPIC, .pin = (uint16_t)n};
		} else if (n != gsi) {
			for (size_t i = 0; i < found; i++)
				table[count++] = old[i];
		}
	}
	if (lw_routes_set(lw_chip_routes(o->chip), table, count))
		exit(3);
}

/* Nothing is in flight any more to one that was reset or is off. */
static void forget_sent(struct diff_ours *o, uint32_t cpu)
{
	for (uint32_t pin = 0; pin < DIFF_PINS; pin++)
		o->sent_to[pin] &= (uint8_t) ~(1u << cpu);
}

void diff_ours_run(struct diff_ours *o, const struct diff_op *op, struct diff_outcome *outcome)
{
	*outcome = (struct diff_outcome){.vector = -1};
	o->sent_now = 0;
	o->op = *op;
	if (o->mutant)
		diff_mutants[o->mutant - 1u].hears(&o->op);
	op = &o->op;
	switch (op->kind) {
	case OP_LINE:
		(void)lw_chip_line(o->chip, op->address, 0, op->value != 0);
		break;
	case OP_MSI:
		(void)lw_chip_msi(o->chip, op->address, (uint32_t)op->value);
		break;
	case OP_ROUTE:
		route(o, op->width, op);
		break;
	default:
		guest_access(o, op, outcome);
	}
	for (uint32_t cpu = 0; cpu < DIFF_CPUS; cpu++) {
		if (o->kicked[cpu])
			lw_chip_exit(o->chip, cpu);
		o->kicked[cpu] = false;
		if (o->init[cpu]) {
			lw_chip_init_vcpu(o->chip, cpu);
			o->nmi[cpu] = false;
		}
		if (o->init[cpu] || lw_lapic_mode(lapic_of(o, cpu)) == LW_LAPIC_DISABLED)
			forget_sent(o, cpu);
		o->init[cpu] = false;
	}
	if (!diff_is_guests(op))
		return;
	outcome->nmi = o->nmi[op->cpu];
	o->nmi[op->cpu] = false;
}

bool diff_ours_pending(struct diff_ours *o, uint32_t cpu)
{
	return lw_chip_pending(o->chip, cpu) >= 0;
}

void diff_ours_forget_nmis(struct diff_ours *o)
{
	memset(o->nmi, 0, sizeof(o->nmi));
}

/* ---- state ---- */

/* What a look at the registers changes nothing of, in either mode. */
static bool is_state(uint32_t offset)
{
	return offset == LW_LAPIC_ID || offset == LW_LAPIC_VERSION || offset == LW_LAPIC_TPR ||
	       offset == LW_LAPIC_PPR || (offset >= LW_LAPIC_LDR && offset <= LW_LAPIC_ESR) ||
	       (offset >= LW_LAPIC_ICR && offset <= LW_LAPIC_TMICT && offset != LW_LAPIC_ICR2) ||
	       offset == LW_LAPIC_DCR;
}

static void lapic_state(const struct diff_ours *o, uint32_t cpu, struct diff_lapic *state)
{
	struct lw_lapic *l = lapic_of(o, cpu);
	bool x2apic = lw_lapic_mode(l) == LW_LAPIC_X2APIC;

	memset(state, 0, sizeof(*state));
	state->base = lw_lapic_base(l);
	state->nmi = o->nmi[cpu];
	for (uint32_t n = 0; n < DIFF_REGS; n++)
		if (is_state(n * 16u) && !(x2apic && n * 16u == LW_LAPIC_DFR)) {
			state->reg[n] = lw_lapic_read(l, n * 16u);
			state->state |= 1ull << n;
		}
	state->icr_high = (uint32_t)(lw_lapic_icr(l) >> 32);
}

void diff_ours_state(struct diff_ours *o, struct diff_state *state)
{
	struct lw_ioapic *io = lw_chip_ioapic(o->chip, 0);

	memset(state, 0, sizeof(*state));
	memcpy(state->sent_to, o->sent_to, sizeof(o->sent_to));
	memcpy(state->sent_vector, o->sent_vector, sizeof(o->sent_vector));
	for (uint32_t cpu = 0; cpu < DIFF_CPUS; cpu++)
		lapic_state(o, cpu, &state->lapic[cpu]);
	lw_ioapic_mmio_read(io, 0, &state->ioregsel, sizeof(state->ioregsel));
	state->id = lw_ioapic_read(io, 0) >> 24;
	for (uint32_t n = 0; n < DIFF_PINS; n++)
		(void)lw_ioapic_rte(io, n, &state->rte[n]);
	for (uint32_t n = 0; n < 2; n++)
		(void)lw_pic_regs(lw_chip_pic(o->chip), n, &state->pic[n]);
}

/* SPDX-License-Identifier: MIT */
/* Operations drawn at random, so that what they do meets: few vectors, few pins, and much of it
 * as a guest would do it. Nothing here depends on what the chips answer. */
#include "diff.h"

/* splitmix64, by Sebastiano Vigna, in the public domain. */
uint64_t diff_draw(struct diff_chance *c)
{
	uint64_t z = c->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t diff_below(struct diff_chance *c, uint32_t limit)
{
	return (uint32_t)((diff_draw(c) >> 32) * limit >> 32);
}

static uint32_t below(struct diff_generator *g, uint32_t limit)
{
	return diff_below(&g->chance, limit);
}

static bool one_in(struct diff_generator *g, uint32_t n)
{
	return below(g, n) == 0;
}

static uint32_t pick(struct diff_generator *g, const uint32_t *from, size_t count)
{
	return from[below(g, (uint32_t)count)];
}

#define PICK(g, table) pick(g, table, sizeof(table) / sizeof(*(table)))

static void push(struct diff_generator *g, struct diff_op op)
{
	g->queue[g->queued++] = op;
}

/* ---- parts ---- */

static uint32_t draw_vector(struct diff_generator *g)
{
	static const uint32_t some[] = {0x10, 0x1f, 0x20, 0x31, 0x32, 0x40, 0x41, 0x50,
					0x51, 0x5f, 0x60, 0x7f, 0x80, 0xa5, 0xe0, 0xff};

	if (g->wild && one_in(g, 60))
		return below(g, 16);
	return one_in(g, 10) ? 16u + below(g, 240) : PICK(g, some);
}

/* Never SMI; INIT only where the caller says so. */
static uint32_t draw_delivery(struct diff_generator *g)
{
	static const uint32_t rare[] = {LW_DM_LOWEST, LW_DM_NMI, LW_DM_EXTINT, LW_DM_RESERVED};

	return one_in(g, 6) ? PICK(g, rare) : LW_DM_FIXED;
}

static uint32_t draw_dest(struct diff_generator *g)
{
	static const uint32_t some[] = {0, 1, 0, 1, 2, 3, 0xff, 0x11, 0x12, 0xf1, 0x80, 0x13};

	return one_in(g, 12) ? below(g, 256) : PICK(g, some);
}

static void page(struct diff_generator *g, enum diff_op_kind kind, uint32_t cpu, uint32_t offset,
		 uint64_t value)
{
	push(g, (struct diff_op){kind, cpu, 4, offset, value});
}

/* A register in the form of the mode that the LAPIC is in. */
static void reg_write(struct diff_generator *g, uint32_t cpu, uint32_t offset, uint64_t value)
{
	if (g->x2apic[cpu])
		push(g,
		     (struct diff_op){OP_MSR_WRITE, cpu, 8, LW_MSR_X2APIC + (offset >> 4), value});
	else
		page(g, OP_PAGE_WRITE, cpu, offset, value & UINT32_MAX);
}

static void reg_read(struct diff_generator *g, uint32_t cpu, uint32_t offset)
{
	if (g->x2apic[cpu])
		push(g, (struct diff_op){OP_MSR_READ, cpu, 8, LW_MSR_X2APIC + (offset >> 4), 0});
	else
		page(g, OP_PAGE_READ, cpu, offset, 0);
}

/* ---- LAPIC ---- */

static uint64_t draw_icr(struct diff_generator *g)
{
	uint64_t icr = draw_vector(g) | draw_delivery(g) << 8;

	if (one_in(g, 3))
		icr |= (uint64_t)below(g, 4) << 18; /* shorthand */
	if (one_in(g, 3))
		icr |= 1u << 11; /* logical */
	if (!one_in(g, 5))
		icr |= 1u << 14; /* assert */
	if (g->wild && one_in(g, 12))
		icr |= 1u << 15; /* level */
	if (g->wild && one_in(g, 25))
		icr |= 1u << (12u + below(g, 20));
	if (one_in(g, 30))
		icr = (icr & ~0x700ull) | (uint64_t)LW_DM_SIPI << 8;
	return icr;
}

static void ipi(struct diff_generator *g, uint32_t cpu)
{
	uint64_t icr = draw_icr(g);
	uint32_t dest = draw_dest(g);

	if (one_in(g, 40)) { /* INIT of the other */
		icr = (uint64_t)LW_DM_INIT << 8 | 1u << 14;
		dest = 1u - cpu;
	}
	if (g->x2apic[cpu]) {
		if (icr & 1u << 11 && !one_in(g, 4))
			dest &= 3u;
		reg_write(g, cpu, LW_LAPIC_ICR, icr | (uint64_t)dest << 32);
		return;
	}
	if (!one_in(g, 6))
		page(g, OP_PAGE_WRITE, cpu, LW_LAPIC_ICR2, dest << 24);
	else if ((icr >> 8 & 7u) == LW_DM_INIT)
		return;
	page(g, OP_PAGE_WRITE, cpu, LW_LAPIC_ICR, icr);
}

static uint32_t draw_lvt(struct diff_generator *g)
{
	static const uint32_t all[] = {LW_LAPIC_LVT_TIMER, LW_LAPIC_LVT_THERMAL,
				       LW_LAPIC_LVT_PMC,   LW_LAPIC_LVT_LINT0,
				       LW_LAPIC_LVT_LINT1, LW_LAPIC_LVT_ERROR};

	return PICK(g, all);
}

static void lvt(struct diff_generator *g, uint32_t cpu)
{
	uint32_t offset = draw_lvt(g), value = draw_vector(g);

	if (one_in(g, 2))
		value |= 1u << 16;
	if (offset == LW_LAPIC_LVT_TIMER)
		value |= below(g, 4) << 17;
	else if (offset == LW_LAPIC_LVT_LINT0) /* KVM knows ExtINT or nothing */
		value = one_in(g, 2) ? (uint32_t)LW_DM_EXTINT << 8 : value | 1u << 16;
	else if (offset != LW_LAPIC_LVT_ERROR)
		value |= below(g, 8) << 8;
	else if (offset == LW_LAPIC_LVT_ERROR && !g->wild)
		value |= 1u << 16;
	if (offset == LW_LAPIC_LVT_LINT1)
		value |= below(g, 8) << 13;
	if (g->wild && offset != LW_LAPIC_LVT_LINT0 && one_in(g, 10))
		value ^= 1u << below(g, 32);
	reg_write(g, cpu, offset, value);
}

static void svr(struct diff_generator *g, uint32_t cpu)
{
	uint32_t value = 0xffu | (one_in(g, 5) ? 0 : LW_SVR_ENABLE) | below(g, 2) << 9;

	if (g->wild && one_in(g, 8))
		value ^= 1u << below(g, 32);
	reg_write(g, cpu, LW_LAPIC_SVR, value & ~LW_SVR_SUPPRESS);
}

static void addressing(struct diff_generator *g, uint32_t cpu)
{
	static const uint32_t ldrs[] = {0x01, 0x02, 0x03, 0x11, 0x12, 0x13, 0x81, 0xf1};
	static const uint32_t dfrs[] = {0xffffffff, 0x0fffffff, 0xffffffff, 0x00000000};

	if (one_in(g, 3))
		reg_write(g, cpu, LW_LAPIC_DFR,
			  g->wild && one_in(g, 6) ? diff_draw(&g->chance) : PICK(g, dfrs));
	else
		reg_write(g, cpu, LW_LAPIC_LDR,
			  (uint64_t)PICK(g, ldrs) << 24 | (one_in(g, 6) ? 0xabcdef : 0));
}

static void lapic_write(struct diff_generator *g, uint32_t cpu)
{
	switch (below(g, 14)) {
	case 0:
	case 1:
		svr(g, cpu);
		break;
	case 2:
	case 3:
		reg_write(g, cpu, LW_LAPIC_TPR, below(g, 256) & (one_in(g, 2) ? 0xff : 0x30));
		break;
	case 4:
	case 5:
		addressing(g, cpu);
		break;
	case 6:
	case 7:
		lvt(g, cpu);
		break;
	case 8:
		reg_write(g, cpu, LW_LAPIC_ESR, 0);
		break;
	case 9:
		reg_write(g, cpu, LW_LAPIC_DCR, below(g, 16));
		break;
	case 10:
		push(g, (struct diff_op){OP_CR8_WRITE, cpu, 8, 0, below(g, 16) >> below(g, 4)});
		break;
	case 11:
		if (g->x2apic[cpu])
			reg_write(g, cpu, LW_LAPIC_SELF_IPI, draw_vector(g));
		else
			reg_write(g, cpu, LW_LAPIC_TPR, 0);
		break;
	default:
		reg_write(g, cpu, LW_LAPIC_TPR, 0);
		break;
	}
}

/* Anything into any register but what would start a timer, move the page or kill a vCPU. */
static void lapic_wild_write(struct diff_generator *g, uint32_t cpu)
{
	uint32_t offset = below(g, 64) << 4;
	uint64_t value = diff_draw(&g->chance) >> below(g, 64);

	if (offset == LW_LAPIC_TMICT)
		value = 0;
	if (offset == LW_LAPIC_ICR)
		value &= ~0x700ull;
	if (offset == LW_LAPIC_LVT_LINT0)
		value |= 1u << 16;
	if (offset == LW_LAPIC_SVR)
		value = (value & ~(uint64_t)LW_SVR_SUPPRESS) | LW_SVR_ENABLE;
	if (one_in(g, 4) && !g->x2apic[cpu])
		push(g, (struct diff_op){OP_PAGE_WRITE, cpu, 1u << below(g, 4),
					 offset + below(g, 4) * 4u, value});
	else
		reg_write(g, cpu, offset, value);
}

static bool reads_well(uint32_t offset)
{
	return offset != LW_LAPIC_TMCCT;
}

static void lapic_read(struct diff_generator *g, uint32_t cpu)
{
	static const uint32_t usual[] = {
		LW_LAPIC_ID,  LW_LAPIC_VERSION,   LW_LAPIC_TPR,       LW_LAPIC_PPR,   LW_LAPIC_LDR,
		LW_LAPIC_DFR, LW_LAPIC_SVR,       LW_LAPIC_ESR,       LW_LAPIC_ICR,   LW_LAPIC_ICR2,
		LW_LAPIC_APR, LW_LAPIC_LVT_LINT0, LW_LAPIC_LVT_LINT1, LW_LAPIC_TMICT, LW_LAPIC_DCR};
	uint32_t offset = PICK(g, usual);

	if (one_in(g, 3))
		offset = LW_LAPIC_ISR + (below(g, 24) << 4);
	else if (one_in(g, 6))
		offset = draw_lvt(g);
	else if (g->wild && one_in(g, 6))
		offset = below(g, 64) << 4;
	if (reads_well(offset))
		reg_read(g, cpu, offset);
}

/* The mode that the vCPU is taken to be in changes only by steps that lead. */
static void mode(struct diff_generator *g, uint32_t cpu)
{
	const uint64_t page_at = 0xfee00000u, on = 1u << 11, x2 = 1u << 10;
	uint64_t value = page_at | on;

	switch (below(g, 6)) {
	case 0: /* may be a fault */
		value |= diff_draw(&g->chance) & (1u << 9 | 0xffu | 0xfull << 56);
		value |= g->x2apic[cpu] ? x2 : 0;
		value = g->off[cpu] ? page_at | 1u : value | 1u;
		break;
	case 1: /* EXTD without EN */
		value = page_at | x2;
		break;
	case 2: /* off */
		value = page_at;
		g->off[cpu] = true;
		g->x2apic[cpu] = false;
		break;
	case 3: /* where x2APIC mode is on, or the LAPIC off, a fault */
		if (!g->off[cpu]) {
			value |= x2;
			g->x2apic[cpu] = true;
		} else {
			value |= x2;
		}
		break;
	default: /* from x2APIC mode, a fault */
		if (!g->x2apic[cpu])
			g->off[cpu] = false;
		break;
	}
	push(g, (struct diff_op){OP_MSR_WRITE, cpu, 8, LW_MSR_APIC_BASE, value});
	push(g, (struct diff_op){OP_MSR_READ, cpu, 8, LW_MSR_APIC_BASE, 0});
	if (g->off[cpu] && one_in(g, 2)) {
		push(g, (struct diff_op){OP_MSR_WRITE, cpu, 8, LW_MSR_APIC_BASE, page_at | on});
		g->off[cpu] = false;
		reg_write(g, cpu, LW_LAPIC_SVR, LW_SVR_ENABLE | 0xffu);
	}
}

static void msr(struct diff_generator *g, uint32_t cpu)
{
	uint32_t index = LW_MSR_X2APIC + below(g, one_in(g, 8) ? 256 : 64);

	if (!reads_well((index - LW_MSR_X2APIC) << 4))
		return;
	push(g, (struct diff_op){OP_MSR_READ, cpu, 8, index, 0});
}

/* ---- I/O APIC ---- */

static void io_select(struct diff_generator *g, uint32_t cpu, uint32_t index)
{
	push(g, (struct diff_op){OP_IO_WRITE, cpu, 4, 0x00, index});
}

static void io_write(struct diff_generator *g, uint32_t cpu, uint32_t index, uint32_t value)
{
	io_select(g, cpu, index);
	push(g, (struct diff_op){OP_IO_WRITE, cpu, 4, 0x10, value});
}

static uint32_t draw_pin(struct diff_generator *g)
{
	static const uint32_t some[] = {0, 1, 3, 4, 5, 9, 10, 14, 16, 17, 18, 19, 20, 21, 22, 23};

	return PICK(g, some);
}

static void rte(struct diff_generator *g, uint32_t cpu)
{
	uint32_t index = 0x10u + 2u * draw_pin(g);
	uint32_t low = draw_vector(g) | draw_delivery(g) << 8, high = draw_dest(g) << 24;

	if (one_in(g, 4))
		low |= LW_RTE_LOGICAL;
	if (one_in(g, 5))
		low |= LW_RTE_LOW;
	if (!one_in(g, 3))
		low |= LW_RTE_LEVEL;
	if (low & LW_RTE_LEVEL && (low >> 8 & 7u) >= LW_DM_SMI && !g->wild)
		low &= ~(uint32_t)LW_RTE_DM;
	if (one_in(g, 5))
		low |= LW_RTE_MASK;
	if (one_in(g, 8))
		low |= 1u << (12u + below(g, 20));
	if (one_in(g, 8))
		high |= 1u << below(g, 32) & ~(uint32_t)LW_RTE_DM; /* wherever it goes: no SMI */
	if (one_in(g, 2)) {
		io_write(g, cpu, index + 1u, high);
		io_write(g, cpu, index, low);
	} else if (one_in(g, 2)) {
		io_write(g, cpu, index, low);
		io_write(g, cpu, index + 1u, high);
	} else {
		io_write(g, cpu, index + below(g, 2), one_in(g, 2) ? low : high);
	}
}

static void io_other(struct diff_generator *g, uint32_t cpu)
{
	static const uint32_t offsets[] = {0x00, 0x10, 0x10, 0x10, 0x20, 0x40, 0x30};
	uint32_t index = one_in(g, 4) ? below(g, 0x12) : 0x10u + below(g, 0x34);

	if (one_in(g, 6))
		io_write(g, cpu, 0, (uint32_t)diff_draw(&g->chance));
	if (one_in(g, 6))
		index = below(g, 256);
	io_select(g, cpu, index);
	push(g, (struct diff_op){OP_IO_READ, cpu, g->wild ? 1u << below(g, 4) : 4u,
				 PICK(g, offsets), 0});
	if (g->wild && one_in(g, 4))
		push(g, (struct diff_op){OP_IO_WRITE, cpu, 1u << below(g, 4), PICK(g, offsets),
					 diff_draw(&g->chance) & ~0x700u});
}

/* ---- 8259s ---- */

static void out(struct diff_generator *g, uint32_t cpu, uint32_t port, uint32_t value)
{
	push(g, (struct diff_op){OP_PORT_WRITE, cpu, 1, port, value & 0xffu});
}

static void pic_init(struct diff_generator *g, uint32_t cpu, bool slave)
{
	uint32_t port = slave ? 0xa0 : 0x20, icw1 = 0x11;

	if (g->wild && one_in(g, 8))
		icw1 = 0x10u | below(g, 16);
	out(g, cpu, port, icw1);
	out(g, cpu, port + 1u, 16u + below(g, 240)); /* below are exceptions */
	if (!(icw1 & 2u))
		out(g, cpu, port + 1u, slave ? 2 : 4);
	if (icw1 & 1u)
		out(g, cpu, port + 1u,
		    1u | (one_in(g, 4) ? 2u : 0) | (g->wild && one_in(g, 6) ? 0x10u : 0));
	out(g, cpu, port + 1u, one_in(g, 2) ? 0 : below(g, 256) & 0xfbu);
}

static void pic(struct diff_generator *g, uint32_t cpu)
{
	uint32_t port = one_in(g, 2) ? 0xa0 : 0x20;

	switch (below(g, 12)) {
	case 0:
		pic_init(g, cpu, one_in(g, 2));
		break;
	case 1:
	case 2:
		out(g, cpu, port + 1u, one_in(g, 3) ? below(g, 256) : 0);
		break;
	case 3:
	case 4:
	case 5:
		out(g, cpu, port, 0x20); /* the EOI most used */
		break;
	case 6:
	case 7: /* OCW2 */
		out(g, cpu, port, below(g, 8) << 5 | below(g, 8));
		break;
	case 8: /* OCW3: which register, rarely poll or special mask */
		if (g->wild && one_in(g, 6)) {
			out(g, cpu, port, 0x0c);
			push(g, (struct diff_op){OP_PORT_READ, cpu, 1, port + below(g, 2), 0});
			break;
		}
		out(g, cpu, port,
		    0x0au | below(g, 2) | (g->wild && one_in(g, 6) ? below(g, 2) << 5 | 0x40u : 0));
		break;
	case 9: /* the lines that may be level */
		push(g, (struct diff_op){OP_PORT_WRITE, cpu, 1, 0x4d0u + below(g, 2),
					 below(g, 256) & below(g, 256)});
		break;
	default:
		if (one_in(g, 8))
			port = 0x4d0;
		if (g->wild && one_in(g, 9))
			push(g, (struct diff_op){OP_PORT_READ, cpu, 2, port, 0});
		else
			push(g, (struct diff_op){OP_PORT_READ, cpu, 1, port + below(g, 2), 0});
	}
}

/* ---- the VMM ---- */

static void line(struct diff_generator *g)
{
	uint32_t gsi = one_in(g, 40) ? below(g, DIFF_GSIS) : draw_pin(g);

	if (gsi == LW_PIC_CASCADE_PIN)
		return;
	g->lines ^= 1u << gsi;
	push(g, (struct diff_op){OP_LINE, 0, 0, gsi, g->lines >> gsi & 1u});
	if (!one_in(g, 3) || !(g->lines >> gsi & 1u))
		return;
	g->lines ^= 1u << gsi;
	push(g, (struct diff_op){OP_LINE, 0, 0, gsi, 0});
}

static uint32_t draw_msi_data(struct diff_generator *g)
{
	uint32_t data = draw_vector(g) | draw_delivery(g) << 8;

	if (one_in(g, 4))
		data |= 1u << 15 | (one_in(g, 5) ? 0 : 1u << 14);
	if (one_in(g, 60))
		data = (uint32_t)LW_DM_INIT << 8;
	return data;
}

static uint32_t draw_msi_address(struct diff_generator *g)
{
	uint32_t address = 0xfee00000u | draw_dest(g) << 12 | (one_in(g, 4) ? 4u : 0);

	if (one_in(g, 10))
		address |= 8u; /* redirection hint */
	if (g->wild && one_in(g, 20))
		address ^= 1u << (5u + below(g, 15));
	return address;
}

static void msi(struct diff_generator *g)
{
	push(g, (struct diff_op){OP_MSI, 0, 0, draw_msi_address(g), draw_msi_data(g)});
}

static void route(struct diff_generator *g)
{
	uint32_t gsi = DIFF_PINS - 4u + below(g, DIFF_GSIS - DIFF_PINS + 4u);

	if (g->lines >> gsi & 1u) {
		g->lines ^= 1u << gsi;
		push(g, (struct diff_op){OP_LINE, 0, 0, gsi, 0});
	}
	if (one_in(g, 3))
		push(g, (struct diff_op){OP_ROUTE, 0, gsi, 0, 0});
	else
		push(g, (struct diff_op){OP_ROUTE, 0, gsi, draw_msi_address(g),
					 draw_msi_data(g) & ~0x700u});
}

/* ---- all of it ---- */

void diff_start(struct diff_generator *g, uint64_t seed)
{
	*g = (struct diff_generator){.chance = {seed}};
	g->wild = one_in(g, 3);
	g->pic = one_in(g, 2);
	g->modes = one_in(g, 3);
	for (uint32_t cpu = 0; cpu < DIFF_CPUS; cpu++) {
		reg_write(g, cpu, LW_LAPIC_SVR, LW_SVR_ENABLE | 0xffu);
		reg_write(g, cpu, LW_LAPIC_LDR, 0x01000000u << cpu);
	}
	pic_init(g, 0, false);
	pic_init(g, 0, true);
	if (g->pic) {
		reg_write(g, 0, LW_LAPIC_LVT_LINT0, (uint64_t)LW_DM_EXTINT << 8);
	} else {
		out(g, 0, 0x21, 0xff);
		out(g, 0, 0xa1, 0xff);
	}
}

static void draw(struct diff_generator *g)
{
	uint32_t cpu = below(g, DIFF_CPUS), which = below(g, 100);

	if (which < 22)
		push(g, (struct diff_op){OP_WINDOW, cpu, 0, 0, 0});
	else if (which < 40)
		reg_write(g, cpu, LW_LAPIC_EOI, 0);
	else if (which < 50)
		msi(g);
	else if (which < 62)
		line(g);
	else if (which < 68)
		rte(g, cpu);
	else if (which < 70)
		io_other(g, cpu);
	else if (which < 76)
		ipi(g, cpu);
	else if (which < 83)
		lapic_write(g, cpu);
	else if (which < 90)
		lapic_read(g, cpu);
	else if (which < 91)
		push(g, (struct diff_op){OP_CR8_READ, cpu, 8, 0, 0});
	else if (which < 97 && g->pic)
		pic(g, cpu);
	else if (which == 97 && g->modes)
		mode(g, cpu);
	else if (which == 98)
		msr(g, cpu);
	else if (which == 99 && g->wild)
		lapic_wild_write(g, cpu);
	else if (which == 99)
		route(g);
}

struct diff_op diff_next(struct diff_generator *g)
{
	while (g->taken == g->queued) {
		g->taken = g->queued = 0;
		draw(g);
	}
	return g->queue[g->taken++];
}

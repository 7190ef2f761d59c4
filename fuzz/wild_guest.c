/* SPDX-License-Identifier: MIT */
/* What guests, devices and their VMM do to the whole controller, by the harness's bytes. */
#include "wild.h"

static uint8_t some_vector(struct input *in)
{
	uint8_t byte = in_byte(in);

	return byte < 0xe0 ? (uint8_t)(0x31 + byte % 3 * 0x20) : (uint8_t)(byte * 7);
}

static bool moves(uint32_t offset)
{
	offset &= 0xff0;
	return offset == LW_LAPIC_SVR || offset == LW_LAPIC_LDR || offset == LW_LAPIC_DFR;
}

void wild_page(struct input *in)
{
	static const uint32_t likely[] = {LW_LAPIC_SVR, LW_LAPIC_LDR,       LW_LAPIC_DFR,
					  LW_LAPIC_EOI, LW_LAPIC_LVT_LINT0, LW_LAPIC_TPR,
					  LW_LAPIC_ICR, LW_LAPIC_ICR2};
	struct lw_lapic *lapic = wild_some_lapic(in);
	uint8_t what = in_byte(in);
	uint32_t offset = what < 0xc0 ? likely[what & 7] : (uint32_t)in_bytes(in, 2);
	uint32_t value = what & 8 ? in_word(in) : 0x100u | in_byte(in);

	if (what & 16)
		value = (uint32_t)in_byte(in) << 24;
	if (what & 32)
		value = some_vector(in) | (value & 0xfff00);
	if (what & 64)
		lw_lapic_page_read(lapic, offset);
	else if (!wild.calm || !moves(offset))
		lw_lapic_page_write(lapic, offset, value);
	history_look(&wild.history);
}

void wild_msr(struct input *in)
{
	struct lw_lapic *lapic = wild_some_lapic(in);
	uint8_t what = in_byte(in), byte = in_byte(in);
	uint64_t value = 0;
	uint32_t number = 0x800u + byte % 0x44;

	if (what < 0x10)
		number = LW_MSR_APIC_BASE;
	else if (what < 0x18)
		number = LW_MSR_TSC_DEADLINE;
	else if (what < 0x20)
		number = in_word(in);
	if (number == LW_MSR_APIC_BASE && byte < 0xf0)
		value = 0xfee00000u | (byte & 7u ? 0x800u : 0) | (byte & 8u ? 0x400u : 0);
	else
		value = what & 64 ? in_bytes(in, 8) : in_word(in) & 0xcffffu;
	if (what & 128)
		lw_lapic_msr_read(lapic, number, &value);
	else if (!wild.calm || (number != LW_MSR_APIC_BASE && !moves((number - 0x800u) << 4)))
		lw_lapic_msr_write(lapic, number, value);
	history_look(&wild.history);
}

void wild_ioapic(struct input *in)
{
	static const uint8_t dests[] = {0, 1, 2, 3, 16, 17, 0x41, 0xff};
	uint8_t what = in_byte(in), byte = in_byte(in);
	struct lw_ioapic *io = lw_chip_ioapic(wild.chip, what & 1);
	uint32_t index = 0x10 + byte % 12u, value = in_word(in), len = 4;
	uint64_t offset = 0x10, data;

	if (what & 2)
		index = 0x10 + byte % (2 * PINS);
	if (index & 1 && !(what & 4))
		value = (uint32_t)dests[value % 8] << 24;
	if (!(index & 1) && !(what & 4))
		value = some_vector(in) | (what & 8 ? LW_RTE_LEVEL : 0) |
			(what & 16 ? LW_RTE_LOGICAL : 0) | (byte & 0x80 ? 1u << 8 : 0);
	if (what >= 0xe0) {
		offset = byte & 1 ? 0x40 : byte;
		len = byte % 12;
		value = some_vector(in);
	}
	lw_ioapic_mmio_write(io, 0, &index, 4);
	data = value;
	if (what & 32)
		lw_ioapic_mmio_read(io, offset, &data, len);
	else
		lw_ioapic_mmio_write(io, offset, &data, len);
}

void wild_port(struct input *in)
{
	static const uint16_t ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x1f, 0x22};
	struct lw_pic *pic = lw_chip_pic(wild.chip);
	uint8_t what = in_byte(in), value = in_byte(in);

	if (!pic)
		return;
	if (what & 8)
		lw_pic_read(pic, ports[what & 7], what & 16 ? 2 : 1);
	else
		lw_pic_write(pic, ports[what & 7], value, what & 16 ? 2 : 1);
}

void wild_line(struct input *in)
{
	uint8_t what = in_byte(in), byte = in_byte(in);
	uint32_t gsi = byte < 0xf8 ? byte % 16u : in_word(in);

	if (what & 2 && byte < 0xf8)
		gsi = byte % 8u * 9u;
	lw_chip_line(wild.chip, gsi, what < 0xf0 ? what >> 2 & 1 : what, what & 1);
}

void wild_msi(struct input *in)
{
	uint8_t what = in_byte(in);
	uint64_t address = 0xfee00000u | (uint32_t)in_byte(in) << 12 | (what & 0x1cu);
	uint32_t data = some_vector(in) | (what & 0xe0u) << 3;
	struct lw_msg msg;

	if (what & 1)
		data = in_word(in);
	if (what & 2)
		address ^= in_bytes(in, 3);
	if (lw_msi_decode(address, data, wild.x2apic ? LW_MSI_EXT_DEST : 0, &msg) == 0)
		history_send(&wild.history, &msg);
	lw_chip_msi(wild.chip, address, data);
}

void wild_message(struct input *in)
{
	uint8_t what = in_byte(in);
	struct lw_msg msg = {.dest = in_byte(in),
			     .vector = some_vector(in),
			     .delivery = what & 7,
			     .logical = what & 8,
			     .level = what & 16};

	if (what & 32)
		msg.dest = in_word(in);
	history_send(&wild.history, &msg);
	lw_chip_send(wild.chip, &msg);
}

void wild_take(struct input *in)
{
	uint32_t vcpu = in_byte(in) % VCPUS;
	int pending = lw_chip_pending(wild.chip, vcpu), vector = lw_chip_accept(wild.chip, vcpu);

	if (vector != pending)
		fuzz_fail("%d was pending, and %d accepted", pending, vector);
	history_taken(&wild.history, vcpu, vector);
}

void wild_eoi(struct input *in)
{
	uint32_t vcpu = in_byte(in) % VCPUS;
	uint8_t what = in_byte(in);
	bool was = wild.in_guest[vcpu];

	if (what < 0xf0) {
		for (uint32_t v = 16; v < 256; v++)
			lw_chip_eoi_leaves(wild.chip, vcpu, (uint8_t)v);
		if (lw_lapic_eoi(lw_chip_lapic(wild.chip, vcpu)) >= 0 && was) {
			wild_leave(vcpu);
			lw_chip_enter(wild.chip, vcpu);
			wild.in_guest[vcpu] = true;
		}
	} else if (!was) {
		lw_chip_exit(wild.chip, vcpu);
	}
}

void wild_enter_or_leave(struct input *in)
{
	uint32_t vcpu = in_byte(in) % VCPUS;

	if (wild.in_guest[vcpu]) {
		wild_leave(vcpu);
	} else {
		lw_chip_enter(wild.chip, vcpu);
		wild.in_guest[vcpu] = true;
	}
}

void wild_routes(struct input *in)
{
	struct lw_route list[4];
	uint32_t gsi = in_byte(in) % GSIS;
	size_t count = in_byte(in) % 4;

	for (size_t n = 0; n < count; n++) {
		uint8_t what = in_byte(in);

		list[n] = (struct lw_route){.gsi = gsi, .type = (enum lw_route_type)(what % 3)};
		if (list[n].type == LW_ROUTE_MSI) {
			list[n].address = 0xfee00000u | (uint32_t)in_byte(in) << 12;
			list[n].data = some_vector(in);
		} else {
			list[n].chip = what >> 2 & 3u;
			list[n].pin = (uint16_t)in_below(in, list[n].type == LW_ROUTE_PIC ? 8 : 32);
		}
	}
	lw_routes_replace(lw_chip_routes(wild.chip), gsi, list, count);
}

void wild_pass_time(struct input *in)
{
	struct lw_lapic *lapic = wild_some_lapic(in);

	wild.now += (uint64_t)in_byte(in) << in_byte(in) % 32;
	lw_lapic_time(lapic, wild.now);
}

void wild_wires(struct input *in)
{
	struct lw_lapic *lapic = wild_some_lapic(in);
	uint8_t what = in_byte(in);

	switch (what % 4) {
	case 0:
		lw_lapic_lint(lapic, 1, what & 4);
		break;
	case 1:
		lw_lapic_pmi(lapic);
		break;
	case 2:
		lw_lapic_thermal(lapic);
		break;
	default:
		lw_lapic_set_cr8(lapic, what >> 2);
	}
}

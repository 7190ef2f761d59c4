/* SPDX-License-Identifier: MIT */
/*
 * Every call of a LAPIC but those of snapshots and dumps, with any arguments, in any order. With
 * NO_THRESHOLD nobody heeds ops->threshold, else somebody does.
 */
#include <lapwing/lapic.h>
#include <lapwing/snapshot.h>

#include "any.h"
#include "core/lapic_priv.h"

#define REGISTERS 64u /* of 16 bytes, in the page; all that name one */

static _Alignas(LW_LAPIC_ALIGN) uint8_t storage[LW_LAPIC_SIZE];
static struct lw_lapic *const lapic = (struct lw_lapic *)(void *)storage;
static struct lw_lapic_ops ops;

static void on_eoi(void *ctx, uint32_t vcpu, uint8_t vector, bool broadcast)
{
	(void)ctx;
	(void)vcpu;
	(void)vector;
	(void)broadcast;
}

static void on_changed(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
}

static void on_broadcast(void *ctx, uint32_t vcpu, bool suppressed)
{
	(void)ctx;
	(void)vcpu;
	(void)suppressed;
}

/* The one that may call back in. */
static void on_ipi(void *ctx, uint32_t vcpu, const struct lw_ipi *ipi)
{
	(void)ctx;
	(void)vcpu;
	if (lw_lapic_matches(lapic, &ipi->msg))
		lw_lapic_post(lapic, ipi->msg.vector, ipi->msg.level);
}

static void on_signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	(void)ctx;
	(void)vcpu;
	(void)delivery;
	(void)vector;
}

static void on_deadline(void *ctx, uint32_t vcpu, uint64_t deadline_ns)
{
	(void)ctx;
	(void)vcpu;
	(void)deadline_ns;
}

static void on_threshold(void *ctx, uint32_t vcpu, uint8_t class_)
{
	(void)ctx;
	(void)vcpu;
	(void)class_;
}

static void any_ops(void)
{
	ops.eoi = any_bool() ? on_eoi : NULL;
	ops.changed = any_bool() ? on_changed : NULL;
	ops.broadcast = any_bool() ? on_broadcast : NULL;
	ops.ipi = any_bool() ? on_ipi : NULL;
	ops.signal = any_bool() ? on_signal : NULL;
	ops.deadline = any_bool() ? on_deadline : NULL;
#ifdef NO_THRESHOLD
	ops.threshold = NULL;
#else
	ops.threshold = on_threshold;
#endif
}

static void set_up(void)
{
	struct lw_lapic_config config = {
		.ops = &ops,
		.vcpu = any_u32(),
		.id = any_u32(),
		.x2apic = any_bool(),
		.xapic_only = any_bool(),
		.bsp = any_bool(),
		.phys_bits = any_u8(),
		.clock = {any_u32(), any_u32(), any_u32()},
	};

	any_ops();
	any_bytes(storage, sizeof(storage));
	while (lw_lapic_init(lapic, &config))
		;
}

static void post_and_ask(void)
{
	struct lw_msg msg = {any_u32(), any_u8(), any_u8(), any_bool(), any_bool()};

	switch (any_below(10)) {
	case 0:
		lw_lapic_post(lapic, any_u8(), any_bool());
		break;
	case 1:
		lw_lapic_accepts(lapic);
		break;
	case 2:
		lw_lapic_ppr(lapic);
		break;
	case 3:
		lw_lapic_id(lapic);
		break;
	case 4:
		lw_lapic_mode(lapic);
		break;
	case 5:
		lw_lapic_matches(lapic, &msg);
		break;
	case 6:
		lw_lapic_address(lapic);
		break;
	case 7:
		lw_lapic_suppresses(lapic);
		break;
	case 8:
		lw_lapic_listens(lapic);
		break;
	default:
		lw_lapic_base(lapic);
		break;
	}
}

static void interrupts(void)
{
	switch (any_below(10)) {
	case 0:
		lw_lapic_sync(lapic);
		break;
	case 1:
		lw_lapic_pending(lapic);
		break;
	case 2:
		lw_lapic_accept(lapic);
		break;
	case 3:
		lw_lapic_eoi(lapic);
		break;
	case 4:
		lw_lapic_holds(lapic, any_u8());
		break;
	case 5:
		lw_lapic_irr(lapic, any_u8());
		break;
	case 6:
		lw_lapic_isr(lapic, any_u8());
		break;
	case 7:
		lw_lapic_tmr(lapic, any_u8());
		break;
	case 8:
		lw_lapic_cr8(lapic);
		break;
	default:
		lw_lapic_set_cr8(lapic, any_u64());
		break;
	}
}

/* With one offset or MSR at a time, for what a register's row says of it Eva would forget. */
static void guest_offset(uint32_t offset)
{
	switch (any_below(4)) {
	case 0:
		lw_lapic_read(lapic, offset);
		break;
	case 1:
		lw_lapic_write(lapic, offset, any_u32());
		break;
	case 2:
		lw_lapic_page_read(lapic, offset);
		break;
	default:
		lw_lapic_page_write(lapic, offset, any_u32());
		break;
	}
}

static void guest_msr(uint32_t msr)
{
	uint64_t value;

	if (any_bool())
		lw_lapic_msr_read(lapic, msr, &value);
	else
		lw_lapic_msr_write(lapic, msr, any_u64());
}

/* All rows of 16 bytes in the page that may name a register: each that is one by itself; the three
 * sets, and what lies between registers, together. */
static const uint8_t rows[][2] = {
	{0x00, 0x01}, {0x02, 0x02}, {0x03, 0x03}, {0x04, 0x07}, {0x08, 0x08}, {0x09, 0x09},
	{0x0a, 0x0a}, {0x0b, 0x0b}, {0x0c, 0x0c}, {0x0d, 0x0d}, {0x0e, 0x0e}, {0x0f, 0x0f},
	{0x10, 0x27}, {0x28, 0x28}, {0x29, 0x2f}, {0x30, 0x30}, {0x31, 0x31}, {0x32, 0x32},
	{0x33, 0x33}, {0x34, 0x34}, {0x35, 0x35}, {0x36, 0x36}, {0x37, 0x37}, {0x38, 0x38},
	{0x39, 0x39}, {0x3a, 0x3d}, {0x3e, 0x3e}, {0x3f, 0x3f},
};

#define ROWS (sizeof(rows) / sizeof(*rows))

/* Together: every offset and every MSR. */
static void guest_registers(void)
{
	/*@ loop unroll ROWS; */
	for (uint32_t n = 0; n < ROWS; n++)
		if (any_bool()) {
			uint32_t row = any_from(rows[n][0], rows[n][1]);

			guest_offset(row << 4);
			guest_msr(LW_MSR_X2APIC + row);
		}
	/*@ loop unroll 15; */
	for (uint32_t n = 1; n < 16; n++)
		if (any_bool())
			guest_offset((any_u32() & ~15u) + n);
	guest_offset(any_from(REGISTERS << 4, UINT32_MAX));
	guest_msr(LW_MSR_APIC_BASE);
	guest_msr(LW_MSR_TSC_DEADLINE);
	guest_msr(any_from(0, LW_MSR_APIC_BASE - 1u));
	guest_msr(any_from(LW_MSR_APIC_BASE + 1u, LW_MSR_TSC_DEADLINE - 1u));
	guest_msr(any_from(LW_MSR_TSC_DEADLINE + 1u, LW_MSR_X2APIC - 1u));
	guest_msr(any_from(LW_MSR_X2APIC + REGISTERS, UINT32_MAX));
}

static void guest(void)
{
	switch (any_below(5)) {
	case 0:
		guest_registers();
		break;
	case 1:
		lw_lapic_set_base(lapic, any_u64());
		break;
	case 2:
		lw_lapic_send(lapic, any_u64());
		break;
	case 3:
		lw_lapic_self_ipi(lapic, any_u8());
		break;
	default:
		lw_lapic_icr(lapic);
		break;
	}
}

static void pins_and_time(void)
{
	switch (any_below(12)) {
	case 0:
		lw_lapic_lint(lapic, any_u32(), any_bool());
		break;
	case 1:
		lw_lapic_extint(lapic);
		break;
	case 2:
		lw_lapic_pmi(lapic);
		break;
	case 3:
		lw_lapic_thermal(lapic);
		break;
	case 4:
		lw_lapic_time(lapic, any_u64());
		break;
	case 5:
		lw_lapic_deadline(lapic);
		break;
	case 6:
		lw_lapic_write_tsc_deadline(lapic, any_u64());
		break;
	case 7:
		lw_lapic_tsc_deadline(lapic);
		break;
	case 8:
		lw_lapic_set_tsc(lapic, any_u64());
		break;
	case 9:
		lw_lapic_shift_time(lapic, (int64_t)any_u64());
		break;
	case 10:
		lw_lapic_reset(lapic);
		break;
	default:
		lw_lapic_counters(lapic);
		break;
	}
}

int main(void)
{
	set_up();
	for (;;) {
		switch (any_below(4)) {
		case 0:
			post_and_ask();
			break;
		case 1:
			interrupts();
			break;
		case 2:
			guest();
			break;
		default:
			pins_and_time();
			break;
		}
	}
}

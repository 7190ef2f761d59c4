/* SPDX-License-Identifier: MIT */
/* One LAPIC beside its naive twin: every register in every mode, MSRs, posts, lines, the timer. */
#include <lapwing/lapic.h>
#include <lapwing/snapshot.h>
#include <string.h>

#include "fuzz.h"
#include "model/invariants.h"
#include "model/naive_lapic.h"

static struct {
	_Alignas(LW_LAPIC_ALIGN) unsigned char storage[LW_LAPIC_SIZE];
	struct lw_lapic *lapic;
	struct naive_lapic naive;
	struct naive_log log;
	uint64_t deadline;
	uint8_t threshold;
	bool heeds_threshold;
} rig;

/* ---- what leaves ours ---- */

static struct naive_event *note(enum naive_kind kind)
{
	struct naive_event *e = &rig.log.event[rig.log.count++ % NAIVE_EVENTS];

	memset(e, 0, sizeof(*e));
	e->kind = kind;
	return e;
}

static void on_eoi(void *ctx, uint32_t vcpu, uint8_t vector, bool broadcast)
{
	struct naive_event *e = note(NAIVE_EOI);

	(void)ctx;
	(void)vcpu;
	e->vector = vector;
	e->broadcast = broadcast;
}

static void on_ipi(void *ctx, uint32_t vcpu, const struct lw_ipi *ipi)
{
	struct naive_event *e = note(NAIVE_IPI);

	(void)ctx;
	(void)vcpu;
	e->vector = ipi->msg.vector;
	e->delivery = ipi->msg.delivery;
	e->logical = ipi->msg.logical;
	e->dest = ipi->msg.dest;
	e->shorthand = ipi->shorthand;
	if (ipi->msg.level)
		fuzz_fail("an IPI is level-triggered");
}

static void on_signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	struct naive_event *e = note(NAIVE_SIGNAL);

	(void)ctx;
	(void)vcpu;
	e->delivery = delivery;
	e->vector = vector;
}

static void on_changed(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
	rig.log.changed++;
}

static void on_broadcast(void *ctx, uint32_t vcpu, bool suppressed)
{
	(void)ctx;
	(void)vcpu;
	(void)suppressed;
	rig.log.broadcasts++;
}

static void on_deadline(void *ctx, uint32_t vcpu, uint64_t deadline_ns)
{
	(void)ctx;
	(void)vcpu;
	rig.deadline = deadline_ns;
}

static void on_threshold(void *ctx, uint32_t vcpu, uint8_t class_)
{
	(void)ctx;
	(void)vcpu;
	if (class_ == rig.threshold)
		fuzz_fail("a threshold was told twice");
	rig.threshold = class_;
}

#define OPS                                                                             \
	.eoi = on_eoi, .changed = on_changed, .broadcast = on_broadcast, .ipi = on_ipi, \
	.signal = on_signal, .deadline = on_deadline

static const struct lw_lapic_ops ops[2] = {{OPS}, {OPS, .threshold = on_threshold}};

/* ---- operands ---- */

static uint8_t some_vector(struct input *in)
{
	uint8_t byte = in_byte(in);

	return byte < 0xc0 ? (uint8_t)(0x20 + byte % 16 * 14) : in_byte(in);
}

static uint32_t some_offset(struct input *in)
{
	uint8_t byte = in_byte(in);

	if (byte < 0x40)
		return byte * 16u;
	return byte < 0xf8 ? LW_LAPIC_LVT_TIMER + byte % 16 * 16u : (uint32_t)in_bytes(in, 2);
}

/* What a register is likely to be written with, or anything. */
static uint32_t some_value(struct input *in)
{
	uint8_t byte = in_byte(in);

	switch (byte % 8) {
	case 0:
		return 0x100u | in_byte(in);
	case 1:
		return in_byte(in);
	case 2:
		return (uint32_t)in_bytes(in, 2);
	case 3:
		return some_vector(in) | (uint32_t)in_byte(in) << 8 | (uint32_t)(byte >> 5) << 16;
	case 4:
		return (uint32_t)in_byte(in) << 24;
	case 5:
		return 0x1100u | in_byte(in);
	default:
		return in_word(in);
	}
}

/* Some of them close together, some as large as they get. */
static uint64_t some_time(struct input *in)
{
	uint8_t byte = in_byte(in);

	return (uint64_t)in_bytes(in, 2) << byte % 49;
}

/* ---- what happens ---- */

static void post(struct input *in)
{
	uint8_t what = in_byte(in), vector = some_vector(in);
	enum lw_post answer = lw_lapic_post(rig.lapic, vector, what & 1);

	fuzz_same("whether a post is taken", answer < LW_POST_REFUSED,
		  naive_lapic_post(&rig.naive, vector, what & 1));
}

/* At the calls that must look at it, it has been looked at. */
static void check_threshold(void)
{
	if (rig.heeds_threshold)
		fuzz_same("the TPR threshold", rig.threshold, naive_lapic_threshold(&rig.naive));
}

static void take(struct input *in)
{
	uint8_t what = in_byte(in);

	if (what % 4 == 0) {
		fuzz_same("what is pending", (uint64_t)lw_lapic_pending(rig.lapic),
			  (uint64_t)naive_lapic_pending(&rig.naive));
		check_threshold();
	} else if (what % 4 == 1) {
		fuzz_same("what is accepted", (uint64_t)lw_lapic_accept(rig.lapic),
			  (uint64_t)naive_lapic_accept(&rig.naive));
		check_threshold();
	} else {
		fuzz_same("what is ended", (uint64_t)lw_lapic_eoi(rig.lapic),
			  (uint64_t)naive_lapic_eoi(&rig.naive));
	}
}

static void write_reg(struct input *in)
{
	uint32_t offset = some_offset(in), value = some_value(in);

	lw_lapic_write(rig.lapic, offset, value);
	naive_lapic_write(&rig.naive, offset, value);
}

static void read_reg(struct input *in)
{
	uint32_t offset = some_offset(in);

	fuzz_same("what was read", lw_lapic_read(rig.lapic, offset),
		  naive_lapic_read(&rig.naive, offset));
}

static void page(struct input *in)
{
	uint8_t what = in_byte(in);
	uint32_t offset = some_offset(in) | (what > 0xf0 ? what & 15u : 0), value;

	if (what & 1) {
		value = some_value(in);
		lw_lapic_page_write(rig.lapic, offset, value);
		naive_lapic_page_write(&rig.naive, offset, value);
	} else {
		fuzz_same("what was read in the page", lw_lapic_page_read(rig.lapic, offset),
			  naive_lapic_page_read(&rig.naive, offset));
	}
}

static uint32_t some_msr(struct input *in)
{
	uint8_t byte = in_byte(in);

	if (byte < 0x20)
		return LW_MSR_APIC_BASE;
	if (byte < 0x40)
		return LW_MSR_TSC_DEADLINE;
	return byte < 0xf8 ? 0x800u + byte % 0x44 : 0x800u + (uint32_t)in_bytes(in, 2);
}

static uint64_t some_wide_value(struct input *in, uint32_t msr)
{
	uint8_t byte = in_byte(in);

	if (msr == LW_MSR_APIC_BASE && byte < 0xe0)
		return 0xfee00000u | (byte & 3u) << 10 | (byte & 4u) << 6;
	if (msr == LW_MSR_TSC_DEADLINE)
		return some_time(in);
	return byte < 0xc0 ? some_value(in) : in_bytes(in, 8);
}

static void msr(struct input *in)
{
	uint32_t number = some_msr(in);
	uint64_t ours = 0, theirs = 0;

	if (in_byte(in) & 1) {
		ours = some_wide_value(in, number);
		fuzz_same("whether WRMSR faults",
			  (uint64_t)lw_lapic_msr_write(rig.lapic, number, ours),
			  (uint64_t)naive_lapic_msr_write(&rig.naive, number, ours));
	} else {
		fuzz_same("whether RDMSR faults",
			  (uint64_t)lw_lapic_msr_read(rig.lapic, number, &ours),
			  (uint64_t)naive_lapic_msr_read(&rig.naive, number, &theirs));
		fuzz_same("what RDMSR read", ours, theirs);
	}
}

static void lint(struct input *in)
{
	uint8_t what = in_byte(in);
	uint32_t pin = what >> 1 & (what & 0x80 ? 3 : 1);

	lw_lapic_lint(rig.lapic, pin, what & 1);
	naive_lapic_lint(&rig.naive, pin, what & 1);
}

static void pass_time(struct input *in)
{
	uint64_t by = some_time(in), now = rig.naive.now + by;

	if (now < by)
		now = UINT64_MAX;
	lw_lapic_time(rig.lapic, now);
	naive_lapic_time(&rig.naive, now);
}

static void to_the_deadline(struct input *in)
{
	uint64_t now = rig.naive.expiry + in_byte(in);

	lw_lapic_time(rig.lapic, now);
	naive_lapic_time(&rig.naive, now);
}

static void tsc(struct input *in)
{
	uint64_t value = some_time(in);

	if (in_byte(in) & 1) {
		lw_lapic_set_tsc(rig.lapic, value);
		naive_lapic_set_tsc(&rig.naive, value);
	} else {
		lw_lapic_write_tsc_deadline(rig.lapic, value);
		naive_lapic_write_tsc_deadline(&rig.naive, value);
	}
}

static void cr8(struct input *in)
{
	uint64_t value = in_byte(in);

	if (value < 0xf0)
		value &= 15;
	fuzz_same("whether CR8 faults", (uint64_t)lw_lapic_set_cr8(rig.lapic, value),
		  (uint64_t)naive_lapic_set_cr8(&rig.naive, value));
	fuzz_same("CR8", lw_lapic_cr8(rig.lapic), rig.naive.tpr / 16);
}

static void send(struct input *in)
{
	uint64_t icr = (uint64_t)in_word(in) << 32 | some_value(in);

	lw_lapic_send(rig.lapic, icr);
	naive_lapic_send(&rig.naive, icr);
	fuzz_same("ICR", lw_lapic_icr(rig.lapic), (uint64_t)rig.naive.dest << 32 | rig.naive.icr);
}

/* Through bytes and back, perhaps to a clock that says something else. */
static void migrate(int64_t by)
{
	static uint8_t bytes[4096];
	static char text[2048];
	size_t size = lw_lapic_save(rig.lapic, bytes, sizeof(bytes));
	unsigned changed = rig.log.changed, broadcasts = rig.log.broadcasts;

	lw_lapic_dump(rig.lapic, text, sizeof(text));
	rig.threshold = 0xff; /* it is told again */
	if (size > sizeof(bytes) || lw_lapic_restore(rig.lapic, bytes, size))
		fuzz_fail("what was saved can't be restored");
	if (rig.threshold == 0xff)
		rig.threshold = rig.heeds_threshold ? naive_lapic_threshold(&rig.naive) : 0;
	rig.log.changed = changed;
	rig.log.broadcasts = broadcasts;
	if (rig.naive.expiry > 1ull << 60)
		return; /* where instants are cut off there is no way back */
	if (!lw_lapic_shift_time(rig.lapic, by) && lw_lapic_shift_time(rig.lapic, -by))
		fuzz_fail("time can't be shifted back");
}

static void rarely(struct input *in)
{
	uint8_t what = in_byte(in);
	uint64_t base;

	switch (what % 8) {
	case 0:
		lw_lapic_reset(rig.lapic);
		naive_lapic_reset(&rig.naive);
		break;
	case 1:
		lw_lapic_pmi(rig.lapic);
		naive_lapic_pmi(&rig.naive);
		break;
	case 2:
		lw_lapic_thermal(rig.lapic);
		naive_lapic_thermal(&rig.naive);
		break;
	case 3:
		lw_lapic_self_ipi(rig.lapic, what);
		naive_lapic_self_ipi(&rig.naive, what);
		break;
	case 4:
		lw_lapic_sync(rig.lapic);
		naive_lapic_sync(&rig.naive);
		break;
	case 5:
		migrate((int64_t)(what >> 3) << in_byte(in) % 40);
		break;
	default:
		base = some_wide_value(in, LW_MSR_APIC_BASE);
		fuzz_same("whether the mode changes", (uint64_t)lw_lapic_set_base(rig.lapic, base),
			  (uint64_t)naive_lapic_set_base(&rig.naive, base));
	}
}

static void ask(struct input *in)
{
	uint8_t what = in_byte(in), vector = some_vector(in);
	struct lw_msg msg = {.dest = in_byte(in), .logical = what & 1};

	if (what & 2)
		msg.dest = in_word(in);
	if (what & 4)
		msg.dest = rig.naive.config.id;
	if (what & 8)
		msg.dest = 0xffffffff;
	fuzz_same("whether a message matches", lw_lapic_matches(rig.lapic, &msg),
		  naive_lapic_matches(&rig.naive, &msg));
	fuzz_same("whether a vector is held", lw_lapic_holds(rig.lapic, vector),
		  naive_lapic_holds(&rig.naive, vector));
	fuzz_same("IRR", lw_lapic_irr(rig.lapic, vector), rig.naive.irr[vector]);
	fuzz_same("ISR", lw_lapic_isr(rig.lapic, vector), rig.naive.isr[vector]);
	fuzz_same("TMR", lw_lapic_tmr(rig.lapic, vector), rig.naive.tmr[vector]);
}

/* ---- both alike? ---- */

static void compare_logs(void)
{
	const struct naive_log *ours = &rig.log, *theirs = &rig.naive.log;

	fuzz_same("how much left the LAPIC", ours->count, theirs->count);
	fuzz_same("how often it has changed", ours->changed, theirs->changed);
	fuzz_same("how often suppression has", ours->broadcasts, theirs->broadcasts);
	for (unsigned n = 0; n < ours->count && n < NAIVE_EVENTS; n++) {
		const struct naive_event *a = &ours->event[n], *b = &theirs->event[n];

		fuzz_same("what left it", a->kind, b->kind);
		fuzz_same("… its vector", a->vector, b->vector);
		fuzz_same("… its delivery mode", a->delivery, b->delivery);
		fuzz_same("… its destination", a->dest, b->dest);
		fuzz_same("… its destination mode", a->logical, b->logical);
		fuzz_same("… its shorthand", a->shorthand, b->shorthand);
		fuzz_same("… whether it is broadcast", a->broadcast, b->broadcast);
	}
	rig.log.count = rig.naive.log.count = 0;
}

static void compare(void)
{
	const struct naive_lapic *n = &rig.naive;

	compare_logs();
	fuzz_same("PPR", lw_lapic_ppr(rig.lapic), naive_lapic_ppr(n));
	fuzz_same("the mode", lw_lapic_mode(rig.lapic), n->mode);
	fuzz_same("the deadline", lw_lapic_deadline(rig.lapic), n->expiry);
	fuzz_same("the deadline told", rig.deadline, n->expiry);
	fuzz_same("the TSC deadline", lw_lapic_tsc_deadline(rig.lapic), n->deadline_tsc);
	fuzz_same("ExtINT", lw_lapic_extint(rig.lapic), naive_lapic_extint(n));
	fuzz_same("whether LINT0 is heard", lw_lapic_listens(rig.lapic), naive_lapic_listens(n));
	fuzz_same("whether it accepts", lw_lapic_accepts(rig.lapic), (n->svr & LW_SVR_ENABLE) != 0);
	fuzz_same("whether it suppresses", lw_lapic_suppresses(rig.lapic),
		  (n->svr & LW_SVR_SUPPRESS) != 0);
	fuzz_same("IA32_APIC_BASE", lw_lapic_base(rig.lapic), naive_lapic_base(n));
}

static void compare_all(void)
{
	struct broken why;

	for (uint32_t offset = 0; offset < 0x400; offset += 16)
		fuzz_same("a register in the end", lw_lapic_read(rig.lapic, offset),
			  naive_lapic_read(&rig.naive, offset));
	if (!lw_lapic_is_sound(rig.lapic, &why))
		fuzz_fail("%s", why.rule);
}

static void set_up(struct input *in)
{
	static const struct lw_lapic_clock clocks[4] = {
		{0},
		{.bus_ns = 16},
		{.bus_ns = 1, .bus_ticks = LW_CLOCK_MAX, .tsc_khz = 1},
		{.bus_ns = LW_CLOCK_MAX, .bus_ticks = 3, .tsc_khz = 0xffffffffu}};
	uint8_t how = in_byte(in);
	struct lw_lapic_config config = {
		.ops = &ops[how & 1],
		.id = in_byte(in),
		.x2apic = how >> 1 & 1,
		.xapic_only = (how & 6) == 4,
		.bsp = how >> 3 & 1,
		.clock = clocks[how >> 4 & 3],
		.phys_bits = how & 0x40 ? 36 : 0,
	};

	if (config.clock.bus_ns && !config.clock.bus_ticks)
		config.clock.bus_ticks = 7;
	if (config.x2apic && how & 0x80)
		config.id = in_word(in);
	config.id -= config.id == 0xff && !config.x2apic;
	config.id -= config.id == 0xffffffff;
	memset(&rig, 0, sizeof(rig));
	rig.heeds_threshold = how & 1;
	rig.lapic = (void *)rig.storage;
	if (lw_lapic_init(rig.lapic, &config))
		fuzz_fail("a sound configuration was refused");
	naive_lapic_init(&rig.naive, &config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const happens[32])(struct input *) = {
		post,      post,      post,
		post,      post,      post,
		take,      take,      take,
		take,      take,      take,
		take,      take,      write_reg,
		write_reg, write_reg, write_reg,
		read_reg,  page,      page,
		msr,       msr,       msr,
		lint,      pass_time, to_the_deadline,
		tsc,       cr8,       send,
		rarely,    ask,
	};
	struct input in = {data, data + size};
	uint64_t operations = 0;

	set_up(&in);
	for (; in_more(&in); operations++) {
		happens[in_byte(&in) % 32](&in);
		compare();
		if (operations % 64 == 63)
			compare_all();
	}
	compare_all();
	fuzz_count(operations);
	return 0;
}

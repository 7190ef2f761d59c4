/* SPDX-License-Identifier: MIT */
/*
 * The whole controller in the machine, which follows every interrupt from its source to its EOI:
 * under `armed` and `lazy` none may be lost or doubled, under no policy may one be invented, and
 * the invariants hold.
 */
#include <string.h>

#include "fuzz.h"
#include "machine/scenario.h"
#include "model/invariants.h"

static unsigned given; /* see lw_chip_holds() */
static bool calm;      /* LDR, SVR and INIT are left alone, so that no stale vector has an excuse */

/* ---- operands ---- */

static uint8_t some_vector(struct input *in)
{
	static const uint8_t vectors[] = {0x31, 0x32, 0x41, 0x51};
	uint8_t byte = in_byte(in);

	return byte < 0xfc ? vectors[byte % 4] : in_byte(in);
}

static uint32_t some_gsi(struct machine *m, struct input *in)
{
	uint8_t byte = in_byte(in);

	if (byte >= 0xf8)
		return in_byte(in) % m->truth.pins;
	return (byte & 1u) * m->truth.pins / 2 + 16 + byte / 2u % 3;
}

static uint32_t some_vcpu(struct machine *m, struct input *in)
{
	uint8_t byte = in_byte(in);

	return byte < 0xe0 ? byte % (m->config.vcpus < 2 ? 1u : 2u) : byte % m->config.vcpus;
}

static uint64_t some_rte(struct machine *m, struct input *in)
{
	uint64_t rte = m_route(some_vcpu(m, in), some_vector(in), 0);
	uint8_t byte = in_byte(in);

	rte |= byte & 7 ? M_LEVEL : 0;
	rte |= byte % 11 == 0 ? M_MASKED : 0;
	if (byte % 13 < 2) {
		rte &= ~(0xffull << LW_RTE_DEST_SHIFT);
		rte |= LW_RTE_LOGICAL | (uint64_t)(1 + byte % 7) << LW_RTE_DEST_SHIFT;
		if (byte & 0x80)
			rte |= (uint64_t)LW_DM_LOWEST << LW_RTE_DM_SHIFT;
	}
	if (byte == 0xff)
		rte |= (uint64_t)(in_byte(in) & 7) << LW_RTE_DM_SHIFT;
	return rte;
}

/* ---- what happens ---- */

static void rise(struct machine *m, struct input *in)
{
	uint32_t gsi = some_gsi(m, in);

	m_line(m, gsi, in_byte(in) & 1, true);
}

static void fall(struct machine *m, struct input *in)
{
	uint32_t gsi = some_gsi(m, in), vcpu = some_vcpu(m, in);
	bool own = in_byte(in) & 1;

	if (own)
		m_exit(m, vcpu);
	m_line(m, gsi, 0, false);
	m_line(m, gsi, 1, false);
	if (own)
		m_enter(m, vcpu);
}

static void msi(struct machine *m, struct input *in)
{
	uint32_t vcpu = some_vcpu(m, in);

	m_msi(m, vcpu, some_vector(in));
}

static void take(struct machine *m, struct input *in)
{
	m_take(m, some_vcpu(m, in));
}

static void eoi(struct machine *m, struct input *in)
{
	m_eoi(m, some_vcpu(m, in));
}

static void write_half(struct machine *m, struct input *in)
{
	uint32_t by = some_vcpu(m, in), gsi = some_gsi(m, in);
	enum m_half half = in_byte(in) & 1 ? M_LOW : M_HIGH;

	m_rte_half(m, by, gsi, half, some_rte(m, in));
}

static void write_whole(struct machine *m, struct input *in)
{
	uint32_t by = some_vcpu(m, in), gsi = some_gsi(m, in);
	enum m_half first = in_byte(in) & 1 ? M_LOW : M_HIGH;

	m_rte(m, by, gsi, first, some_rte(m, in));
}

/* The first read may only ask the owner; the second one knows. */
static void read_rte(struct machine *m, struct input *in)
{
	uint32_t gsi = some_gsi(m, in), by = some_vcpu(m, in);

	m_rte_read(m, by, gsi);
	truth_read(&m->truth, gsi, (m_rte_read(m, by, gsi) & LW_RTE_REMOTE_IRR) != 0);
}

static void in_and_out(struct machine *m, struct input *in)
{
	uint32_t vcpu = some_vcpu(m, in);

	if (in_byte(in) & 1)
		m_enter(m, vcpu);
	else
		m_exit(m, vcpu);
}

static void write_svr(struct machine *m, struct input *in, uint32_t vcpu)
{
	uint8_t how = in_byte(in);
	uint32_t svr = 0xffu | (how & 7 ? LW_SVR_ENABLE : 0) | (how % 3 ? 0 : LW_SVR_SUPPRESS);

	if (svr & LW_SVR_SUPPRESS)
		given |= LW_GIVEN_SUPPRESSION;
	given |= LW_GIVEN_REMAP;
	m_svr(m, vcpu, svr);
}

static void registers(struct machine *m, struct input *in)
{
	uint32_t vcpu = some_vcpu(m, in), what = in_byte(in) % 8;

	if (calm || what < 3) {
		m_tpr(m, vcpu, what & 1 ? 0 : 0x40);
	} else if (what < 5) {
		m_init(m, vcpu);
		given |= LW_GIVEN_REMAP;
	} else if (what < 6) {
		m_ldr(m, vcpu, 1u << in_byte(in) % 3);
		given |= LW_GIVEN_REMAP;
	} else {
		write_svr(m, in, vcpu);
	}
}

static void direct(struct machine *m, struct input *in)
{
	uint32_t by = some_vcpu(m, in), gsi = some_gsi(m, in);

	m_eoi_register(m, by, gsi, some_vector(in));
}

static void vmm(struct machine *m, struct input *in)
{
	uint8_t what = in_byte(in);

	if (what & 1)
		m_notify(m, some_gsi(m, in), (what & 6) == 0);
	else
		m_resume(m);
	m->random ^= in_byte(in) * 0x0101010101010101ull; /* what slow kicks and resamplers do */
}

static void resampled(struct machine *m, uint32_t gsi)
{
	m_line(m, gsi, 0, false);
	if (m->random >> 40 & 1)
		m_line(m, gsi, 0, true);
}

/* ---- judgement ---- */

static void judge(struct machine *m)
{
	const struct truth_counts *c = &m->truth.counts;
	bool promises = m->config.policy == LW_EOI_ARMED || m->config.policy == LW_EOI_LAZY;
	struct broken why;

	if (!lw_chip_holds(m->chip, m->eoi, given, &why))
		fuzz_fail("%s (%s, chip %u, vCPU %u, pin %u, vector %#x)", why.rule,
			  lw_eoi_policy_name(m->config.policy), why.chip, why.vcpu, why.pin,
			  why.vector);
	if (promises && (c->lost || c->doubled))
		fuzz_fail("%s has %s an interrupt", lw_eoi_policy_name(m->config.policy),
			  c->lost ? "lost" : "doubled");
	if (c->phantom)
		fuzz_fail("an interrupt was invented");
}

static void set_up(struct machine *m, struct input *in)
{
	static const enum lw_eoi_policy policies[8] = {LW_EOI_ARMED, LW_EOI_LAZY,    LW_EOI_ARMED,
						       LW_EOI_LAZY,  LW_EOI_LAZY,    LW_EOI_LAZY,
						       LW_EOI_TRACK, LW_EOI_TRACK_V4};
	uint8_t how = in_byte(in);
	struct machine_config config = {
		.policy = policies[how & 7],
		.hardware = how & 8,
		.in_kernel = how & 64,
		.vcpus = how & 16 ? 20 : 3,
		.ioapics = 2,
		.pins = 24,
		.version = 0x20,
		.x2apic = how & 16,
	};

	calm = how & 32;
	given = 0;
	if (m_open(m, &config, 1 + in_byte(in)))
		fuzz_fail("a sound configuration was refused");
	m->resample = resampled;
	m->slow_kicks = true;
	for (uint32_t n = 0; n < config.vcpus; n++) {
		m_ldr(m, n, 1u << n % 3);
		m_enter(m, n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const happens[32])(struct machine *, struct input *) = {
		rise,       rise,       rise,       rise,       rise,        fall,        fall,
		fall,       fall,       msi,        msi,        msi,         take,        take,
		take,       take,       take,       eoi,        eoi,         eoi,         eoi,
		eoi,        write_half, write_half, write_half, write_whole, write_whole, read_rte,
		in_and_out, in_and_out, registers,  direct,
	};
	struct input in = {data, data + size};
	uint64_t operations = 0;
	struct machine m;

	set_up(&m, &in);
	for (; in_more(&in); operations++) {
		uint8_t what = in_byte(&in);

		if (what >= 0xf8)
			vmm(&m, &in);
		else
			happens[what % 32](&m, &in);
		truth_check(&m.truth);
		if (operations % 16 == 15)
			judge(&m);
	}
	judge(&m);
	if (size % 8 == 0) { /* it takes as long as hundreds of steps */
		scenario_random_end(&m);
		judge(&m);
	}
	m_close(&m);
	fuzz_count(operations);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* The invariants hold after every step of random runs, and see what is broken; those of the 8259s
 * are in test_invariants_pic.c. */
#include "test.h"

#include <string.h>

#include "core/chip_priv.h"
#include "core/ioapic_priv.h"
#include "core/lapic_priv.h"
#include "eoi/engine.h"
#include "machine/scenario.h"
#include "model/invariants.h"

static void check(struct machine *m, unsigned given, uint64_t seed, uint64_t step)
{
	struct broken why = {0};

	if (!lw_chip_holds(m->chip, m->eoi, given, &why))
		fail_msg("seed %llu, step %llu: %s (chip %u, vCPU %u, pin %u, vector %#x)",
			 (unsigned long long)seed, (unsigned long long)step, why.rule, why.chip,
			 why.vcpu, why.pin, why.vector);
}

static void run(enum lw_eoi_policy policy, bool hardware)
{
	const uint64_t seeds = lw_test_quick() ? 40 : 1000;
	const unsigned given = LW_GIVEN_SUPPRESSION | LW_GIVEN_REMAP;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct machine_config config = {
			.policy = policy,
			.hardware = hardware,
			.vcpus = seed % 4 ? 3 : 20,
			.ioapics = 2,
			.pins = 24,
			.version = 0x20,
			.x2apic = seed % 4 == 0,
		};
		struct machine m;

		assert_int_equal(m_open(&m, &config, seed), 0);
		for (uint32_t n = 0; n < config.vcpus; n++)
			m_enter(&m, n);
		for (uint64_t step = 0; step < 200; step++) {
			scenario_random_step(&m);
			check(&m, given, seed, step);
		}
		scenario_random_end(&m);
		check(&m, given, seed, 200);
		m_close(&m);
	}
}

#define HOLD(name, policy, hardware)                     \
	static void test_hold_under_##name(void **state) \
	{                                                \
		(void)state;                             \
		run(LW_EOI_##policy, hardware);          \
	}

HOLD(scan, SCAN, false)
HOLD(track, TRACK, false)
HOLD(armed_software, ARMED, false)
HOLD(armed_hardware, ARMED, true)
HOLD(lazy_software, LAZY, false)
HOLD(lazy_hardware, LAZY, true)

/* ---- what is broken is seen ---- */

#define PIN    16u
#define VECTOR 0x31u

static struct lw_pin *the_pin(struct machine *m)
{
	return &lw_chip_ioapic(m->chip, 0)->pin[PIN];
}

static struct lw_lapic *the_lapic(struct machine *m)
{
	return lw_chip_lapic(m->chip, 0);
}

static void no_record(struct machine *m)
{
	the_pin(m)->flags = the_pin(m)->vector = 0;
}

static void two_records(struct machine *m)
{
	the_pin(m)->flags |= RESIDUE;
}

static void no_taker(struct machine *m)
{
	the_pin(m)->vcpu = 77;
}

static void other_vector(struct machine *m)
{
	the_pin(m)->vector++;
}

static void other_route(struct machine *m)
{
	the_pin(m)->rte ^= 1;
}

static void back_link(struct machine *m)
{
	lw_pin_links(lw_chip_ioapic(m->chip, 0), BY_RECORD)[PIN].prev = 3;
}

static void read_only(struct machine *m)
{
	the_pin(m)->rte |= LW_RTE_REMOTE_IRR;
}

static void counted_twice(struct machine *m)
{
	pair(m->chip, 0, VECTOR)->records++;
}

static void route_uncounted(struct machine *m)
{
	pair(m->chip, 0, VECTOR)->routes--;
}

static void refused_uncounted(struct machine *m)
{
	lw_chip_ioapic(m->chip, 0)->refused++;
}

static void waits_for_nobody(struct machine *m)
{
	the_pin(m)->flags |= SAMPLING;
}

static void owes_no_pin(struct machine *m)
{
	lw_chip_ioapic(m->chip, 0)->storm[3] = 1;
}

/* The I/O APIC's ops, less one. */
static struct lw_ioapic_ops *other_ops(struct machine *m)
{
	static struct lw_ioapic_ops ops;

	ops = *lw_chip_ioapic(m->chip, 0)->ops;
	lw_chip_ioapic(m->chip, 0)->ops = &ops;
	return &ops;
}

static void no_sampler(struct machine *m)
{
	other_ops(m)->resample = NULL;
	lw_set_add(lw_chip_ioapic(m->chip, 0)->resample, PIN);
}

static void no_timer(struct machine *m)
{
	other_ops(m)->storm = NULL;
	lw_set_add(lw_chip_ioapic(m->chip, 0)->storm, PIN);
}

static void edge_record(struct machine *m)
{
	lw_chip_ioapic(m->chip, 0)->flags |= LW_IOAPIC_STRICT;
	the_pin(m)->rte &= ~LW_RTE_LEVEL;
	the_pin(m)->msg.level = false;
	the_pin(m)->flags |= UNUSUAL;
}

static void not_recalled(struct machine *m)
{
	other_ops(m)->recall = NULL;
	the_pin(m)->flags |= DOUBTED;
}

static void no_pins(struct machine *m)
{
	lw_chip_ioapic(m->chip, 0)->pins = 0;
}

static void short_maps(struct machine *m)
{
	lw_chip_ioapic(m->chip, 0)->map_words = 0;
}

static void maps_elsewhere(struct machine *m)
{
	lw_chip_ioapic(m->chip, 0)->maps -= 8;
}

static void not_in_set(struct machine *m)
{
	lw_eoi_del(m->eoi, 0, VECTOR);
}

static void not_loaded(struct machine *m)
{
	atomic_store(&m->eoi->vcpu[0].loaded[0], 0);
}

static void stale(struct machine *m)
{
	lw_eoi_add(m->eoi, 1, 0x77);
}

static void handed_unserved(struct machine *m)
{
	m->eoi->vcpu[0].handed[0] |= lw_bit(VECTOR);
}

static void miscounted(struct machine *m)
{
	m->eoi->vcpu[1].outstanding++;
}

static void unanswered(struct machine *m)
{
	m->eoi->vcpu[0].asked[0] |= lw_bit(VECTOR);
}

static void kicked_for_nothing(struct machine *m)
{
	m->eoi->vcpu[0].ask_kicked[0] |= lw_bit(VECTOR);
}

static void no_policy(struct machine *m)
{
	static const struct policy none = {.name = "none"};

	m->eoi->policy = &none;
}

static void unknown_flag(struct machine *m)
{
	m->eoi->flags |= 4;
}

static void no_vcpus(struct machine *m)
{
	m->eoi->nvcpus = 0;
}

static void fourth_request(struct machine *m)
{
	atomic_fetch_or(&m->eoi->vcpu[0].requests, REQUEST_ALL + 1u);
}

static void scans_nothing(struct machine *m)
{
	atomic_fetch_or(&m->eoi->vcpu[0].requests, REQUEST_SCAN);
}

static void can_not_answer(struct machine *m)
{
	m->eoi->policy = &lw_policy_armed;
	atomic_fetch_or(&m->eoi->vcpu[0].requests, REQUEST_ASK);
	m->eoi->vcpu[0].asked[0] |= lw_bit(VECTOR);
}

static void rich(struct machine *m)
{
	m->eoi->vcpu[0].balance = LW_CREDIT_KEPT + 1;
}

static void astray(struct machine *m)
{
	atomic_store(&m->eoi->vcpu[0].mode, LEAVING + 1u);
}

static void tracks_no_vector(struct machine *m)
{
	m->eoi->vcpu[0].last_pending = 256;
}

static void dropped(struct machine *m)
{
	memset(the_lapic(m)->own.irr, 0, sizeof(the_lapic(m)->own.irr));
}

static void no_kick(struct machine *m)
{
	store(the_lapic(m)->shared.posted[1], 1);
}

static void unmarked(struct machine *m)
{
	store(the_lapic(m)->shared.posted[1], 1);
	store(the_lapic(m)->shared.idle, 0);
}

static void busy_unknown(struct machine *m)
{
	the_lapic(m)->der.busy = 0;
}

static void top_unknown(struct machine *m)
{
	the_lapic(m)->der.top = 0x41;
}

static void suppressed(struct machine *m)
{
	the_lapic(m)->der.broadcast = false;
}

static void takes_none(struct machine *m)
{
	store(the_lapic(m)->shared.floor, 256);
}

static void off_and_posted(struct machine *m)
{
	store(the_lapic(m)->shared.mode, LW_LAPIC_DISABLED);
	store(the_lapic(m)->shared.posted[1], 1);
	store(the_lapic(m)->shared.dirty, 2);
	store(the_lapic(m)->shared.idle, 0);
}

static void threshold_unknown(struct machine *m)
{
	the_lapic(m)->der.busy ^= BUSY_THRESHOLD;
}

static void off_unknown(struct machine *m)
{
	the_lapic(m)->der.busy ^= BUSY_OFF;
}

static void hears_nothing(struct machine *m)
{
	store(the_lapic(m)->shared.listens, !lw_lapic_listens(the_lapic(m)));
}

static void no_bus_clock(struct machine *m)
{
	the_lapic(m)->own.timer.clock.bus_ticks = 0;
}

static void bus_too_slow(struct machine *m)
{
	the_lapic(m)->own.timer.clock.bus_ns = LW_CLOCK_MAX + 1;
}

static void no_tsc(struct machine *m)
{
	the_lapic(m)->own.timer.clock.tsc_khz = 0;
}

static void too_wide(struct machine *m)
{
	the_lapic(m)->own.phys_bits = 64;
}

static void base_too_high(struct machine *m)
{
	the_lapic(m)->own.base = 1ull << 52;
}

static void illegal(struct machine *m)
{
	the_lapic(m)->own.irr[0] |= 1;
}

static void wrong_ppr(struct machine *m)
{
	store(the_lapic(m)->shared.ppr, 0x50);
}

static void unmasked(struct machine *m)
{
	lw_lapic_set_svr(the_lapic(m), 0xff);
	the_lapic(m)->own.lvt[LVT_PMC] = 0;
}

static void expired(struct machine *m)
{
	the_lapic(m)->own.timer.expiry = the_lapic(m)->own.timer.now;
	the_lapic(m)->own.timer.tmict = 1;
	the_lapic(m)->own.timer.now++;
	the_lapic(m)->own.timer.expiry++;
}

static const struct {
	void (*breaks)(struct machine *m);
	const char *rule; /* a part of what is said */
} broken[] = {
	{no_record, "in flight or waits"},
	{two_records, "no residue"},
	{no_taker, "taker exists"},
	{other_vector, "under its vector"},
	{other_route, "follows from its RTE"},
	{back_link, "walked back"},
	{read_only, "read-only"},
	{counted_twice, "open records of a pair"},
	{route_uncounted, "level routes of a pair"},
	{refused_uncounted, "refused pins are counted"},
	{waits_for_nobody, "is to be told"},
	{owes_no_pin, "only pins owe"},
	{no_sampler, "owed a sample"},
	{no_timer, "owed a delay"},
	{edge_record, "only a level pin"},
	{not_recalled, "can be recalled"},
	{no_pins, "1 to 240 pins"},
	{short_maps, "a bit for each vCPU"},
	{maps_elsewhere, "one after the other"},
	{not_in_set, "is in the set"},
	{not_loaded, "hardware has loaded"},
	{stale, "has a level route"},
	{handed_unserved, "handed over is served"},
	{miscounted, "let go is counted"},
	{unanswered, "asked is answered"},
	{kicked_for_nothing, "kicked was asked"},
	{no_policy, "one of the six"},
	{unknown_flag, "two flags"},
	{no_vcpus, "not too many"},
	{fourth_request, "three requests"},
	{scans_nothing, "who scans can"},
	{can_not_answer, "asked can answer"},
	{rich, "and no more"},
	{astray, "out, in the guest"},
	{tracks_no_vector, "tracked is a vector"},
	{dropped, "posted, pending, in service"},
	{no_kick, "owes a kick"},
	{unmarked, "will be merged"},
	{busy_unknown, "pending is known"},
	{top_unknown, "highest in service"},
	{suppressed, "suppression is known"},
	{takes_none, "lowest vector"},
	{off_and_posted, "is posted nothing"},
	{threshold_unknown, "TPR threshold is known"},
	{off_unknown, "whether it is off"},
	{hears_nothing, "LINT0 is heard"},
	{no_bus_clock, "bus has a clock"},
	{bus_too_slow, "bus has a clock"},
	{no_tsc, "TSC runs"},
	{too_wide, "have a width"},
	{base_too_high, "a guest can write"},
	{illegal, "below 16"},
	{wrong_ppr, "PPR follows"},
	{unmasked, "LVT entry"},
	{expired, "expired was delivered"},
};

/* One level interrupt pending in vCPU 0, which is in guest mode on a hardware bitmap. */
static void pending_level(struct machine *m)
{
	const struct machine_config config = {.policy = LW_EOI_LAZY,
					      .hardware = true,
					      .vcpus = 2,
					      .ioapics = 1,
					      .pins = 24,
					      .version = 0x20};

	assert_int_equal(m_open(m, &config, 1), 0);
	m_enter(m, 0);
	m_rte(m, 0, PIN, M_HIGH, m_route(0, VECTOR, M_LEVEL));
	m_line(m, PIN, 0, true);
	lw_lapic_sync(the_lapic(m));
}

static void test_see_what_is_broken(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(broken) / sizeof(*broken); n++) {
		struct broken why = {0};
		struct machine m;

		pending_level(&m);
		assert_true(lw_chip_holds(m.chip, m.eoi, 0, &why));
		broken[n].breaks(&m);
		assert_false(lw_chip_holds(m.chip, m.eoi, 0, &why));
		m_close(&m);
		if (!strstr(why.rule, broken[n].rule))
			fail_msg("\"%s\" is said where \"%s\" is broken", why.rule, broken[n].rule);
	}
}

/* A level route of vector 0 is none that anybody takes, and is counted all the same. */
static void test_hold_for_vector_0_when_ids_change(void **state)
{
	struct broken why = {0};
	struct machine m;

	(void)state;
	pending_level(&m);
	m_rte(&m, 0, PIN + 1, M_HIGH, LW_RTE_LOGICAL | M_LEVEL | 2ull << LW_RTE_DEST_SHIFT);
	for (uint32_t logical = 1; logical < 4; logical++) {
		m_ldr(&m, 1, logical);
		assert_true(lw_chip_holds(m.chip, m.eoi, LW_GIVEN_REMAP, &why));
	}
	m_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hold_under_scan),
		cmocka_unit_test(test_hold_under_track),
		cmocka_unit_test(test_hold_under_armed_software),
		cmocka_unit_test(test_hold_under_armed_hardware),
		cmocka_unit_test(test_hold_under_lazy_software),
		cmocka_unit_test(test_hold_under_lazy_hardware),
		cmocka_unit_test(test_see_what_is_broken),
		cmocka_unit_test(test_hold_for_vector_0_when_ids_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* To KVM's structures and back, without a KVM: tests of one chip's state in each form. */
#include <errno.h>
#include <lapwing/kvm_state.h>
#include <lapwing/snapshot.h>
#include <linux/kvm.h>

#include "snapshot_rig.h"

#define MAX (1u << 16)

static struct rig rig, twin;

static int close_rigs(void **state)
{
	(void)state;
	rig_close(&rig);
	rig_close(&twin);
	return 0;
}

/* Two controllers of one configuration. */
static void open_rigs(uint64_t seed)
{
	rig_open(&rig, seed);
	rig_open(&twin, seed);
}

static uint32_t reg(const struct kvm_lapic_state *s, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, s->regs + offset, sizeof(value));
	return value;
}

static void set_reg(struct kvm_lapic_state *s, uint32_t offset, uint32_t value)
{
	memcpy(s->regs + offset, &value, sizeof(value));
}

/* ---- LAPIC ---- */

static int bring(const struct lw_lapic *from, struct lw_lapic *to, unsigned flags)
{
	struct kvm_lapic_state s;

	assert_int_equal(lw_kvm_lapic_export(from, flags, &s), 0);
	return lw_kvm_lapic_import(to, flags, &s, lw_lapic_base(from), lw_lapic_tsc_deadline(from));
}

static void a_lapic_comes_back_as_it_was(void **state)
{
	uint64_t seeds = lw_test_quick() ? 60 : 2000;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		open_rigs(seed);
		for (uint32_t n = 0; n < 100; n++)
			rig_step(&rig);
		for (uint32_t n = 0; n < VCPUS; n++) {
			struct lw_lapic *a = lw_chip_lapic(rig.chip, n);
			struct lw_lapic *b = lw_chip_lapic(twin.chip, n);
			struct kvm_lapic_state first, second;
			unsigned flags = seed & 1 ? LW_KVM_32BIT_IDS : 0;

			lw_lapic_time(a, rig.time);
			lw_lapic_time(b, rig.time);
			assert_int_equal(bring(a, b, flags), 0);
			assert_int_equal(lw_kvm_lapic_export(a, flags, &first), 0);
			assert_int_equal(lw_kvm_lapic_export(b, flags, &second), 0);
			if (!lw_lapic_deadline(a)) /* periodic, at its end: it begins anew */
				set_reg(&second, LW_LAPIC_TMCCT, 0);
			assert_memory_equal(&first, &second, sizeof(first));
			assert_int_equal(lw_lapic_base(b), lw_lapic_base(a));
			assert_true(lw_lapic_tsc_deadline(b) == lw_lapic_tsc_deadline(a) ||
				    lw_lapic_deadline(b) == 0);
		}
		close_rigs(NULL);
	}
}

static void ids_stand_where_kvm_has_them(void **state)
{
	struct lw_lapic_config config = {.vcpu = 0, .id = 0x123, .x2apic = true};
	static _Alignas(LW_LAPIC_ALIGN) uint8_t storage[LW_LAPIC_SIZE];
	struct lw_lapic *l = (struct lw_lapic *)storage;
	struct kvm_lapic_state s;

	(void)state;
	assert_int_equal(lw_lapic_init(l, &config), 0);
	assert_int_equal(lw_kvm_lapic_export(l, 0, &s), -EINVAL);
	assert_int_equal(lw_kvm_lapic_export(l, LW_KVM_32BIT_IDS, &s), 0);
	assert_int_equal(reg(&s, LW_LAPIC_ID), 0x123);
	assert_int_equal(reg(&s, LW_LAPIC_LDR), 0x120008);
	assert_int_equal(lw_kvm_lapic_import(l, LW_KVM_32BIT_IDS, &s, lw_lapic_base(l), 0), 0);
	assert_int_equal(lw_kvm_lapic_import(l, 0, &s, lw_lapic_base(l), 0), -EINVAL);
	set_reg(&s, LW_LAPIC_ID, 0x124);
	assert_int_equal(lw_kvm_lapic_import(l, LW_KVM_32BIT_IDS, &s, lw_lapic_base(l), 0),
			 -EINVAL);
	config.id = 7;
	assert_int_equal(lw_lapic_init(l, &config), 0);
	assert_int_equal(lw_kvm_lapic_export(l, 0, &s), 0);
	assert_int_equal(reg(&s, LW_LAPIC_ID), 7u << 24);
	config.x2apic = false;
	assert_int_equal(lw_lapic_init(l, &config), 0);
	assert_int_equal(lw_kvm_lapic_export(l, LW_KVM_32BIT_IDS, &s), 0);
	assert_int_equal(reg(&s, LW_LAPIC_ID), 7u << 24);
}

static void a_lapic_takes_only_what_it_keeps(void **state)
{
	struct lw_lapic *l;
	struct kvm_lapic_state s;

	(void)state;
	open_rigs(1);
	l = lw_chip_lapic(twin.chip, 0);
	memset(&s, 0xff, sizeof(s));
	set_reg(&s, LW_LAPIC_ID, 0);
	assert_int_equal(lw_kvm_lapic_import(l, 0, &s, 0xfee00900, 0), 0);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_SVR), 0x13ff);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_LVT_LINT1), 0x1a7ff);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_IRR), 0xffff0000u);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_ESR), 0xe0);
	assert_int_equal(lw_kvm_lapic_import(l, 0, &s, 0xfee00400, 0), -EINVAL);
	assert_int_equal(lw_kvm_lapic_import(l, 0, &s, 0xfee00901, 0), -EINVAL);
	assert_int_equal(lw_kvm_lapic_import(l, 2, &s, 0xfee00900, 0), -EINVAL);
	assert_int_equal(lw_kvm_lapic_import(l, 0, NULL, 0xfee00900, 0), -EINVAL);
	assert_int_equal(lw_kvm_lapic_export(l, 2, &s), -EINVAL);
	assert_int_equal(lw_kvm_lapic_export(l, 0, NULL), -EINVAL);
	assert_int_equal(lw_kvm_lapic_import(l, 0, &s, 0xfee00000, 0), 0); /* off */
	assert_int_equal(lw_lapic_accept(l), -1);
	close_rigs(NULL);
}

static void a_count_and_a_deadline_run_on(void **state)
{
	struct lw_lapic *a, *b;

	(void)state;
	open_rigs(1); /* two bus ticks in 3 ns */
	a = lw_chip_lapic(rig.chip, 0);
	b = lw_chip_lapic(twin.chip, 0);
	lw_lapic_write(a, LW_LAPIC_LVT_TIMER, 1u << 17 | 0x40);
	lw_lapic_write(a, LW_LAPIC_DCR, 0xb);
	lw_lapic_write(a, LW_LAPIC_TMICT, 2000);
	lw_lapic_time(a, 600); /* of 3,000 ns */
	lw_lapic_time(b, 7000);
	assert_int_equal(bring(a, b, 0), 0);
	assert_int_equal(lw_lapic_deadline(b), 9400);
	lw_lapic_time(b, 9400);
	assert_int_equal(lw_lapic_accept(b), 0x40);
	assert_int_equal(lw_lapic_deadline(b), 12400);
	lw_lapic_write(a, LW_LAPIC_LVT_TIMER, 2u << 17 | 0x41);
	lw_lapic_write_tsc_deadline(a, 1ull << 40);
	assert_int_equal(bring(a, b, 0), 0);
	assert_int_equal(lw_lapic_tsc_deadline(b), 1ull << 40);
	close_rigs(NULL);
}

/* LINT0's remote IRR is believed where its vector is there. */
static void remote_irr_of_lint0_needs_its_vector(void **state)
{
	struct kvm_lapic_state s;
	struct lw_lapic *a, *b;

	(void)state;
	open_rigs(1);
	a = lw_chip_lapic(rig.chip, 0);
	b = lw_chip_lapic(twin.chip, 0);
	lw_lapic_write(a, LW_LAPIC_LVT_LINT0, 1u << 15 | 0x61);
	lw_lapic_lint(a, 0, true);
	assert_int_equal(bring(a, b, 0), 0);
	assert_int_equal(lw_lapic_read(b, LW_LAPIC_LVT_LINT0), 1u << 15 | 1u << 14 | 0x61);
	assert_int_equal(lw_kvm_lapic_export(a, 0, &s), 0);
	set_reg(&s, LW_LAPIC_IRR + 0x30, 0);
	assert_int_equal(lw_kvm_lapic_import(b, 0, &s, lw_lapic_base(a), 0), 0);
	assert_int_equal(lw_lapic_read(b, LW_LAPIC_LVT_LINT0), 1u << 15 | 0x61);
	close_rigs(NULL);
}

/* ---- I/O APIC ---- */

#define LEVEL ((uint32_t)LW_RTE_LEVEL)

static struct lw_ioapic *io(struct rig *r)
{
	return lw_chip_ioapic(r->chip, 0);
}

static void program(struct rig *r, uint32_t pin, uint32_t dest, uint32_t low)
{
	lw_ioapic_write(io(r), 0x11 + 2 * pin, dest << 24);
	lw_ioapic_write(io(r), 0x10 + 2 * pin, low);
}

static bool remote_irr(struct rig *r, uint32_t pin)
{
	uint64_t rte;

	assert_int_equal(lw_ioapic_rte(io(r), pin, &rte), 0);
	return rte & LW_RTE_REMOTE_IRR;
}

static struct kvm_ioapic_state carry(void)
{
	struct kvm_ioapic_state s;

	for (uint32_t n = 0; n < VCPUS; n++)
		assert_int_equal(bring(lw_chip_lapic(rig.chip, n), lw_chip_lapic(twin.chip, n), 0),
				 0);
	assert_int_equal(lw_kvm_chip_ioapic_export(rig.chip, 0, &s), 0);
	assert_int_equal(lw_kvm_chip_ioapic_import(twin.chip, 0, &s), 0);
	return s;
}

/* Seeds without strict, electrical or 15-bit ways: 16 is armed, 17 lazy on a software bitmap. */
static int open_armed(void **state)
{
	(void)state;
	open_rigs(16);
	return 0;
}

static int open_lazy(void **state)
{
	(void)state;
	open_rigs(41);
	return 0;
}

static int take(struct rig *r, uint32_t vcpu)
{
	return lw_lapic_accept(lw_chip_lapic(r->chip, vcpu));
}

static void a_delivery_in_flight_goes_on(void **state)
{
	(void)state;
	for (int served = 0; served < 2; served++) {
		program(&rig, 20, 1, LEVEL | 0x51u);
		lw_ioapic_line(io(&rig), 20, 3, true);
		if (served)
			assert_int_equal(take(&rig, 1), 0x51);
		assert_int_equal(carry().irr, 1u << 20);
		assert_true(remote_irr(&twin, 20));
		assert_true(lw_chip_eoi_leaves(twin.chip, 1, 0x51));
		assert_int_equal(take(&twin, 1), served ? -1 : 0x51);
		lw_ioapic_line(io(&twin), 20, 0, false);
		assert_int_equal(lw_lapic_eoi(lw_chip_lapic(twin.chip, 1)), 0x51);
		assert_false(remote_irr(&twin, 20));
	}
}

static void several_takers_are_found(void **state)
{
	struct lw_lapic *l;

	(void)state;
	for (uint32_t n = 0; n < 2; n++)
		lw_lapic_write(lw_chip_lapic(rig.chip, n), LW_LAPIC_LDR, 1u << (24 + n));
	program(&rig, 5, 3, LEVEL | 1u << 11 | 0x61u);
	lw_ioapic_line(io(&rig), 5, 0, true);
	assert_int_equal(take(&rig, 0), 0x61);
	carry();
	lw_ioapic_line(io(&twin), 5, 0, false);
	l = lw_chip_lapic(twin.chip, 0);
	assert_int_equal(lw_lapic_eoi(l), 0x61);
	assert_false(remote_irr(&twin, 5));
	assert_int_equal(take(&twin, 1), 0x61);
	assert_int_equal(lw_chip_counters(twin.chip).redundant, 0);
	lw_lapic_eoi(lw_chip_lapic(twin.chip, 1));
	assert_int_equal(lw_chip_counters(twin.chip).redundant, 1);
}

/* The RTE names vCPU 1 now; vCPU 0 has the vector, as a level one. */
static void a_route_moved_in_service_is_found(void **state)
{
	(void)state;
	program(&rig, 7, 0, LEVEL | 0x71u);
	lw_ioapic_line(io(&rig), 7, 0, true);
	assert_int_equal(take(&rig, 0), 0x71);
	program(&rig, 7, 1, LEVEL | 0x71u);
	carry();
	assert_true(remote_irr(&twin, 7));
	assert_int_equal(take(&twin, 1), -1);
	assert_true(lw_chip_eoi_leaves(twin.chip, 0, 0x71));
	assert_int_equal(lw_lapic_eoi(lw_chip_lapic(twin.chip, 0)), 0x71);
	assert_int_equal(take(&twin, 1), 0x71);
}

/* KVM would wait for ever for an EOI of the new vector. */
static void a_vector_rewritten_in_flight_loses_remote_irr(void **state)
{
	struct kvm_ioapic_state s;

	(void)state;
	program(&rig, 7, 0, LEVEL | 0x71u);
	lw_ioapic_line(io(&rig), 7, 0, true);
	program(&rig, 7, 0, LEVEL | 0x72u);
	assert_true(remote_irr(&rig, 7));
	s = carry();
	assert_false(s.redirtbl[7].bits & LW_RTE_REMOTE_IRR);
	assert_int_equal(s.irr, 1u << 7);
	assert_int_equal(take(&twin, 0), 0x72);
	assert_true(remote_irr(&rig, 7));
}

/* Nobody has the vector: the EOI has been, or KVM had lost it. */
static void remote_irr_without_a_taker_is_dropped(void **state)
{
	struct kvm_ioapic_state s = {0};

	(void)state;
	s.redirtbl[3].bits = LW_RTE_REMOTE_IRR | LEVEL | 0x55u;
	s.redirtbl[4].bits = LW_RTE_REMOTE_IRR | LEVEL | 0x56u;
	s.irr = 1u << 4;
	assert_int_equal(lw_kvm_chip_ioapic_import(twin.chip, 0, &s), 0);
	assert_false(remote_irr(&twin, 3));
	assert_true(remote_irr(&twin, 4)); /* of its own delivery now */
	assert_int_equal(take(&twin, 0), 0x56);
	assert_int_equal(take(&twin, 0), -1);
}

static void what_was_let_go_is_settled(void **state)
{
	struct lw_lapic *l = lw_chip_lapic(rig.chip, 0);
	struct kvm_ioapic_state s;

	(void)state;
	program(&rig, 9, 0, LEVEL | 0x41u);
	lw_ioapic_line(io(&rig), 9, 0, true);
	assert_int_equal(take(&rig, 0), 0x41);
	lw_ioapic_line(io(&rig), 9, 0, false); /* lazy lets go */
	assert_false(lw_chip_eoi_leaves(rig.chip, 0, 0x41));
	assert_int_equal(lw_lapic_eoi(l), 0x41);
	assert_int_equal(lw_kvm_chip_ioapic_export(rig.chip, 0, &s), 0);
	assert_false(s.redirtbl[9].bits & LW_RTE_REMOTE_IRR);
}

static void an_edge_that_waits_is_delivered(void **state)
{
	struct kvm_ioapic_state s = {.irr = 3u << 10, .ioregsel = 0x1f, .id = 9};
	uint32_t select;

	(void)state;
	s.redirtbl[10].bits = 0x45;
	s.redirtbl[11].bits = LW_RTE_MASK | 0x46;
	assert_int_equal(lw_kvm_chip_ioapic_import(twin.chip, 0, &s), 0);
	assert_int_equal(take(&twin, 0), 0x45);
	assert_int_equal(take(&twin, 0), -1);
	lw_ioapic_mmio_read(io(&twin), 0, &select, 4);
	assert_int_equal(select, 0x1f);
	assert_int_equal(lw_ioapic_read(io(&twin), 0), 9u << 24);
	assert_int_equal(lw_kvm_chip_ioapic_export(twin.chip, 0, &s), 0);
	assert_int_equal(s.irr, 0); /* it has been delivered */
	assert_int_equal(s.base_address, 0xfec00000u);
}

/* What a line means is carried, not its volts. */
static void an_active_low_pin_is_carried(void **state)
{
	(void)state;
	open_rigs(4); /* electrical */
	program(&rig, 6, 0, LEVEL | (uint32_t)LW_RTE_LOW | 0x47u);
	assert_int_equal(take(&rig, 0), 0x47);
	assert_int_equal(carry().irr, 1u << 6);
	assert_true(remote_irr(&twin, 6));
	lw_ioapic_line(io(&twin), 6, 0, true); /* high: no more */
	assert_int_equal(lw_lapic_eoi(lw_chip_lapic(twin.chip, 0)), 0x47);
	assert_false(remote_irr(&twin, 6));
}

static void bad_ioapics_are_refused(void **state)
{
	struct kvm_ioapic_state s = {0};

	(void)state;
	open_rigs(1); /* 15-bit destinations */
	assert_int_equal(lw_kvm_chip_ioapic_export(rig.chip, 2, &s), -EINVAL);
	assert_int_equal(lw_kvm_chip_ioapic_import(rig.chip, 2, &s), -EINVAL);
	assert_int_equal(lw_kvm_chip_ioapic_export(rig.chip, 0, NULL), -EINVAL);
	assert_int_equal(lw_kvm_chip_ioapic_import(rig.chip, 0, NULL), -EINVAL);
	assert_int_equal(lw_kvm_ioapic_import(io(&rig), &s, NULL, NULL), -EINVAL);
	lw_ioapic_write(io(&rig), 0x11, 1u << 17);
	assert_int_equal(lw_kvm_chip_ioapic_export(rig.chip, 0, &s), -ERANGE);
}

/* ---- 8259s ---- */

static void the_8259s_come_back_as_they_were(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct kvm_pic_state a[2], b[2];

		open_rigs(seed);
		for (uint32_t n = 0; n < 100; n++)
			pics(&rig);
		assert_int_equal(lw_kvm_pic_export(lw_chip_pic(rig.chip), &a[0], &a[1]), 0);
		assert_int_equal(lw_kvm_pic_import(lw_chip_pic(twin.chip), &a[0], &a[1]), 0);
		assert_int_equal(lw_kvm_pic_export(lw_chip_pic(twin.chip), &b[0], &b[1]), 0);
		/* Wired as KVM's is, the cascade may ask where it did not. */
		a[0].irr &= (uint8_t)~4u;
		b[0].irr &= (uint8_t)~4u;
		/* LTIM makes levels of what are edges to KVM. */
		for (uint32_t n = 0; n < 2; n++) {
			assert_int_equal(a[n].irr & ~b[n].irr, 0);
			b[n].irr = a[n].irr;
		}
		assert_memory_equal(a, b, sizeof(a));
		close_rigs(NULL);
	}
}

static void a_slaves_request_is_carried(void **state)
{
	static const uint8_t words[][2] = {{0x11, 0x11}, {0x20, 0x28}, {4, 2}, {1, 1}};
	struct lw_pic *p = lw_chip_pic(rig.chip);
	struct kvm_pic_state s[2];

	(void)state;
	for (uint32_t n = 0; n < 4; n++) {
		lw_pic_write(p, n ? 0x21 : 0x20, words[n][0], 1);
		lw_pic_write(p, n ? 0xa1 : 0xa0, words[n][1], 1);
	}
	lw_pic_line(p, 12, 0, true);
	assert_int_equal(lw_kvm_pic_export(p, &s[0], &s[1]), 0);
	assert_int_equal(s[0].last_irr, 0);
	assert_int_equal(s[0].irr, 4);
	assert_int_equal(s[1].irr, 0x10);
	assert_int_equal(lw_kvm_pic_import(lw_chip_pic(twin.chip), &s[0], &s[1]), 0);
	assert_int_equal(lw_pic_accept(lw_chip_pic(twin.chip)), 0x2c);
	s[1].init_state = 4;
	assert_int_equal(lw_kvm_pic_import(p, &s[0], &s[1]), -EINVAL);
	assert_int_equal(lw_kvm_pic_import(p, &s[0], NULL), -EINVAL);
	assert_int_equal(lw_kvm_pic_export(p, NULL, &s[1]), -EINVAL);
}

/* ---- routes ---- */

static struct kvm_irq_routing *make_routing(uint32_t room)
{
	struct kvm_irq_routing *r =
		calloc(1, sizeof(*r) + room * sizeof(struct kvm_irq_routing_entry));

	assert_non_null(r);
	return r;
}

static void routes_come_back_as_they_were(void **state)
{
	struct kvm_irq_routing *r = make_routing(64);
	static uint8_t a[MAX], b[MAX];

	(void)state;
	for (uint32_t round = 0; round < 200; round++) {
		struct lw_routes *from = lw_chip_routes(rig.chip);
		struct lw_routes *to = lw_chip_routes(twin.chip);
		struct lw_route routes[8];
		size_t size;
		int count;

		for (uint32_t n = 0; n < 8; n++) {
			uint32_t kind = below(&rig, 3), gsi = below(&rig, 64);

			routes[n] = (struct lw_route){.gsi = gsi, .type = kind};
			if (kind == LW_ROUTE_MSI) {
				routes[n].address = 0xfee00000u | (below(&rig, 1u << 15) << 5);
				routes[n].data = below(&rig, 256);
			} else {
				routes[n].chip =
					(uint16_t)(kind == LW_ROUTE_PIC ? below(&rig, 2) : 0);
				routes[n].pin = (uint16_t)below(&rig, 8);
			}
		}
		if (lw_routes_set(from, routes, 8))
			continue;
		count = lw_kvm_routes_export(from, LW_KVM_32BIT_IDS, r, 64);
		assert_int_equal(count, 8);
		assert_int_equal(r->nr, 8);
		assert_int_equal(lw_kvm_routes_import(to, LW_KVM_32BIT_IDS, r), 0);
		size = lw_routes_save(from, a, MAX);
		assert_int_equal(lw_routes_save(to, b, MAX), size);
		assert_memory_equal(a, b, size);
	}
	free(r);
}

static void upper_id_bits_stand_in_the_upper_half(void **state)
{
	struct lw_route route = {
		.gsi = 3, .type = LW_ROUTE_MSI, .address = 0xfee34000u | 0x12 << 5};
	struct lw_routes *routes = lw_chip_routes(rig.chip);
	struct kvm_irq_routing *r = make_routing(1);

	(void)state;
	assert_int_equal(lw_routes_set(routes, &route, 1), 0);
	assert_int_equal(lw_kvm_routes_export(routes, 0, r, 1), -ERANGE);
	assert_int_equal(lw_kvm_routes_export(routes, LW_KVM_32BIT_IDS, NULL, 0), 1);
	assert_int_equal(lw_kvm_routes_export(routes, LW_KVM_32BIT_IDS, r, 1), 1);
	assert_int_equal(r->entries[0].u.msi.address_lo, 0xfee34000u);
	assert_int_equal(r->entries[0].u.msi.address_hi, 0x1200);
	route.address |= 1u << 4;
	assert_int_equal(lw_routes_set(routes, &route, 1), 0);
	assert_int_equal(lw_kvm_routes_export(routes, LW_KVM_32BIT_IDS, r, 1), -ERANGE);
	r->entries[0].u.msi.address_hi = 0x8000;
	assert_int_equal(lw_kvm_routes_import(routes, LW_KVM_32BIT_IDS, r), -ERANGE);
	assert_int_equal(lw_kvm_routes_import(routes, 0, r), 0);
	free(r);
}

static void bad_routes_are_refused(void **state)
{
	struct lw_route far = {.gsi = 3, .type = LW_ROUTE_IOAPIC, .chip = 1};
	struct lw_routes *routes = lw_chip_routes(rig.chip);
	struct kvm_irq_routing *r = make_routing(1);

	(void)state;
	assert_int_equal(lw_routes_set(routes, &far, 1), 0);
	assert_int_equal(lw_kvm_routes_export(routes, 0, r, 1), -ERANGE);
	assert_int_equal(lw_kvm_routes_export(routes, 2, r, 1), -EINVAL);
	assert_int_equal(lw_kvm_routes_export(routes, 0, NULL, 1), -EINVAL);
	assert_int_equal(lw_kvm_routes_import(routes, 0, NULL), -EINVAL);
	assert_int_equal(lw_kvm_routes_import(routes, 2, r), -EINVAL);
	r->nr = 1;
	for (uint32_t type = 0; type <= KVM_IRQ_ROUTING_XEN_EVTCHN; type++) {
		r->entries[0] = (struct kvm_irq_routing_entry){.type = type};
		r->entries[0].u.irqchip.irqchip = 3;
		assert_int_equal(lw_kvm_routes_import(routes, 0, r),
				 type == KVM_IRQ_ROUTING_MSI ? 0 : -EINVAL);
	}
	r->entries[0] = (struct kvm_irq_routing_entry){.type = KVM_IRQ_ROUTING_IRQCHIP};
	r->entries[0].u.irqchip.pin = 8;
	assert_int_equal(lw_kvm_routes_import(routes, 0, r), -EINVAL);
	r->entries[0].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
	assert_int_equal(lw_kvm_routes_import(routes, 0, r), 0);
	r->entries[0].gsi = 64;
	assert_int_equal(lw_kvm_routes_import(routes, 0, r), -EINVAL);
	free(r);
}

#define CASE(name)       cmocka_unit_test(name)
#define ON(rig_of, name) cmocka_unit_test_setup_teardown(name, open_##rig_of, close_rigs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_lapic_comes_back_as_it_was),
		CASE(ids_stand_where_kvm_has_them),
		CASE(a_lapic_takes_only_what_it_keeps),
		CASE(a_count_and_a_deadline_run_on),
		CASE(remote_irr_of_lint0_needs_its_vector),
		ON(armed, a_delivery_in_flight_goes_on),
		ON(armed, several_takers_are_found),
		ON(armed, a_route_moved_in_service_is_found),
		ON(armed, a_vector_rewritten_in_flight_loses_remote_irr),
		ON(armed, remote_irr_without_a_taker_is_dropped),
		ON(lazy, what_was_let_go_is_settled),
		ON(armed, an_edge_that_waits_is_delivered),
		cmocka_unit_test_teardown(an_active_low_pin_is_carried, close_rigs),
		cmocka_unit_test_teardown(bad_ioapics_are_refused, close_rigs),
		CASE(the_8259s_come_back_as_they_were),
		ON(armed, a_slaves_request_is_carried),
		ON(armed, routes_come_back_as_they_were),
		ON(armed, upper_id_bits_stand_in_the_upper_half),
		ON(armed, bad_routes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

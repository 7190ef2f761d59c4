/* SPDX-License-Identifier: MIT */
/*
 * Random states of Lapwing's chips, set in a live KVM's and read back: what KVM keeps, it keeps as
 * it was, and what comes back to Lapwing is the state that went. Every exception stands here.
 */
#include <errno.h>
#include <fcntl.h>
#include <lapwing/kvm_state.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm/sys.h"
#include "snapshot_rig.h"

#define DEVICE  "/dev/kvm"
#define TSS     0xfffbd000ul
#define ENTRIES 256u
#define ROUNDS  300u

static struct rig rig, twin;
static struct lw_kvm kvm = {.fd = -1};
static int vm = -1, vcpu = -1;
static unsigned ids; /* LW_KVM_32BIT_IDS, if the VM has them */

/* ---- a VM that never runs ---- */

static void try(int result, const char *what)
{
	if (result < 0)
		fail_msg("%s: errno %d", what, errno);
}

static void offer_x2apic(void)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));

	assert_non_null(cpuid);
	cpuid->nent = ENTRIES;
	try(ioctl(kvm.fd, KVM_GET_SUPPORTED_CPUID, cpuid), "KVM_GET_SUPPORTED_CPUID");
	try(ioctl(vcpu, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");
	free(cpuid);
}

static void open_vm(bool ids_32bit)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_X2APIC_API,
				     .args = {KVM_X2APIC_API_USE_32BIT_IDS}};
	struct lw_reason reason;

	if (lw_kvm_open(&kvm, DEVICE, &lw_kvm_host, &reason) < 0)
		lw_test_skip(reason.text);
	if (!kvm.inkernel)
		lw_test_skip("this KVM has no irqchip of its own");
	vm = ioctl(kvm.fd, KVM_CREATE_VM, 0);
	try(vm, "KVM_CREATE_VM");
	try(ioctl(vm, KVM_SET_TSS_ADDR, TSS), "KVM_SET_TSS_ADDR");
	try(ioctl(vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
	ids = 0;
	if (ids_32bit) {
		if (ioctl(vm, KVM_ENABLE_CAP, &cap) < 0)
			lw_test_skip("this KVM has no 32-bit APIC ids");
		ids = LW_KVM_32BIT_IDS;
	}
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	try(vcpu, "KVM_CREATE_VCPU");
	offer_x2apic();
}

static int close_vm(void **state)
{
	(void)state;
	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
	if (kvm.fd >= 0)
		close(kvm.fd);
	vcpu = vm = kvm.fd = -1;
	return 0;
}

static void open_rigs(uint64_t seed, uint32_t steps)
{
	rig_open(&rig, seed);
	rig_open(&twin, seed);
	for (uint32_t n = 0; n < steps; n++)
		rig_step(&rig);
}

static void close_rigs(void)
{
	rig_close(&rig);
	rig_close(&twin);
}

/* ---- LAPIC ---- */

static void set_base(uint64_t base)
{
	struct kvm_sregs sregs;

	try(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.apic_base = base;
	try(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

static void set_deadline(uint64_t tsc)
{
	struct one_msr msrs = {.head = {.nmsrs = 1},
			       .entry = {.index = LW_MSR_TSC_DEADLINE, .data = tsc}};

	assert_int_equal(ioctl(vcpu, KVM_SET_MSRS, &msrs), 1);
}

static uint64_t get_deadline(void)
{
	struct one_msr msrs = {.head = {.nmsrs = 1}, .entry = {.index = LW_MSR_TSC_DEADLINE}};

	assert_int_equal(ioctl(vcpu, KVM_GET_MSRS, &msrs), 1);
	return msrs.entry.data;
}

static uint32_t *word(struct kvm_lapic_state *s, uint32_t offset)
{
	return (uint32_t *)(void *)(s->regs + offset);
}

/*
 * The exceptions: the version register, which is each one's own; the current count, for KVM's clock
 * runs on; LVT CMCI, which Lapwing has not got; and PPR, which KVM makes anew before it counts what
 * it was given in ISR, so that it shows TPR alone until the vCPU runs.
 */
static void forget_exceptions(struct kvm_lapic_state *s)
{
	*word(s, LW_LAPIC_VERSION) = 0;
	*word(s, LW_LAPIC_TMCCT) = 0;
	*word(s, 0x2f0) = 0;
	*word(s, LW_LAPIC_PPR) = 0;
}

/* No timer of KVM's shall fire into IRR meanwhile. */
static void hold_timer(struct lw_lapic *l)
{
	lw_lapic_write(l, LW_LAPIC_LVT_TIMER,
		       lw_lapic_read(l, LW_LAPIC_LVT_TIMER) | 1u << 16 | 0x20u);
}

static void assert_same_page(struct kvm_lapic_state *went, struct kvm_lapic_state *came)
{
	forget_exceptions(went);
	forget_exceptions(came);
	for (uint32_t offset = 0; offset < sizeof(*went); offset += 16)
		if (*word(went, offset) != *word(came, offset))
			fail_msg("register 0x%x: %08x went, %08x came", offset, *word(went, offset),
				 *word(came, offset));
}

static void one_lapic(void)
{
	struct lw_lapic *a = lw_chip_lapic(rig.chip, 0), *b = lw_chip_lapic(twin.chip, 0);
	struct kvm_lapic_state went, came, again;

	hold_timer(a);
	lw_lapic_sync(a);
	assert_int_equal(lw_kvm_lapic_export(a, ids, &went), 0);
	set_base(lw_lapic_base(a));
	/* Twice, for KVM drops TMICT where LVT timer goes to or from TSC-deadline mode by it. */
	for (int n = 0; n < 2; n++)
		try(ioctl(vcpu, KVM_SET_LAPIC, &went), "KVM_SET_LAPIC");
	try(ioctl(vcpu, KVM_GET_LAPIC, &came), "KVM_GET_LAPIC");
	again = came;
	assert_same_page(&went, &came);
	assert_int_equal(lw_kvm_lapic_import(b, ids, &again, lw_lapic_base(a), 0), 0);
	assert_int_equal(lw_kvm_lapic_export(b, ids, &came), 0);
	assert_same_page(&went, &came);
	/* KVM takes x2APIC mode to xAPIC mode by way of off only. */
	set_base(0xfee00100);
	set_base(0xfee00900);
}

static void lapics(bool ids_32bit)
{
	uint32_t seen[3] = {0};

	open_vm(ids_32bit);
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		enum lw_lapic_mode mode;

		open_rigs(seed, 120);
		mode = lw_lapic_mode(lw_chip_lapic(rig.chip, 0));
		seen[mode]++;
		if (mode != LW_LAPIC_DISABLED) /* KVM_SET_LAPIC then has no chip to set */
			one_lapic();
		close_rigs();
	}
	assert_true(seen[LW_LAPIC_XAPIC] > 20 && seen[LW_LAPIC_X2APIC] > 20);
}

static void lapics_with_shifted_ids(void **state)
{
	(void)state;
	lapics(false);
}

static void lapics_with_32bit_ids(void **state)
{
	(void)state;
	lapics(true);
}

/* The MSR after the page, as the header says; both ways. */
static void a_tsc_deadline(void **state)
{
	const uint64_t deadline = 1ull << 62;
	struct kvm_lapic_state s;
	struct lw_lapic *a, *b;

	(void)state;
	open_vm(false);
	open_rigs(1, 0);
	a = lw_chip_lapic(rig.chip, 0);
	b = lw_chip_lapic(twin.chip, 0);
	lw_lapic_write(a, LW_LAPIC_LVT_TIMER, 2u << 17 | 0x41);
	lw_lapic_write_tsc_deadline(a, deadline);
	assert_int_equal(lw_kvm_lapic_export(a, ids, &s), 0);
	try(ioctl(vcpu, KVM_SET_LAPIC, &s), "KVM_SET_LAPIC");
	set_deadline(lw_lapic_tsc_deadline(a));
	try(ioctl(vcpu, KVM_GET_LAPIC, &s), "KVM_GET_LAPIC");
	assert_true(get_deadline() == deadline);
	assert_int_equal(lw_kvm_lapic_import(b, ids, &s, lw_lapic_base(a), get_deadline()), 0);
	assert_true(lw_lapic_tsc_deadline(b) == deadline);
	assert_true(lw_lapic_deadline(b) == lw_lapic_deadline(a));
	close_rigs();
}

/* What is left of a count goes on in KVM, and comes back less. */
static void a_count(void **state)
{
	struct kvm_lapic_state s;
	struct lw_lapic *a, *b;
	uint32_t left;

	(void)state;
	open_vm(false);
	open_rigs(1, 0);
	a = lw_chip_lapic(rig.chip, 0);
	b = lw_chip_lapic(twin.chip, 0);
	lw_lapic_write(a, LW_LAPIC_LVT_TIMER, 1u << 16 | 0x41);
	lw_lapic_write(a, LW_LAPIC_DCR, 0xa); /* by 128: minutes */
	lw_lapic_write(a, LW_LAPIC_TMICT, 4000000000u);
	lw_lapic_time(a, 1000000);
	left = lw_lapic_read(a, LW_LAPIC_TMCCT);
	assert_int_equal(lw_kvm_lapic_export(a, ids, &s), 0);
	try(ioctl(vcpu, KVM_SET_LAPIC, &s), "KVM_SET_LAPIC");
	try(ioctl(vcpu, KVM_GET_LAPIC, &s), "KVM_GET_LAPIC");
	assert_int_equal(lw_kvm_lapic_import(b, ids, &s, lw_lapic_base(a), 0), 0);
	assert_int_equal(lw_lapic_read(b, LW_LAPIC_TMICT), 4000000000u);
	assert_in_range(lw_lapic_read(b, LW_LAPIC_TMCCT), left - left / 4, left);
	close_rigs();
}

/* ---- I/O APIC ---- */

static struct kvm_irqchip through_kvm(uint32_t id, const struct kvm_irqchip *chip)
{
	struct kvm_irqchip went = *chip, came = {.chip_id = id};

	went.chip_id = id;
	try(ioctl(vm, KVM_SET_IRQCHIP, &went), "KVM_SET_IRQCHIP");
	try(ioctl(vm, KVM_GET_IRQCHIP, &came), "KVM_GET_IRQCHIP");
	return came;
}

/* With all lines low KVM keeps every bit. With lines high it delivers what is not in flight, so
 * remote IRR may come to be set; nothing else. */
static void same_ioapic(const struct kvm_ioapic_state *went, const struct kvm_ioapic_state *came)
{
	assert_true(went->base_address == came->base_address);
	assert_int_equal(went->ioregsel, came->ioregsel);
	assert_int_equal(went->id, came->id);
	assert_int_equal(went->irr, came->irr);
	for (uint32_t n = 0; n < LW_KVM_PINS; n++) {
		uint64_t changed = went->redirtbl[n].bits ^ came->redirtbl[n].bits;
		bool high = went->irr >> n & 1u;

		if (changed & ~(high ? LW_RTE_REMOTE_IRR : 0))
			fail_msg("pin %u: %llx went, %llx came", n,
				 (unsigned long long)went->redirtbl[n].bits,
				 (unsigned long long)came->redirtbl[n].bits);
	}
}

static uint32_t flags_among(const struct kvm_ioapic_state *s, uint64_t flag)
{
	uint32_t count = 0;

	for (uint32_t n = 0; n < LW_KVM_PINS; n++)
		count += (s->redirtbl[n].bits & flag) != 0;
	return count;
}

/* Back in Lapwing no LAPIC holds anything, and no line is high: nothing is in flight or waits. */
static void comes_back(const struct kvm_ioapic_state *came)
{
	struct kvm_ioapic_state again;

	assert_int_equal(lw_kvm_chip_ioapic_import(twin.chip, 0, came), 0);
	assert_int_equal(lw_kvm_chip_ioapic_export(twin.chip, 0, &again), 0);
	assert_int_equal(again.ioregsel, came->ioregsel);
	assert_int_equal(again.id, came->id);
	for (uint32_t n = 0; n < LW_KVM_PINS; n++)
		assert_true(again.redirtbl[n].bits ==
			    (came->redirtbl[n].bits & ~(LW_RTE_REMOTE_IRR | LW_RTE_PENDING)));
}

static void ioapics(void **state)
{
	uint32_t in_flight = 0, high = 0;

	(void)state;
	open_vm(false);
	for (uint64_t seed = 8; seed <= 8 * ROUNDS; seed += 8) {
		struct kvm_irqchip went = {0}, came;
		struct kvm_ioapic_state *io = &went.chip.ioapic;

		if (seed % 3 == 0)
			continue; /* in the remappable format, which KVM's has not got */
		open_rigs(seed, 200);
		assert_int_equal(lw_kvm_chip_ioapic_export(rig.chip, 0, io), 0);
		high += io->irr != 0;
		in_flight += flags_among(io, LW_RTE_REMOTE_IRR);
		came = through_kvm(KVM_IRQCHIP_IOAPIC, &went);
		same_ioapic(io, &came.chip.ioapic);
		io->irr = 0;
		came = through_kvm(KVM_IRQCHIP_IOAPIC, &went);
		same_ioapic(io, &came.chip.ioapic);
		comes_back(&came.chip.ioapic);
		close_rigs();
	}
	assert_true(in_flight > 20 && high > 20);
}

/* ---- 8259s ---- */

/* KVM makes the cascade's edge anew, whatever it was told: the master's IRR bit 2 may come to be
 * set. LTIM, which its form has not got, made levels of pins that are edges to KVM: it keeps their
 * requests, as told, and Lapwing, having come back, latches them. */
static void pics_through_kvm(void **state)
{
	(void)state;
	open_vm(false);
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct kvm_irqchip went[2] = {{0}}, came[2];
		struct kvm_pic_state again[2];

		open_rigs(seed, 0);
		for (uint32_t n = 0; n < 100; n++)
			pics(&rig);
		assert_int_equal(lw_kvm_pic_export(lw_chip_pic(rig.chip), &went[0].chip.pic,
						   &went[1].chip.pic),
				 0);
		for (uint32_t n = 0; n < 2; n++)
			came[n] = through_kvm(n, &went[n]);
		assert_int_equal(lw_kvm_pic_import(lw_chip_pic(twin.chip), &came[0].chip.pic,
						   &came[1].chip.pic),
				 0);
		assert_int_equal(lw_kvm_pic_export(lw_chip_pic(twin.chip), &again[0], &again[1]),
				 0);
		assert_int_equal(went[0].chip.pic.irr & ~came[0].chip.pic.irr & 4, 0);
		went[0].chip.pic.irr |= 4;
		came[0].chip.pic.irr |= 4;
		again[0].irr |= 4;
		for (uint32_t n = 0; n < 2; n++) {
			assert_memory_equal(&went[n].chip.pic, &came[n].chip.pic, sizeof(again[n]));
			assert_int_equal(came[n].chip.pic.irr & ~again[n].irr, 0);
			again[n].irr = came[n].chip.pic.irr;
			assert_memory_equal(&again[n], &came[n].chip.pic, sizeof(again[n]));
		}
		close_rigs();
	}
}

/* ---- routes ---- */

/* KVM's default table, and an MSI of each GSI above: KVM sends it where Lapwing would have. */
static uint32_t fill(struct lw_route *routes)
{
	uint32_t count = 0;

	for (uint32_t gsi = 0; gsi < LW_KVM_PINS; gsi++) {
		if (gsi < 16 && gsi != 2)
			routes[count++] = (struct lw_route){.gsi = gsi,
							    .type = LW_ROUTE_PIC,
							    .chip = (uint16_t)(gsi / 8),
							    .pin = (uint16_t)(gsi % 8)};
		routes[count++] = (struct lw_route){
			.gsi = gsi, .type = LW_ROUTE_IOAPIC, .pin = (uint16_t)gsi};
	}
	for (uint32_t gsi = LW_KVM_PINS; gsi < 64; gsi++)
		routes[count++] = (struct lw_route){.gsi = gsi,
						    .type = LW_ROUTE_MSI,
						    .address = 0xfee00000u | (gsi & 1u) << 9,
						    .data = 0x40 + gsi};
	return count;
}

static bool is_pending(uint8_t vector)
{
	struct kvm_lapic_state s;

	try(ioctl(vcpu, KVM_GET_LAPIC, &s), "KVM_GET_LAPIC");
	return *word(&s, LW_LAPIC_IRR + vector / 32u * 16u) >> vector % 32u & 1u;
}

/* An odd GSI's MSI goes to id 0x1000: to nobody, if the upper bits arrive where they belong. */
static void routes_into_kvm(void **state)
{
	struct lw_route routes[128];
	struct kvm_irq_routing *r = calloc(1, sizeof(*r) + 128 * sizeof(r->entries[0]));
	struct kvm_lapic_state s;
	uint32_t count;

	(void)state;
	assert_non_null(r);
	open_vm(true);
	open_rigs(1, 0);
	count = fill(routes);
	assert_int_equal(lw_routes_set(lw_chip_routes(rig.chip), routes, count), 0);
	assert_int_equal(lw_kvm_routes_export(lw_chip_routes(rig.chip), ids, r, 128), count);
	try(ioctl(vm, KVM_SET_GSI_ROUTING, r), "KVM_SET_GSI_ROUTING");
	assert_int_equal(lw_kvm_lapic_export(lw_chip_lapic(rig.chip, 0), ids, &s), 0);
	set_base(0xfee00d00); /* x2APIC mode, or 255 ids are all there are */
	*word(&s, LW_LAPIC_ID) = 0;
	try(ioctl(vcpu, KVM_SET_LAPIC, &s), "KVM_SET_LAPIC");
	for (uint32_t gsi = LW_KVM_PINS; gsi < 64; gsi++) {
		struct kvm_irq_level line = {.irq = gsi, .level = 1};

		try(ioctl(vm, KVM_IRQ_LINE, &line), "KVM_IRQ_LINE");
		assert_int_equal(is_pending((uint8_t)(0x40 + gsi)), !(gsi & 1));
	}
	close_rigs();
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(lapics_with_shifted_ids, close_vm),
		cmocka_unit_test_teardown(lapics_with_32bit_ids, close_vm),
		cmocka_unit_test_teardown(a_tsc_deadline, close_vm),
		cmocka_unit_test_teardown(a_count, close_vm),
		cmocka_unit_test_teardown(ioapics, close_vm),
		cmocka_unit_test_teardown(pics_through_kvm, close_vm),
		cmocka_unit_test_teardown(routes_into_kvm, close_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

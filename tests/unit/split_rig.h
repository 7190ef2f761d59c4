/* SPDX-License-Identifier: MIT */
/*
 * A made-up kernel under the split backend: KVM's LAPICs as far as interrupts go through them, its
 * routing table, and the scan that makes EOI-exit sets of it, as 6.1 and as 6.12 do that. Any ioctl
 * can be made to fail. A mutex guards it, so threads may share it.
 */
#ifndef LAPWING_SPLIT_RIG_H
#define LAPWING_SPLIT_RIG_H

#include "test.h"

#include <errno.h>
#include <lapwing/kvm.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <string.h>

#define VCPUS    3u
#define PINS     24u
#define MSIS     8u
#define VM_FD    1000
#define VCPU_FD  2000 /* plus its index */
#define APIC_ID  4u   /* plus the index */
#define MAX_ROUT 64u

enum scan_rule {
	SCAN_6_1, /* level routes that lead to the vCPU */
	SCAN_6_12 /* and those of a vector that is pending or in service there */
};

struct fake_vcpu {
	uint64_t irr[4], isr[4];
	uint64_t handled[4]; /* ioapic_handled_vectors */
	uint64_t stale[4];   /* those of them that no route leads to this vCPU */
	uint32_t ldr;
	bool suppress; /* of EOI broadcasts: the guest has asked for it */
	bool off;      /* software-disabled: takes nothing */
	bool outside;  /* serving an exit: scans wait for its next entry */
	bool scan_pending;
	int extint; /* KVM_INTERRUPT, -1: none */
};

static struct fake_kernel {
	pthread_mutex_t lock;
	enum scan_rule rule;
	bool no_split;
	int x2apic_flags, enabled_flags;
	bool x2apic; /* the LAPICs' mode */
	struct fake_vcpu vcpu[VCPUS];
	struct kvm_irq_routing_entry route[MAX_ROUT];
	uint32_t routes;
	/* The call of this number from now on, of this request, fails. */
	unsigned long fail_request;
	int fail_in, fail_with;
	bool fail_always;
	/* While KVM_SET_GSI_ROUTING runs, which then fails with this; before an irqfd begins. */
	void (*in_commit)(void);
	int refuse;
	void (*before_irqfd)(void);
	/* What was seen. */
	uint64_t commits, coincidences, ioctls, failures;
	int irqfds;
	uint32_t last_pins;
} fake;

/* ---- sets ---- */

static inline bool bit(const uint64_t *set, uint32_t n)
{
	return set[n / 64] >> (n % 64) & 1;
}

static inline void bit_set(uint64_t *set, uint32_t n)
{
	set[n / 64] |= 1ull << (n % 64);
}

static inline void bit_clear(uint64_t *set, uint32_t n)
{
	set[n / 64] &= ~(1ull << (n % 64));
}

static inline int highest(const uint64_t *set)
{
	for (int n = 255; n >= 0; n--)
		if (bit(set, (uint32_t)n))
			return n;
	return -1;
}

/* ---- destinations ---- */

static inline bool fake_matches(const struct fake_vcpu *v, uint32_t lo, uint32_t hi)
{
	uint32_t dest = (lo >> 12 & 0xff) | hi;

	if (dest == 0xff)
		return true;
	if (lo & 4)
		return (dest & v->ldr) != 0;
	return dest == APIC_ID + (uint32_t)(v - fake.vcpu);
}

static inline void fake_scan(struct fake_vcpu *v)
{
	uint64_t had[4];

	memcpy(had, v->stale, sizeof(had));
	memset(v->handled, 0, sizeof(v->handled));
	memset(v->stale, 0, sizeof(v->stale));
	for (uint32_t n = 0; n < fake.routes; n++) {
		const struct kvm_irq_routing_entry *e = &fake.route[n];
		uint32_t vector = e->u.msi.data & 0xff;

		if (e->gsi < PINS && e->u.msi.data & 0x8000 &&
		    fake_matches(v, e->u.msi.address_lo, e->u.msi.address_hi))
			bit_set(v->handled, vector);
	}
	for (uint32_t n = 0; n < fake.routes && fake.rule == SCAN_6_12; n++) {
		const struct kvm_irq_routing_entry *e = &fake.route[n];
		uint32_t vector = e->u.msi.data & 0xff;

		if (e->gsi >= PINS || !(e->u.msi.data & 0x8000) || bit(v->handled, vector) ||
		    (!bit(v->irr, vector) && !bit(v->isr, vector)))
			continue;
		bit_set(v->handled, vector);
		bit_set(v->stale, vector);
		fake.coincidences++;
	}
	v->scan_pending = false;
}

/* ---- ioctls ---- */

static inline int fake_routing(const struct kvm_irq_routing *table)
{
	if (table->nr > MAX_ROUT) {
		errno = EINVAL;
		return -1;
	}
	if (fake.in_commit)
		fake.in_commit();
	if (fake.refuse) {
		errno = fake.refuse;
		fake.refuse = 0;
		return -1;
	}
	pthread_mutex_lock(&fake.lock);
	memcpy(fake.route, table->entries, table->nr * sizeof(fake.route[0]));
	fake.routes = table->nr;
	fake.commits++;
	for (uint32_t n = 0; n < VCPUS; n++) {
		fake.vcpu[n].scan_pending = true;
		if (!fake.vcpu[n].outside)
			fake_scan(&fake.vcpu[n]);
	}
	pthread_mutex_unlock(&fake.lock);
	return 0;
}

static inline int fake_signal(const struct kvm_msi *msi)
{
	bool lowest = (msi->data >> 8 & 7) == 1;
	int took = 0;

	pthread_mutex_lock(&fake.lock);
	for (uint32_t n = 0; n < VCPUS; n++) {
		struct fake_vcpu *v = &fake.vcpu[n];

		if (v->off || !fake_matches(v, msi->address_lo, msi->address_hi) ||
		    (lowest && took))
			continue;
		bit_set(v->irr, msi->data & 0xff);
		took++;
	}
	pthread_mutex_unlock(&fake.lock);
	return took;
}

static inline int fake_get_lapic(const struct fake_vcpu *v, struct kvm_lapic_state *state)
{
	unsigned char *regs = (unsigned char *)state->regs;

	memset(regs, 0, sizeof(state->regs));
	pthread_mutex_lock(&fake.lock);
	for (uint32_t n = 0; n < 256; n++) {
		if (bit(v->isr, n))
			regs[0x100 + n / 32 * 16 + n % 32 / 8] |= (unsigned char)(1 << n % 8);
		if (bit(v->irr, n))
			regs[0x200 + n / 32 * 16 + n % 32 / 8] |= (unsigned char)(1 << n % 8);
	}
	regs[fake.x2apic ? 0xd0 : 0xd3] = (unsigned char)v->ldr;
	memset(regs + 0xe0, 0xff, 4);
	regs[0xf1] = v->suppress ? 0x11 : 1;
	pthread_mutex_unlock(&fake.lock);
	return 0;
}

static inline int fake_enable(const struct kvm_enable_cap *cap)
{
	if (cap->cap == KVM_CAP_X2APIC_API) {
		fake.enabled_flags = (int)cap->args[0];
		if (!(fake.enabled_flags & ~fake.x2apic_flags))
			return 0;
	} else if (cap->cap == KVM_CAP_SPLIT_IRQCHIP && cap->args[0] <= 4096) {
		fake.last_pins = (uint32_t)cap->args[0];
		return 0;
	}
	errno = EINVAL;
	return -1;
}

static inline int fake_extension(unsigned long cap)
{
	if (cap == KVM_CAP_X2APIC_API)
		return fake.x2apic_flags;
	return cap == KVM_CAP_SPLIT_IRQCHIP ? !fake.no_split : cap == KVM_CAP_SIGNAL_MSI;
}

static inline bool fake_fails(unsigned long request)
{
	bool fails;

	pthread_mutex_lock(&fake.lock);
	fake.ioctls++;
	fails = fake.fail_request == request && (fake.fail_always || --fake.fail_in == 0);
	if (fails)
		fake.failures++;
	pthread_mutex_unlock(&fake.lock);
	errno = fake.fail_with;
	return fails;
}

static inline int fake_ioctl(int fd, unsigned long request, unsigned long argument)
{
	void *at = (void *)(uintptr_t)argument;
	struct fake_vcpu *v = &fake.vcpu[fd >= VCPU_FD ? fd - VCPU_FD : 0];

	if (fake_fails(request))
		return -1;
	assert_true(fd == VM_FD || (fd >= VCPU_FD && fd < VCPU_FD + (int)VCPUS));
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return fake_extension(argument);
	case KVM_ENABLE_CAP:
		return fake_enable(at);
	case KVM_SET_GSI_ROUTING:
		return fake_routing(at);
	case KVM_SIGNAL_MSI:
		return fake_signal(at);
	case KVM_GET_LAPIC:
		return fake_get_lapic(v, at);
	case KVM_IRQFD:
		if (fake.before_irqfd)
			fake.before_irqfd();
		fake.irqfds += ((struct kvm_irqfd *)at)->flags & KVM_IRQFD_FLAG_DEASSIGN ? -1 : 1;
		return 0;
	case KVM_INTERRUPT:
		v->extint = (int)((struct kvm_interrupt *)at)->irq;
		return 0;
	default:
		fail_msg("ioctl %lx", request);
		return -1;
	}
}

static const struct lw_kvm_sys fake_sys = {.ioctl = fake_ioctl};

/* ---- what a guest's vCPU does ---- */

/* Take what is pending if its class is above what is in service: the vector, or -1. */
static inline int fake_accept(uint32_t n)
{
	struct fake_vcpu *v = &fake.vcpu[n];
	int vector, served;

	pthread_mutex_lock(&fake.lock);
	vector = highest(v->irr);
	served = highest(v->isr);
	if (vector >> 4 <= served >> 4)
		vector = -1;
	if (vector >= 0) {
		bit_clear(v->irr, (uint32_t)vector);
		bit_set(v->isr, (uint32_t)vector);
	}
	pthread_mutex_unlock(&fake.lock);
	return vector;
}

/* EOI: the vector if it leaves the guest, -1 if not, -2 if nothing was in service. A vCPU whose EOI
 * leaves is outside until fake_enter(). */
static inline int fake_eoi(uint32_t n)
{
	struct fake_vcpu *v = &fake.vcpu[n];
	int vector;

	pthread_mutex_lock(&fake.lock);
	vector = highest(v->isr);
	if (vector >= 0) {
		bit_clear(v->isr, (uint32_t)vector);
		v->outside = bit(v->handled, (uint32_t)vector);
	}
	pthread_mutex_unlock(&fake.lock);
	if (vector < 0)
		return -2;
	return v->outside ? vector : -1;
}

static inline void fake_enter(uint32_t n)
{
	struct fake_vcpu *v = &fake.vcpu[n];

	pthread_mutex_lock(&fake.lock);
	v->outside = false;
	if (v->scan_pending)
		fake_scan(v);
	pthread_mutex_unlock(&fake.lock);
}

/* ---- the backend on it ---- */

static struct lw_split *split;
static uint64_t rig_clock;

static inline uint64_t rig_now(void *ctx)
{
	(void)ctx;
	return rig_clock;
}

static const struct lw_split_ops rig_ops = {.now = rig_now};

static inline struct lw_split_config rig_config(uint32_t flags)
{
	return (struct lw_split_config){
		.ops = &rig_ops,
		.sys = &fake_sys,
		.vm_fd = VM_FD,
		.flags = flags,
		.nvcpus = VCPUS,
		.pins = PINS,
		.msis = MSIS,
		.version = 0x11,
	};
}

static inline void fake_reset(enum scan_rule rule)
{
	memset(&fake, 0, sizeof(fake));
	pthread_mutex_init(&fake.lock, NULL);
	fake.rule = rule;
	fake.x2apic_flags = 3;
	for (uint32_t n = 0; n < VCPUS; n++) {
		fake.vcpu[n].ldr = 1u << n;
		fake.vcpu[n].extint = -1;
	}
	rig_clock = 1;
}

static inline void rig_open(const struct lw_split_config *config)
{
	split = aligned_alloc(LW_SPLIT_ALIGN, lw_split_size(config));
	assert_non_null(split);
	memset(split, 0xa5, lw_split_size(config));
	assert_int_equal(lw_split_init(split, config), 0);
	for (uint32_t n = 0; n < VCPUS; n++)
		assert_int_equal(lw_split_vcpu(split, n, VCPU_FD + (int)n, APIC_ID + n), 0);
}

static inline void rig_open_with(enum scan_rule rule, uint32_t flags)
{
	struct lw_split_config config = rig_config(flags);

	fake_reset(rule);
	rig_open(&config);
}

static inline void rig_close(void)
{
	if (split) {
		lw_split_close(split);
		free(split);
	}
	split = NULL;
	pthread_mutex_destroy(&fake.lock);
}

static inline int rig_teardown(void **state)
{
	(void)state;
	rig_close();
	return 0;
}

/* ---- what the guest and the devices do ---- */

static inline uint64_t rte_to(uint32_t vcpu, uint8_t vector)
{
	return LW_RTE_LEVEL | vector | (uint64_t)(APIC_ID + vcpu) << LW_RTE_DEST_SHIFT;
}

static inline int write_register(uint32_t index, uint32_t value)
{
	unsigned char select = (unsigned char)index;
	int err = lw_split_mmio_write(split, 0, &select, 1);

	return err < 0 ? err : lw_split_mmio_write(split, 0x10, &value, sizeof(value));
}

static inline int write_low(uint32_t pin, uint64_t rte)
{
	return write_register(0x10 + 2 * pin, (uint32_t)rte);
}

static inline int write_high(uint32_t pin, uint64_t rte)
{
	return write_register(0x11 + 2 * pin, (uint32_t)(rte >> 32));
}

/* As Linux: the high half first. */
static inline int program(uint32_t pin, uint64_t rte)
{
	int err = write_high(pin, rte);

	return err < 0 ? err : write_low(pin, rte);
}

static inline uint64_t rte_at(uint32_t pin)
{
	uint64_t rte = 0;

	assert_int_equal(lw_ioapic_rte(lw_split_ioapic(split), pin, &rte), 0);
	return rte;
}

static inline bool remote_irr(uint32_t pin)
{
	return (rte_at(pin) & LW_RTE_REMOTE_IRR) != 0;
}

/* No call gives an errno but what an ioctl was made to give. */
static inline void expect(int got, int wanted)
{
	if (got >= 0 || !fake.failures || got != -fake.fail_with)
		assert_int_equal(got, wanted);
}

static inline void line(uint32_t pin, bool level)
{
	expect(lw_split_line(split, pin, 0, level), 0);
}

static inline void edge_msi(uint32_t vcpu, uint8_t vector)
{
	expect(lw_split_msi_send(split, 0xfee00000u | (APIC_ID + vcpu) << 12, vector), 1);
}

/* The vCPU EOIs, and its exit is served if there is one: the class, or -1. */
static inline int guest_eoi(uint32_t vcpu)
{
	int vector = fake_eoi(vcpu), found = -1;

	assert_int_not_equal(vector, -2);
	if (vector >= 0)
		found = lw_split_eoi(split, vcpu, (uint8_t)vector);
	fake_enter(vcpu);
	return found;
}

/* What KVM has been told of a GSI: dest << 8 | vector, or 0. */
static inline uint32_t routed(uint32_t gsi)
{
	for (uint32_t n = 0; n < fake.routes; n++)
		if (fake.route[n].gsi == gsi)
			return (fake.route[n].u.msi.address_lo >> 12 & 0xff) << 8 |
			       (fake.route[n].u.msi.data & 0xff);
	return 0;
}

/* ---- what most cases begin with ---- */

#define V 0x50

static inline uint32_t R(uint32_t vcpu, uint32_t vector)
{
	return (APIC_ID + vcpu) << 8 | vector;
}

static inline int fast_6_12(void **state)
{
	(void)state;
	rig_open_with(SCAN_6_12, LW_SPLIT_FAST);
	return 0;
}

static inline struct lw_split_counters counters(void)
{
	return lw_split_counters(split);
}

/* A level interrupt of pin 5 in service on vCPU 0 while the device has been satisfied. */
static inline void in_service(void)
{
	assert_int_equal(program(5, rte_to(0, V)), 0);
	line(5, true);
	assert_true(remote_irr(5));
	assert_int_equal(fake_accept(0), V);
	line(5, false);
}

/* So many edge interrupts on vCPU 0; how many left the guest. */
static inline uint32_t reuse(uint32_t times, bool always_pending)
{
	uint32_t exits = 0;

	if (always_pending)
		edge_msi(0, V);
	for (uint32_t n = 0; n < times; n++) {
		if (!always_pending)
			edge_msi(0, V);
		assert_int_equal(fake_accept(0), V);
		if (always_pending)
			edge_msi(0, V);
		exits += guest_eoi(0) >= 0;
	}
	return exits;
}

static inline uint64_t logical(uint32_t set, uint8_t vector, uint64_t more)
{
	return LW_RTE_LEVEL | LW_RTE_LOGICAL | more | vector | (uint64_t)set << LW_RTE_DEST_SHIFT;
}

/* ---- a guest that reconfigures as it likes, by chance or by a fuzzer's bytes ---- */

#define PINS_USED 3u
#define FIRST_PIN 4u

typedef uint32_t draw_below(uint32_t n); /* 0 … n-1 */

static inline uint8_t drawn_vector(draw_below *draw)
{
	static const uint8_t vectors[] = {0x50, 0x51, 0x62, 0x63, 0x74, 0x75, 0x86, 0x87};

	return vectors[draw(sizeof(vectors))];
}

static inline uint32_t drawn_pin(draw_below *draw)
{
	return FIRST_PIN + draw(PINS_USED);
}

static inline void reconfigure(draw_below *draw)
{
	uint32_t pin = drawn_pin(draw), vcpu = draw(VCPUS);
	uint64_t rte = rte_to(vcpu, drawn_vector(draw));

	if (draw(4) == 0) {
		rte &= ~(0xffull << LW_RTE_DEST_SHIFT);
		rte |= LW_RTE_LOGICAL | (uint64_t)(1 + draw(7)) << LW_RTE_DEST_SHIFT;
		rte |= (uint64_t)draw(2) << LW_RTE_DM_SHIFT;
	}
	switch (draw(5)) {
	case 0: /* as Linux does */
		write_low(pin, rte_at(pin) | LW_RTE_MASK);
		program(pin, rte | LW_RTE_MASK);
		write_low(pin, rte);
		break;
	case 1:
		write_low(pin, rte);
		write_high(pin, rte);
		break;
	case 2:
		write_low(pin, rte_at(pin) ^ LW_RTE_MASK);
		break;
	default:
		program(pin, rte);
	}
}

#endif

/* SPDX-License-Identifier: MIT */
/* KVM with a split irqchip, as far as interrupts go through it: LAPICs of two vectors, the routing
 * table, and how EOI-exit sets are made of it by 6.1 and by 6.12. */
#include "split_world.h"

#include <errno.h>

#define VCPU_FD 2000

#define LAPIC_LDR 0xd0u
#define LAPIC_DFR 0xe0u
#define LAPIC_ISR 0x100u
#define LAPIC_IRR 0x200u

unsigned kernel_repeats;

/* ---- sets ---- */

bool kernel_matches(uint32_t vcpu, const struct split_route *route)
{
	struct lw_msg msg = lw_split_route_msg(route);

	return msg.logical ? (msg.dest & sw.kernel.vcpu[vcpu].ldr) != 0 : msg.dest == vcpu;
}

static uint8_t leads_to(uint32_t vcpu, const struct split_route *route)
{
	if (!lw_split_route_msg(route).level || !kernel_matches(vcpu, route))
		return 0;
	return vector_bit(route->data & 0xffu);
}

uint8_t kernel_scanned(uint32_t vcpu)
{
	const struct played_vcpu *v = &sw.kernel.vcpu[vcpu];
	uint8_t held = v->irr | v->isr, set = 0;

	for (uint32_t n = 0; n < WORLD_PINS; n++) {
		const struct split_route *r = &sw.kernel.route[n];
		set |= leads_to(vcpu, r);
		if (!sw.old_scan && lw_split_route_msg(r).level)
			set |= held & vector_bit(r->data & 0xffu);
	}
	return set;
}

/* A vector that is found pending once more may exit for nothing once more; not one whose old route
 * is still there. */
void kernel_scan(uint32_t vcpu)
{
	struct played_vcpu *v = &sw.kernel.vcpu[vcpu];
	uint8_t routed = 0;

	for (uint32_t n = 0; n < WORLD_PINS; n++)
		routed |= leads_to(vcpu, &sw.kernel.route[n]);
	v->set = kernel_scanned(vcpu);
	v->scan = NO_SCAN;
	sw.out.told[vcpu] &= routed;
}

void kernel_ask_scans(enum scan how)
{
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		if (sw.kernel.vcpu[n].scan != SCAN_FIRST)
			sw.kernel.vcpu[n].scan = (uint8_t)how;
}

/* The two vectors are of two classes. */
uint8_t kernel_deliverable(uint32_t vcpu)
{
	const struct played_vcpu *v = &sw.kernel.vcpu[vcpu];

	if (v->irr & 2)
		return v->isr & 2 ? 0 : 2;
	return v->isr ? 0 : v->irr & 1;
}

/* ---- ioctls ---- */

static void install(const struct kvm_irq_routing *table)
{
	struct split_route before[WORLD_PINS];

	memcpy(before, sw.kernel.route, sizeof(before));
	memset(sw.kernel.route, 0, sizeof(sw.kernel.route));
	for (uint32_t n = 0; n < table->nr; n++) {
		const struct kvm_irq_routing_entry *e = &table->entries[n];

		if (e->gsi - GSI_0 >= WORLD_PINS)
			abort();
		sw.kernel.route[e->gsi - GSI_0] = (struct split_route){.lo = e->u.msi.address_lo,
								       .hi = e->u.msi.address_hi,
								       .data = e->u.msi.data};
	}
	if (!memcmp(before, sw.kernel.route, sizeof(before)))
		kernel_repeats++;
	for (uint32_t n = 0; n < WORLD_PINS; n++)
		for (uint32_t v = 0; v < WORLD_VCPUS; v++)
			if (!lw_split_same(&before[n], &sw.kernel.route[n]))
				sw.out.told[v] &= (uint8_t)~leads_to(v, &sw.kernel.route[n]);
}

/* The ioctl ends when every vCPU has left the guest since. */
static int set_routing(const struct kvm_irq_routing *table)
{
	threads_point(WRITTEN);
	install(table);
	kernel_ask_scans(SCAN_ASKED);
	threads_point(INSTALLED);
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		if (sw.kernel.vcpu[n].scan == SCAN_ASKED)
			sw.kernel.vcpu[n].scan = SCAN_FIRST;
	return 0;
}

static int signal_msi(const struct kvm_msi *msi)
{
	struct split_route route = {
		.lo = msi->address_lo, .hi = msi->address_hi, .data = msi->data};
	int took = 0;

	for (uint32_t n = 0; n < WORLD_VCPUS; n++) {
		if (!kernel_matches(n, &route))
			continue;
		sw.kernel.vcpu[n].irr |= vector_bit(msi->data & 0xffu);
		took++;
	}
	return took;
}

static int get_lapic(const struct played_vcpu *v, struct kvm_lapic_state *state)
{
	unsigned char *regs = (unsigned char *)state->regs;

	memset(regs, 0, sizeof(state->regs));
	for (uint32_t n = 0; n < WORLD_VECTORS; n++) {
		uint32_t vector = world_vectors[n], at = vector / 32 * 16 + vector % 32 / 8;
		unsigned char bit = (unsigned char)(1u << vector % 8);

		if (v->isr >> n & 1)
			regs[LAPIC_ISR + at] |= bit;
		if (v->irr >> n & 1)
			regs[LAPIC_IRR + at] |= bit;
	}
	regs[LAPIC_LDR + 3] = v->ldr;
	memset(&regs[LAPIC_DFR], 0xff, 4);
	return 0;
}

static int played_ioctl(int fd, unsigned long request, unsigned long argument)
{
	void *at = (void *)(uintptr_t)argument;

	switch (request) {
	case KVM_CHECK_EXTENSION:
		return argument == KVM_CAP_SPLIT_IRQCHIP || argument == KVM_CAP_SIGNAL_MSI;
	case KVM_ENABLE_CAP:
		return 0;
	case KVM_SET_GSI_ROUTING:
		return set_routing(at);
	case KVM_SIGNAL_MSI:
		return signal_msi(at);
	case KVM_GET_LAPIC:
		return get_lapic(&sw.kernel.vcpu[fd - VCPU_FD], at);
	default:
		errno = EINVAL;
		return -1;
	}
}

const struct lw_kvm_sys played_kvm = {.ioctl = played_ioctl};

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <lapwing/kvm_state.h>
#include <linux/kvm.h>
#include <string.h>

#include "core/route_priv.h"

/* An MSI address (lapwing/msi.h): bits 14…8 of the destination, and where KVM has bits 31…8. */
#define EXT_SHIFT 5
#define EXT_MASK  (0x7fu << EXT_SHIFT)
#define HIGH_ID   0xffffff00u

#define REMAPPABLE (1u << 4)

/* ---- export ---- */

static int put_msi(struct kvm_irq_routing_msi *msi, const struct lw_route *r, unsigned flags)
{
	uint32_t low = (uint32_t)r->address;

	*msi = (struct kvm_irq_routing_msi){.address_lo = low, .data = r->data};
	if (!(low & (EXT_MASK | REMAPPABLE)))
		return 0;
	if (low & REMAPPABLE || !(flags & LW_KVM_32BIT_IDS))
		return -ERANGE;
	msi->address_lo = low & ~EXT_MASK;
	msi->address_hi = (low & EXT_MASK) >> EXT_SHIFT << 8;
	return 0;
}

static int put_route(struct kvm_irq_routing_entry *e, const struct lw_route *r, unsigned flags)
{
	memset(e, 0, sizeof(*e));
	e->gsi = r->gsi;
	e->type = KVM_IRQ_ROUTING_IRQCHIP;
	e->u.irqchip.pin = r->pin;
	switch (r->type) {
	case LW_ROUTE_PIC:
		e->u.irqchip.irqchip = r->chip ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER;
		return 0;
	case LW_ROUTE_IOAPIC:
		e->u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		return r->chip || r->pin >= LW_KVM_PINS ? -ERANGE : 0;
	default:
		e->type = KVM_IRQ_ROUTING_MSI;
		return put_msi(&e->u.msi, r, flags);
	}
}

int lw_kvm_routes_export(const struct lw_routes *routes, unsigned flags,
			 struct kvm_irq_routing *routing, size_t room)
{
	size_t count = 0;

	if (!routes || flags & ~LW_KVM_32BIT_IDS || (room && !routing))
		return -EINVAL;
	for (uint32_t gsi = 0; gsi < lw_routes_gsis(routes); gsi++) {
		struct lw_route found[LW_ROUTES_PER_GSI];
		size_t here = lw_routes_find(routes, gsi, found);

		for (size_t n = 0; n < here; n++, count++) {
			struct kvm_irq_routing_entry spare;
			int err = put_route(count < room ? &routing->entries[count] : &spare,
					    &found[n], flags);

			if (err)
				return err;
		}
	}
	if (count <= room && routing) {
		routing->nr = (uint32_t)count;
		routing->flags = 0;
	}
	return (int)count;
}

/* ---- import ---- */

struct import {
	const struct kvm_irq_routing *routing;
	unsigned flags;
};

static int get_msi(const struct kvm_irq_routing_msi *msi, unsigned flags, struct lw_route *r)
{
	uint32_t high = flags & LW_KVM_32BIT_IDS ? msi->address_hi & HIGH_ID : 0;

	if (high >> 8 > EXT_MASK >> EXT_SHIFT)
		return -ERANGE;
	r->type = LW_ROUTE_MSI;
	r->address = msi->address_lo;
	if (flags & LW_KVM_32BIT_IDS)
		r->address = (msi->address_lo & ~EXT_MASK) | high >> 8 << EXT_SHIFT;
	r->data = msi->data;
	return 0;
}

static int get_route(const struct import *from, size_t n, struct lw_route *r)
{
	const struct kvm_irq_routing_entry *e = &from->routing->entries[n];
	uint32_t chip = e->u.irqchip.irqchip, pin = e->u.irqchip.pin;

	*r = (struct lw_route){.gsi = e->gsi};
	if (e->type == KVM_IRQ_ROUTING_MSI)
		return get_msi(&e->u.msi, from->flags, r);
	if (e->type != KVM_IRQ_ROUTING_IRQCHIP || chip > KVM_IRQCHIP_IOAPIC ||
	    pin >= (chip == KVM_IRQCHIP_IOAPIC ? LW_KVM_PINS : 8u))
		return -EINVAL;
	r->type = chip == KVM_IRQCHIP_IOAPIC ? LW_ROUTE_IOAPIC : LW_ROUTE_PIC;
	r->chip = chip == KVM_IRQCHIP_PIC_SLAVE;
	r->pin = (uint16_t)pin;
	return 0;
}

static struct lw_route get_checked(const void *arg, size_t n)
{
	struct lw_route route;

	get_route(arg, n, &route);
	return route;
}

int lw_kvm_routes_import(struct lw_routes *routes, unsigned flags,
			 const struct kvm_irq_routing *routing)
{
	struct import import = {.routing = routing, .flags = flags};
	struct lw_route_source from = {.get = get_checked, .arg = &import};
	struct lw_route route;
	int err = 0;

	if (!routes || !routing || flags & ~LW_KVM_32BIT_IDS)
		return -EINVAL;
	from.count = routing->nr;
	for (size_t n = 0; !err && n < from.count; n++)
		err = get_route(&import, n, &route);
	return err ? err : lw_routes_fill(routes, &from);
}

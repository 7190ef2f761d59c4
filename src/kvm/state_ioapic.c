/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <lapwing/kvm_state.h>
#include <linux/kvm.h>
#include <string.h>

#include "core/chip_priv.h"
#include "core/ioapic_priv.h"
#include "core/snapshot.h"

#define BASE 0xfec00000u

_Static_assert(LW_KVM_PINS == KVM_IOAPIC_NUM_PINS, "KVM's I/O APIC has another number of pins");

static void lock(struct lw_ioapic *io)
{
	if (io->ops->lock)
		io->ops->lock(io->ctx);
}

static void unlock(struct lw_ioapic *io)
{
	if (io->ops->unlock)
		io->ops->unlock(io->ctx);
}

/* ---- export ---- */

/* Remote IRR only where KVM's EOI would find it: by the RTE's present vector. */
static uint64_t rte_of(const struct lw_pin *p)
{
	uint64_t rte = p->rte;

	if (p->flags & RECORD && p->vector == (rte & LW_RTE_VECTOR))
		rte |= LW_RTE_REMOTE_IRR;
	if (p->flags & REFUSED)
		rte |= LW_RTE_PENDING;
	return rte;
}

static void export(struct lw_ioapic *io, struct kvm_ioapic_state *state)
{
	*state = (struct kvm_ioapic_state){
		.base_address = BASE, .ioregsel = io->select, .id = io->id};
	for (uint32_t n = 0; n < LW_KVM_PINS; n++) {
		const struct lw_pin *p = &io->pin[n];

		state->redirtbl[n].bits = rte_of(p);
		if (p->msg.level && lw_pin_asserted(io, p))
			state->irr |= 1u << n;
	}
}

static bool reaches_too_far(const struct lw_ioapic *io)
{
	for (uint32_t n = 0; n < LW_KVM_PINS; n++)
		if (lw_rte_is_remappable(io, io->pin[n].rte) || io->pin[n].msg.dest > 0xff)
			return true;
	return false;
}

int lw_kvm_ioapic_export(struct lw_ioapic *io, struct kvm_ioapic_state *state)
{
	int err = 0;

	if (!io || !state || io->pins != LW_KVM_PINS)
		return -EINVAL;
	lock(io);
	if (reaches_too_far(io)) {
		err = -ERANGE;
	} else {
		lw_ioapic_settle_locked(io);
		export(io, state);
	}
	unlock(io);
	lw_ioapic_drain(io);
	return err;
}

/* ---- import ---- */

static void set_pin(struct lw_ioapic *io, struct lw_pin *p, uint64_t rte, bool asserted)
{
	memset(lw_pin_map(io, p), 0, io->map_words * sizeof(uint64_t));
	*p = (struct lw_pin){.flags = p->flags & NOTIFY};
	rte &= lw_rte_writable(io, 0);
	lw_pin_set_rte(io, p, rte, lw_pin_message(io, rte));
	/* By what the line means, and not by its volts: as KVM has it. */
	p->sources = asserted != lw_pin_asserted(io, p);
}

/* In flight to those that have it. */
static void adopt(struct lw_ioapic *io, struct lw_pin *p, lw_kvm_taken *taken, void *arg)
{
	struct lw_takers takers = {.map = lw_pin_map(io, p)};

	taken(arg, &p->msg, &takers);
	if (takers.count || takers.any)
		lw_pin_adopt(io, p, &takers);
}

static void deliver(struct lw_ioapic *io, struct lw_pin *p)
{
	if (p->msg.level)
		lw_pin_service(io, p);
	else if (!(p->rte & LW_RTE_MASK))
		lw_pin_send(io, p);
}

static void import(struct lw_ioapic *io, const struct kvm_ioapic_state *state, lw_kvm_taken *taken,
		   void *arg)
{
	lw_ioapic_tell_records(io, false);
	lw_ioapic_tell_routes(io, false);
	io->select = state->ioregsel & lw_ioapic_selectable(io);
	io->id = (uint8_t)(state->id & 0xfu);
	memset(io->resample, 0, sizeof(io->resample));
	for (uint32_t n = 0; n < LW_KVM_PINS; n++)
		set_pin(io, &io->pin[n], state->redirtbl[n].bits, state->irr >> n & 1u);
	lw_ioapic_derive(io);
	lw_ioapic_tell_routes(io, true);
	for (uint32_t n = 0; n < LW_KVM_PINS; n++)
		if (io->pin[n].msg.level && state->redirtbl[n].bits & LW_RTE_REMOTE_IRR)
			adopt(io, &io->pin[n], taken, arg);
	for (uint32_t n = 0; n < LW_KVM_PINS; n++)
		if (state->irr >> n & 1u)
			deliver(io, &io->pin[n]);
}

int lw_kvm_ioapic_import(struct lw_ioapic *io, const struct kvm_ioapic_state *state,
			 lw_kvm_taken *taken, void *arg)
{
	if (!io || !state || !taken || io->pins != LW_KVM_PINS)
		return -EINVAL;
	lock(io);
	import(io, state, taken, arg);
	unlock(io);
	lw_ioapic_drain(io);
	return 0;
}

/* ---- in a controller ---- */

int lw_kvm_chip_ioapic_export(struct lw_chip *chip, uint32_t n, struct kvm_ioapic_state *state)
{
	if (!chip || n >= chip->nioapics)
		return -EINVAL;
	lw_chip_settle(chip);
	return lw_kvm_ioapic_export(ioapic(chip, n), state);
}

static void add(struct lw_takers *t, uint32_t vcpu)
{
	if (!t->count)
		t->vcpu = vcpu;
	lw_set_add(t->map, vcpu);
	t->count++;
}

/* Of those that the RTE names, or of all if none of these has it. */
static void find(struct lw_chip *c, const struct lw_msg *msg, bool named, struct lw_takers *t)
{
	for (uint32_t n = 0; n < c->nvcpus; n++) {
		const struct lw_lapic *l = lapic(c, n);

		if (!lw_lapic_holds(l, msg->vector))
			continue;
		if (named ? lw_lapic_matches(l, msg) : lw_lapic_tmr(l, msg->vector))
			add(t, n);
	}
}

/* Each taker's EOI has to be seen from now on. */
static void taken(void *arg, const struct lw_msg *msg, struct lw_takers *t)
{
	struct lw_chip *c = arg;

	find(c, msg, true, t);
	if (!t->count)
		find(c, msg, false, t);
	for (uint32_t n = 0; n < c->nvcpus; n++)
		if (lw_set_test(t->map, n))
			c->hooks->deliver(c->eoi, n, msg->vector);
	if (t->count == 1) /* its map is not looked at, and must be clear */
		lw_set_del(t->map, t->vcpu);
}

int lw_kvm_chip_ioapic_import(struct lw_chip *chip, uint32_t n,
			      const struct kvm_ioapic_state *state)
{
	if (!chip || n >= chip->nioapics)
		return -EINVAL;
	return lw_kvm_ioapic_import(ioapic(chip, n), state, taken, chip);
}

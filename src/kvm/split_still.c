/* SPDX-License-Identifier: MIT */
/*
 * What is done while vCPUs stand still: reset, and bringing the records and the LAPICs together
 * again. KVM does not tell userspace of an INIT, and an EOI exit that is pending in KVM is in no
 * saved state; but a vector that is neither pending nor in service has had its EOI, or never will.
 */
#include <errno.h>

#include "kvm/split_priv.h"

/* ---- reconcile ---- */

static void resolve(struct lw_split *s, uint32_t gsi, const struct lw_ioapic_record *record)
{
	s->only = record->any ? gsi : NOBODY;
	lw_ioapic_gone_locked(s->io, record->any ? NOBODY : record->vcpu, record->vector);
	s->only = NOBODY;
	s->counters.reconciled++;
}

/* Where KVM suppresses broadcasts for a guest that asks, a LAPIC's EOI ends no record. */
static bool may_have_it(const struct lw_split *s, const struct kvm_lapic_state *lapic,
			uint8_t vector)
{
	return lw_split_holds(lapic, vector) || (s->suppresses && lw_split_suppressed(lapic));
}

/* One vCPU's LAPIC against the records it may have; those of unknown takers that it may hold go
 * into `held`. */
static int compare(struct lw_split *s, uint32_t vcpu, uint64_t held[PIN_WORDS])
{
	struct kvm_lapic_state lapic;
	int err = lw_split_ioctl(s, s->vcpu[vcpu].fd, KVM_GET_LAPIC, &lapic);

	if (err < 0) {
		s->counters.failed++;
		return err;
	}
	for (uint32_t n = 0; n < s->pins; n++) {
		struct lw_ioapic_record record;
		bool has;

		if (!lw_ioapic_record_locked(s->io, n, &record))
			continue;
		has = may_have_it(s, &lapic, record.vector);
		if (!record.any && record.vcpu == vcpu && !has)
			resolve(s, n, &record);
		else if (record.any && has &&
			 lw_split_reaches(s, &s->pin[n].delivered, vcpu, &lapic))
			lw_set_add(held, n);
	}
	return 0;
}

static void resolve_unheld(struct lw_split *s, const uint64_t held[PIN_WORDS])
{
	struct lw_ioapic_record record;

	for (uint32_t n = 0; n < s->pins; n++)
		if (lw_ioapic_record_locked(s->io, n, &record) && record.any &&
		    !lw_set_test(held, n))
			resolve(s, n, &record);
}

/* The lock is held across KVM_GET_LAPIC, so that no device delivers between the look and the
 * verdict; the vCPUs do not run, so it does not wait. `err` comes from before, and is told. */
static int reconcile(struct lw_split *s, int err)
{
	uint64_t held[PIN_WORDS] = {0};
	int unread = 0;

	pthread_mutex_lock(&s->lock);
	for (uint32_t n = 0; n < s->nvcpus; n++) {
		int got = s->vcpu[n].fd >= 0 ? compare(s, n, held) : 0;

		unread = unread < 0 ? unread : got;
	}
	if (unread == 0)
		resolve_unheld(s, held);
	pthread_mutex_unlock(&s->lock);
	lw_ioapic_drain(s->io);
	lw_ioapic_retry(s->io);
	return lw_split_settle_after(s, err < 0 ? err : unread);
}

int lw_split_reconcile(struct lw_split *split)
{
	return reconcile(split, 0);
}

int lw_split_reconcile_vcpu(struct lw_split *split, uint32_t vcpu)
{
	uint64_t held[PIN_WORDS] = {0};
	int err;

	if (!lw_split_named(split, vcpu))
		return -EINVAL;
	pthread_mutex_lock(&split->lock);
	err = compare(split, vcpu, held);
	pthread_mutex_unlock(&split->lock);
	lw_ioapic_drain(split->io);
	lw_ioapic_retry(split->io);
	return lw_split_settle_after(split, err);
}

/* ---- reset and restore ---- */

/* A device's thread may be giving KVM a table meanwhile. */
static void set_flags(struct split_pin *p, uint8_t flags)
{
	p->flags = (p->flags & BUILDING) | flags;
}

static void forget_stale(struct lw_split *s)
{
	s->epoch++;
	for (uint32_t n = 0; n < s->pins; n++)
		set_flags(&s->pin[n], 0);
}

int lw_split_reset(struct lw_split *split)
{
	lw_ioapic_reset(split->io);
	if (split->pic)
		lw_pic_reset(split->pic);
	split->extint = -1;
	pthread_mutex_lock(&split->lock);
	forget_stale(split);
	for (uint32_t n = 0; n < split->pins; n++) {
		set_flags(&split->pin[n], DROP | DUE);
		lw_split_refresh(split, n);
	}
	pthread_mutex_unlock(&split->lock);
	return lw_split_settle(split);
}

/* A record's route is not saved. Where the RTE has another vector by now, the taker's own does:
 * what counts is that KVM lets that EOI out. */
static struct split_route route_of_record(const struct lw_split *s, uint32_t gsi,
					  const struct lw_ioapic_record *record)
{
	struct lw_msg msg = s->pin[gsi].delivered;

	if (!record->any)
		msg = (struct lw_msg){.dest = s->vcpu[record->vcpu].apic_id, .level = true};
	msg.vector = record->vector;
	return lw_split_route_of(&msg);
}

static void rebuild(struct lw_split *s, uint32_t gsi)
{
	struct split_pin *p = &s->pin[gsi];
	struct lw_ioapic_record record;

	p->seen = lw_ioapic_rte_locked(s->io, gsi);
	set_flags(p, DUE);
	p->committed = (struct split_route){0};
	if (lw_ioapic_record_locked(s->io, gsi, &record)) {
		p->delivered = lw_split_rte_msg(s, p->seen);
		p->delivered.vector = record.vector;
		p->committed = route_of_record(s, gsi, &record);
	}
	lw_split_refresh(s, gsi);
}

int lw_split_restored(struct lw_split *split)
{
	split->extint = -1;
	/* Who is attached here is no matter of the saved state. */
	for (uint32_t n = 0; n < split->pins; n++)
		lw_split_set_notify(split, n);
	pthread_mutex_lock(&split->lock);
	forget_stale(split);
	for (uint32_t n = 0; n < split->pins; n++)
		rebuild(split, n);
	split->force |= FORCE_ALL;
	pthread_mutex_unlock(&split->lock);
	/* The routes first: what is resolved may be delivered again. */
	return reconcile(split, lw_split_install(split));
}

/* SPDX-License-Identifier: MIT */
/*
 * What KVM_EXIT_IOAPIC_EOI means: whose delivery has ended; or, if nobody's, what made the vector
 * leave the guest, and how that is stopped.
 */
#include <errno.h>

#include "kvm/split_priv.h"

/* Offsets in a LAPIC's page (SDM vol. 3, table 11-1). */
#define LAPIC_LDR 0xd0u
#define LAPIC_DFR 0xe0u
#define LAPIC_SVR 0xf0u
#define LAPIC_ISR 0x100u
#define LAPIC_IRR 0x200u

#define SVR_SUPPRESS (1u << 12) /* SDM vol. 3, 11.8.5 */

#define BROADCAST 0xffu

/* ---- what a LAPIC says ---- */

static uint32_t lapic_word(const struct kvm_lapic_state *lapic, uint32_t offset)
{
	const unsigned char *at = (const unsigned char *)&lapic->regs[offset];

	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static bool lapic_bit(const struct kvm_lapic_state *lapic, uint32_t base, uint8_t vector)
{
	return lapic_word(lapic, base + vector / 32u * 16u) >> vector % 32u & 1u;
}

bool lw_split_holds(const struct kvm_lapic_state *lapic, uint8_t vector)
{
	return lapic_bit(lapic, LAPIC_IRR, vector) || lapic_bit(lapic, LAPIC_ISR, vector);
}

bool lw_split_suppressed(const struct kvm_lapic_state *lapic)
{
	return lapic_word(lapic, LAPIC_SVR) & SVR_SUPPRESS;
}

/* The mode is not among the registers; but in x2APIC mode LDR names a member, and in xAPIC mode its
 * lower 24 bits are zero (SDM vol. 3, 11.6.2.2 and 11.12.10.2). */
static bool is_x2apic(const struct kvm_lapic_state *lapic)
{
	return lapic_word(lapic, LAPIC_LDR) & 0xffffu;
}

static bool logically(const struct kvm_lapic_state *lapic, uint32_t dest)
{
	uint32_t ldr = lapic_word(lapic, LAPIC_LDR), xapic = ldr >> 24;

	if (is_x2apic(lapic))
		return dest >> 16 == ldr >> 16 && dest & ldr & 0xffffu;
	if (lapic_word(lapic, LAPIC_DFR) >> 28 == 0xfu)
		return (dest & xapic) != 0;
	return (dest >> 4 & 0xfu) == xapic >> 4 && dest & xapic & 0xfu;
}

bool lw_split_reaches(const struct lw_split *s, const struct lw_msg *msg, uint32_t vcpu,
		      const struct kvm_lapic_state *lapic)
{
	if (vcpu == NOBODY || msg->dest == BROADCAST)
		return true;
	if (!msg->logical)
		return msg->dest == s->vcpu[vcpu].apic_id;
	return !lapic || logically(lapic, msg->dest);
}

bool lw_split_took(void *ctx, uint32_t gsi, uint32_t vcpu)
{
	const struct lw_split *s = ctx;

	if (s->only != NOBODY && s->only != gsi)
		return false;
	return lw_split_reaches(s, &s->pin[gsi].delivered, vcpu, s->lapic);
}

/* ---- what has to be known ---- */

/* Does it take the vCPU's logical id to tell whose EOI this is? */
static bool is_ambiguous(struct lw_split *s, uint8_t vector)
{
	struct lw_ioapic_record record;
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (uint32_t n = 0; n < s->pins && !found; n++)
		found = s->pin[n].delivered.vector == vector && s->pin[n].delivered.logical &&
			lw_ioapic_record_locked(s->io, n, &record) && record.any;
	pthread_mutex_unlock(&s->lock);
	return found;
}

static int get_lapic(struct lw_split *s, uint32_t vcpu, struct kvm_lapic_state *lapic)
{
	int err;

	pthread_mutex_lock(&s->lock);
	err = lw_split_ioctl(s, s->vcpu[vcpu].fd, KVM_GET_LAPIC, lapic);
	if (err < 0)
		lw_split_trouble(s, err);
	pthread_mutex_unlock(&s->lock);
	return err;
}

/* ---- what made it leave the guest? ---- */

struct cause {
	bool live;  /* a level pin's route leads there: the exit has to be */
	bool left;  /* one did, and is no longer wanted */
	bool again; /* some pin has the vector, so a scan would find it if it is pending */
};

static bool is_left(const struct lw_split *s, uint32_t gsi)
{
	const struct split_pin *p = &s->pin[gsi];
	struct lw_ioapic_record record;

	if (lw_ioapic_record_locked(s->io, gsi, &record) || p->flags & BUILDING)
		return false;
	return p->seen & LW_RTE_MASK || lw_set_test(s->dirty, gsi);
}

static struct cause find_cause(const struct lw_split *s, uint32_t vcpu, uint8_t vector,
			       const struct kvm_lapic_state *lapic)
{
	struct cause cause = {0};

	for (uint32_t n = 0; n < s->pins; n++) {
		const struct split_pin *p = &s->pin[n];
		struct lw_msg msg = lw_split_route_msg(&p->committed);
		bool left;

		if (!p->committed.data || msg.vector != vector)
			continue;
		left = is_left(s, n);
		if (!left)
			cause.again = true;
		if (!lw_split_reaches(s, &msg, vcpu, lapic))
			continue;
		if (left)
			cause.left = true;
		else
			cause.live = true;
	}
	return cause;
}

/* ---- whose was it? ---- */

/*
 * The logical id that an xAPIC has now may not be that by which it was meant: nobody tells of a
 * guest's write to LDR or DFR. So whose EOI leaves without any other reason may be whoever took a
 * logical delivery of that vector. If it was an MSI's after all, a line that is still up is
 * delivered once more than need be; else the pin would be dead.
 */
static enum lw_eoi_class match(struct lw_split *s, uint32_t vcpu, uint8_t vector,
			       const struct kvm_lapic_state *lapic)
{
	enum lw_eoi_class found;

	pthread_mutex_lock(&s->lock);
	s->lapic = lapic;
	found = lw_ioapic_eoi_locked(s->io, vcpu, vector);
	s->lapic = NULL;
	if (found == LW_EOI_SUPERFLUOUS && lapic && !is_x2apic(lapic) &&
	    !find_cause(s, vcpu, vector, lapic).live)
		found = lw_ioapic_eoi_locked(s->io, vcpu, vector);
	s->counters.eoi_exits++;
	if (found == LW_EOI_NECESSARY)
		s->counters.necessary++;
	else if (found == LW_EOI_REDUNDANT)
		s->counters.redundant++;
	else
		s->counters.superfluous++;
	pthread_mutex_unlock(&s->lock);
	lw_ioapic_drain(s->io);
	return found;
}

/* ---- superfluous ---- */

static void drop_left(struct lw_split *s, uint8_t vector)
{
	for (uint32_t n = 0; n < s->pins; n++) {
		struct split_pin *p = &s->pin[n];

		if (!p->committed.data || (uint8_t)p->committed.data != vector || !is_left(s, n))
			continue;
		p->flags |= DROP | DUE;
		lw_split_refresh(s, n);
	}
}

/* The 1st, 2nd, 4th, 8th … exit owes a recommit; it is paid at the first exit that finds the vector
 * idle and the VM's allowance not used up. Under the lock. */
static bool shall_recommit(struct lw_split *s, struct split_stale *stale, bool hopeless)
{
	if (stale->epoch != s->epoch)
		*stale = (struct split_stale){.epoch = s->epoch};
	stale->exits++;
	if (!(stale->exits & (stale->exits - 1)))
		stale->owed = true;
	if (hopeless)
		s->counters.busy++;
	if (!(s->flags & LW_SPLIT_RECOMMIT) || !stale->owed || hopeless)
		return false;
	if (!lw_split_take_token(s)) {
		s->counters.limited++;
		return false;
	}
	stale->owed = false;
	return true;
}

static void superfluous(struct lw_split *s, uint32_t vcpu, uint8_t vector,
			const struct kvm_lapic_state *lapic)
{
	struct cause cause;

	pthread_mutex_lock(&s->lock);
	cause = find_cause(s, vcpu, vector, lapic);
	if (cause.live) {
		s->counters.covered++;
	} else if (shall_recommit(s, &s->vcpu[vcpu].stale[vector],
				  cause.again && lw_split_holds(lapic, vector))) {
		if (cause.left)
			drop_left(s, vector);
		s->force |= cause.left ? FORCE_LEFT : FORCE_RECOMMIT;
	}
	pthread_mutex_unlock(&s->lock);
}

int lw_split_eoi(struct lw_split *split, uint32_t vcpu, uint8_t vector)
{
	struct kvm_lapic_state lapic;
	enum lw_eoi_class found;
	bool known = false;
	int err = 0;

	if (!lw_split_named(split, vcpu))
		return -EINVAL;
	if (is_ambiguous(split, vector))
		known = get_lapic(split, vcpu, &lapic) == 0;
	found = match(split, vcpu, vector, known ? &lapic : NULL);
	if (found == LW_EOI_SUPERFLUOUS) {
		known = known || get_lapic(split, vcpu, &lapic) == 0;
		if (known)
			superfluous(split, vcpu, vector, &lapic);
	}
	err = lw_split_retry_and_settle(split);
	return err < 0 ? err : (int)found;
}

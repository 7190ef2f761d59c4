/* SPDX-License-Identifier: MIT */
#include "model/invariants.h"

#include <stdlib.h>
#include <string.h>

#include "core/chip_priv.h"
#include "core/ioapic_priv.h"
#include "eoi/engine.h"

/* What the pins say of a (vCPU, vector) pair, counted the slow way. */
struct tally {
	uint16_t routes;  /* level routes that lead there */
	uint16_t records; /* open ones that name the vCPU */
	uint16_t let_go;  /* … whose EOI is not waited for */
	uint16_t several; /* … that other vCPUs have too */
	uint16_t residue; /* resolved by another taker */
	uint16_t kept;    /* … whose EOI has been, and did not count */
};

struct look {
	struct lw_chip *chip;
	const struct lw_eoi *eoi;
	unsigned given;
	struct broken *why;
	struct tally *tally;
};

static struct tally *tally(const struct look *l, uint32_t vcpu, uint32_t vector)
{
	return &l->tally[(size_t)vcpu * 256u + vector];
}

static bool breaks(const struct look *l, uint32_t vcpu, uint32_t vector, const char *rule)
{
	*l->why = (struct broken){.rule = rule, .vcpu = vcpu, .vector = vector};
	return false;
}

#define must(held, rule)                                      \
	do {                                                  \
		if (!(held))                                  \
			return breaks(l, vcpu, vector, rule); \
	} while (0)

/* ---- counting ---- */

static void count_taker(const struct look *l, const struct lw_pin *p, uint32_t vcpu)
{
	struct tally *t = tally(l, vcpu, p->vector);

	if (p->flags & RESIDUE) {
		t->residue++;
		return;
	}
	t->records++;
	t->let_go = (uint16_t)(t->let_go + ((p->flags & LET_GO) != 0));
	t->several = (uint16_t)(t->several + ((p->flags & SEVERAL) != 0));
	t->kept = (uint16_t)(t->kept + ((p->flags & KEPT) != 0));
}

static void count_pin(const struct look *l, const struct lw_ioapic *io, const struct lw_pin *p)
{
	struct lw_msg msg = p->msg;

	for (uint32_t vcpu = 0; vcpu < l->chip->nvcpus; vcpu++) {
		if (msg.level && lw_lapic_matches(lapic(l->chip, vcpu), &msg))
			tally(l, vcpu, msg.vector)->routes++;
		if (p->flags & (SEVERAL | RESIDUE)) {
			if (lw_set_test(lw_pin_const_map(io, p), vcpu))
				count_taker(l, p, vcpu);
		} else if (p->flags & RECORD && !(p->flags & ANYBODY) && p->vcpu == vcpu) {
			count_taker(l, p, vcpu);
		}
	}
}

static bool each_chip_holds(const struct look *l)
{
	for (uint32_t n = 0; n < l->chip->nioapics; n++) {
		const struct lw_ioapic *io = ioapic(l->chip, n);

		if (!lw_ioapic_holds(io, l->why)) {
			l->why->chip = n;
			return false;
		}
		for (uint32_t pin = 0; pin < io->pins; pin++)
			count_pin(l, io, &io->pin[pin]);
	}
	for (uint32_t vcpu = 0; vcpu < l->chip->nvcpus; vcpu++)
		if (!lw_lapic_is_sound(lapic(l->chip, vcpu), l->why))
			return false;
	return true;
}

/* ---- what ties them together ---- */

static bool pair_holds(const struct look *l, uint32_t vcpu, uint32_t vector)
{
	const struct pair *kept = pair(l->chip, vcpu, (uint8_t)vector);
	const struct tally *t = tally(l, vcpu, vector);

	must(kept->records == t->records, "the open records of a pair are counted");
	must(kept->routes == t->routes, "the level routes of a pair are counted");
	return true;
}

/* Somebody will end a record, and his EOI will be seen. */
static bool record_is_awaited(const struct look *l, uint32_t vcpu, uint32_t vector)
{
	const struct vcpu *v = &l->eoi->vcpu[vcpu];
	const struct tally *t = tally(l, vcpu, vector);
	const struct lw_lapic *own = lapic(l->chip, vcpu);
	bool handed = lw_set_test(v->handed, vector);
	bool held = lw_lapic_holds(own, (uint8_t)vector);
	bool awaited = t->records > t->let_go && !lw_lapic_suppresses(own);

	if (!awaited)
		return true;
	must(lw_eoi_in_set(l->eoi, vcpu, (uint8_t)vector, false),
	     "a record whose EOI is awaited is in the set");
	must(held || handed || t->kept || l->given & LW_GIVEN_SUPPRESSION,
	     "a record whose EOI is awaited is posted, pending, in service or handed over");
	must(!held || handed || t->let_go || atomic_load(&v->mode) == OUT ||
		     lw_eoi_in_set(l->eoi, vcpu, (uint8_t)vector, true),
	     "an EOI that is awaited is in what the hardware has loaded");
	return true;
}

/* No stale vector: what is in the set has a reason to be there. A record that is let go is none,
 * but while it is asked after. A vector may outlive the record, posted or handed over: then its own
 * EOI takes it out. */
static bool set_is_needed(const struct look *l, uint32_t vcpu, uint32_t vector)
{
	const struct vcpu *v = &l->eoi->vcpu[vcpu];
	const struct tally *t = tally(l, vcpu, vector);
	bool on_its_way = lw_lapic_holds(lapic(l->chip, vcpu), (uint8_t)vector) ||
			  lw_set_test(v->handed, vector);

	if (l->given & (LW_GIVEN_REMAP | LW_GIVEN_SUPPRESSION))
		return true;
	must(!lw_eoi_in_set(l->eoi, vcpu, (uint8_t)vector, false) || t->routes ||
		     t->records > t->let_go || lw_set_test(v->asked, vector) || t->residue ||
		     on_its_way,
	     "a vector in the set has a level route, a record that is awaited, or a residue, or is "
	     "on its way");
	return true;
}

static bool keeps_promises(const struct lw_eoi *e)
{
	return e && (e->policy == &lw_policy_armed || e->policy == &lw_policy_lazy);
}

static bool whole_holds(const struct look *l)
{
	bool promises = keeps_promises(l->eoi);

	if (!each_chip_holds(l) || (l->eoi && !lw_eoi_holds(l->eoi, l->why)))
		return false;
	for (uint32_t vcpu = 0; vcpu < l->chip->nvcpus; vcpu++) {
		for (uint32_t vector = 0; vector < 256; vector++)
			if (!pair_holds(l, vcpu, vector) ||
			    (promises && (!record_is_awaited(l, vcpu, vector) ||
					  !set_is_needed(l, vcpu, vector))))
				return false;
	}
	return true;
}

bool lw_chip_holds(struct lw_chip *chip, const struct lw_eoi *eoi, unsigned given,
		   struct broken *why)
{
	struct look look = {.chip = chip, .eoi = eoi, .given = given, .why = why};
	bool holds;

	look.tally = calloc((size_t)chip->nvcpus * 256u, sizeof(*look.tally));
	if (!look.tally)
		abort();
	holds = whole_holds(&look);
	free(look.tally);
	return holds;
}

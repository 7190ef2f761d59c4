/* SPDX-License-Identifier: MIT */
#include "model/invariants.h"

#include <string.h>

#include "core/ioapic_priv.h"

struct look {
	const struct lw_ioapic *io;
	struct broken *why;
};

/* A rule that does not hold of a pin. */
static bool pin_breaks(const struct look *l, const struct lw_pin *p, const char *rule)
{
	*l->why = (struct broken){
		.rule = rule, .pin = lw_pin_number(l->io, p), .vector = p->vector, .vcpu = p->vcpu};
	return false;
}

#define must(held, rule)                               \
	do {                                           \
		if (!(held))                           \
			return pin_breaks(l, p, rule); \
	} while (0)

static uint32_t members(const struct lw_ioapic *io, const struct lw_pin *p)
{
	const uint64_t *map = lw_pin_const_map(io, p);
	uint32_t count = 0;

	for (size_t w = 0; w < io->map_words; w++)
		count += (uint32_t)__builtin_popcountll(map[w]);
	return count;
}

static bool past_the_last(const struct lw_ioapic *io, const struct lw_pin *p)
{
	uint32_t used = io->nvcpus & 63u;

	return used && lw_pin_const_map(io, p)[io->map_words - 1] >> used;
}

/* Remote IRR is the record's existence; what there is of a record says who took it. */
static bool record_holds(const struct look *l, const struct lw_pin *p)
{
	uint32_t several = members(l->io, p);

	must(!(p->flags & RECORD && p->flags & RESIDUE), "a record is no residue");
	must(p->flags & RECORD || !(p->flags & (LET_GO | SEVERAL | ANYBODY | KEPT | DOUBTED)),
	     "only a record is let go, kept, doubted, or has several takers");
	must(!(p->flags & SEVERAL && p->flags & ANYBODY), "takers are known or not");
	must(!(p->flags & LET_GO) || p->flags & DOUBTED, "what was let go is in doubt");
	must(!(p->flags & DOUBTED) || l->io->ops->recall, "what is let go can be recalled");
	must(!(p->flags & DOUBTED && p->flags & (SEVERAL | ANYBODY)),
	     "only what one known vCPU took is let go");
	must(!(p->flags & RECORD) || p->flags & (SEVERAL | ANYBODY) || p->vcpu < l->io->nvcpus,
	     "a record's taker exists");
	must(!past_the_last(l->io, p), "takers are vCPUs");
	must(several == 0 || p->flags & (SEVERAL | RESIDUE), "a map without takers is clear");
	must(several > 0 || !(p->flags & (SEVERAL | RESIDUE)), "several takers are some");
	must(p->flags & (RECORD | RESIDUE) || (!p->vcpu && !p->vector),
	     "equal states are equal bytes");
	return true;
}

/* No interrupt is lost: an asserted and unmasked level pin is in flight, or waits for something
 * that is known. */
static bool level_holds(const struct look *l, const struct lw_pin *p)
{
	bool asks = p->msg.level && lw_pin_asserted(l->io, p) && !(p->rte & LW_RTE_MASK);

	must(!asks || p->flags & (RECORD | REFUSED | DELAYED | SAMPLING),
	     "an asserted and unmasked level pin is in flight or waits for something known");
	must(!(p->flags & RECORD) || p->msg.level, "only a level pin has a record");
	must(!(p->flags & REFUSED) || asks, "only a pin that asks is refused");
	must(!(p->flags & REFUSED && p->flags & RECORD), "what is refused is not in flight");
	must(p->storm < STORM_LIMIT, "a storm is delayed");
	return true;
}

static bool owed_holds(const struct look *l, const struct lw_pin *p)
{
	uint32_t n = lw_pin_number(l->io, p);
	bool sample = lw_set_test(l->io->resample, n), storm = lw_set_test(l->io->storm, n);

	if (l->io->draining)
		return true;
	must(!sample || p->flags & SAMPLING, "who is to be told of a resolution waits for it");
	must(!(p->flags & SAMPLING) || sample, "who waits for a resolution is to be told");
	must(!(sample || storm) || l->io->owed, "what is owed is known");
	return true;
}

/* What the IOMMU has answered may be anything but what no RTE could say. */
static bool message_holds(const struct look *l, const struct lw_pin *p)
{
	struct lw_msg said = lw_pin_message(l->io, p->rte);

	if (lw_rte_is_remappable(l->io, p->rte)) {
		said = p->msg;
		said.level = p->rte & LW_RTE_LEVEL && lw_msg_ends(&said);
	}
	must(p->msg.vector == said.vector && p->msg.dest == said.dest &&
		     p->msg.delivery == said.delivery && p->msg.logical == said.logical &&
		     p->msg.level == said.level,
	     "what a pin would send follows from its RTE");
	return true;
}

static bool pin_holds(const struct look *l, const struct lw_pin *p)
{
	bool volts = l->io->flags & LW_IOAPIC_ELECTRICAL && p->rte & LW_RTE_LOW;

	must(!(p->rte & (LW_RTE_REMOTE_IRR | LW_RTE_PENDING)), "read-only bits are not kept");
	must((p->flags & UNUSUAL) ==
		     (p->msg.level && !(p->rte & LW_RTE_MASK) && !volts ? 0 : UNUSUAL),
	     "a pin is unusual by its RTE");
	return message_holds(l, p) && record_holds(l, p) && level_holds(l, p) && owed_holds(l, p);
}

/* Each list has the pins it should, once, and can be walked both ways. */
static bool index_holds(const struct look *l, enum lw_index index)
{
	const struct lw_ioapic *io = l->io;
	const struct lw_link *links = lw_pin_links(io, index);
	uint32_t expected = 0, found = 0;
	bool seen[256] = {false};

	for (uint32_t n = 0; n < io->pins; n++)
		if (index == BY_ROUTE ? lw_pin_at(io, n)->msg.level
				      : (lw_pin_at(io, n)->flags & (RECORD | RESIDUE)) != 0)
			expected++;
	for (uint32_t vector = 0; vector < 256; vector++) {
		uint8_t before = NONE;

		for (uint8_t n = io->head[index][vector]; n != NONE; n = links[n].next) {
			const struct lw_pin *p = lw_pin_at(io, n < io->pins ? n : 0);
			uint32_t mine = index == BY_ROUTE ? p->msg.vector : p->vector;

			must(n < io->pins, "an index names pins");
			must(!seen[n], "a pin is once in an index");
			must(links[n].prev == before, "an index can be walked back");
			must(mine == vector, "a pin is in the index under its vector");
			seen[n] = true;
			before = n;
			found++;
		}
	}
	return found == expected ||
	       pin_breaks(l, lw_pin_at(io, 0), "whatever belongs in an index is there");
}

/* What init has set, and nobody changes. */
static bool layout_holds(const struct look *l)
{
	const struct lw_ioapic *io = l->io;
	const struct lw_pin *p = lw_pin_at(io, 0);
	size_t links = sizeof(*io) + io->pins * sizeof(*p);

	must(io->pins > 0 && io->pins <= LW_IOAPIC_MAX_PINS, "a chip has 1 to 240 pins");
	must(io->nvcpus > 0 && io->nvcpus <= MAX_VCPUS && io->map_words == lw_map_words(io->nvcpus),
	     "a map has a bit for each vCPU");
	must(io->links[BY_ROUTE] == links &&
		     io->links[BY_RECORD] == links + io->pins * sizeof(struct lw_link) &&
		     io->maps == maps_offset(io->pins),
	     "pins, links and maps lie one after the other");
	return true;
}

/* Of a word of pins. */
static bool word_holds(const struct look *l, uint32_t w)
{
	const struct lw_ioapic *io = l->io;
	const struct lw_pin *p = lw_pin_at(io, 0);
	uint32_t first = w * 64u, left = io->pins > first ? io->pins - first : 0;
	uint64_t none = left >= 64 ? 0 : ~0ull << left;

	must(!((io->resample[w] | io->storm[w]) & none), "only pins owe something");
	must(!io->resample[w] || io->ops->resample, "who is owed a sample can be told");
	must(!io->storm[w] || io->ops->storm, "who is owed a delay can be told");
	return true;
}

bool lw_ioapic_pins_hold(const struct lw_ioapic *io, struct broken *why)
{
	struct look look = {.io = io, .why = why};
	uint32_t refused = 0;

	if (!layout_holds(&look))
		return false;
	for (uint32_t w = 0; w < PIN_WORDS; w++)
		if (!word_holds(&look, w))
			return false;
	for (uint32_t n = 0; n < io->pins; n++) {
		if (!pin_holds(&look, lw_pin_at(io, n)))
			return false;
		refused += (lw_pin_at(io, n)->flags & REFUSED) != 0;
	}
	return refused == io->refused ||
	       pin_breaks(&look, lw_pin_at(io, 0), "the refused pins are counted");
}

bool lw_ioapic_holds(const struct lw_ioapic *io, struct broken *why)
{
	struct look look = {.io = io, .why = why};

	return lw_ioapic_pins_hold(io, why) && index_holds(&look, BY_ROUTE) &&
	       index_holds(&look, BY_RECORD);
}

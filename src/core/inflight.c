/* SPDX-License-Identifier: MIT */
/*
 * What is in flight: an I/O APIC's records of level deliveries, and how an EOI finds them.
 */
#include <string.h>

#include "ioapic_priv.h"
#include "snapshot.h"

/* ---- the indices ---- */

void lw_pin_link(struct lw_ioapic *io, enum lw_index index, uint8_t vector, const struct lw_pin *p)
{
	struct lw_link *links = lw_pin_links(io, index);
	uint8_t n = (uint8_t)lw_pin_number(io, p), first = io->head[index][vector];

	links[n] = (struct lw_link){.next = first, .prev = NONE};
	if (first != NONE)
		links[first].prev = n;
	io->head[index][vector] = n;
}

void lw_pin_unlink(struct lw_ioapic *io, enum lw_index index, uint8_t vector,
		   const struct lw_pin *p)
{
	struct lw_link *links = lw_pin_links(io, index);
	struct lw_link mine = links[lw_pin_number(io, p)];

	if (mine.next != NONE)
		links[mine.next].prev = mine.prev;
	if (mine.prev != NONE)
		links[mine.prev].next = mine.next;
	else
		io->head[index][vector] = mine.next;
}

/* ---- routes ---- */

struct lw_msg lw_pin_message(const struct lw_ioapic *io, uint64_t rte)
{
	struct lw_msg msg = {
		.dest = (uint32_t)(rte >> LW_RTE_DEST_SHIFT),
		.vector = (uint8_t)(rte & LW_RTE_VECTOR),
		.delivery = (uint8_t)((rte & LW_RTE_DM) >> LW_RTE_DM_SHIFT),
		.logical = (rte & LW_RTE_LOGICAL) != 0,
		.level = (rte & LW_RTE_LEVEL) != 0,
	};

	if (io->flags & LW_IOAPIC_EXT_DEST)
		msg.dest |= (uint32_t)((rte & RTE_EXT_DEST) >> LW_RTE_EXT_SHIFT) << 8;
	msg.level = msg.level && lw_msg_ends(&msg);
	return msg;
}

/* ---- records ---- */

static bool took(const struct lw_ioapic *io, const struct lw_pin *p, uint32_t vcpu)
{
	if (p->flags & ANYBODY)
		return !io->ops->took ||
		       io->ops->took(io->ctx, io->gsi_base + lw_pin_number(io, p), vcpu);
	if (p->flags & (SEVERAL | RESIDUE))
		return vcpu < io->nvcpus && lw_set_test(lw_pin_const_map(io, p), vcpu);
	return p->vcpu == vcpu;
}

/* Tell who counts records that this one is opened, or ends, for each of its takers. */
static void tell_record(struct lw_ioapic *io, struct lw_pin *p, bool open)
{
	const uint64_t *map = lw_pin_const_map(io, p);

	if (!io->ops->record || !(p->flags & RECORD) || p->flags & ANYBODY)
		return;
	if (!(p->flags & SEVERAL)) {
		io->ops->record(io->ctx, p->vcpu, p->vector, open);
		return;
	}
	for (size_t w = 0; w < io->map_words; w++)
		for (uint64_t left = map[w]; left; left &= left - 1)
			io->ops->record(io->ctx, (uint32_t)w * 64u + lw_word_low(left), p->vector,
					open);
}

void lw_ioapic_tell_records(struct lw_ioapic *io, bool open)
{
	for (uint32_t n = 0; n < io->pins; n++)
		tell_record(io, lw_pin_at(io, n), open);
}

void lw_pin_drop(struct lw_ioapic *io, struct lw_pin *p)
{
	if (!(p->flags & (RECORD | RESIDUE)))
		return;
	tell_record(io, p, false);
	lw_pin_unlink(io, BY_RECORD, p->vector, p);
	if (p->flags & (SEVERAL | RESIDUE))
		memset(lw_pin_map(io, p), 0, io->map_words * sizeof(uint64_t));
	p->flags &= (uint16_t)~OF_RECORD;
	p->vcpu = p->vector = 0; /* equal states are equal bytes */
}

/* The record is resolved; the other takers of a delivery to several remain as residue. */
static void resolve(struct lw_ioapic *io, struct lw_pin *p, uint32_t by)
{
	if (p->flags & SEVERAL) {
		uint64_t *map = lw_pin_map(io, p);

		tell_record(io, p, false);
		if (by < io->nvcpus)
			lw_set_del(map, by);
		p->flags &= (uint16_t)~OF_RECORD;
		p->flags |= RESIDUE;
		if (lw_map_empty(map, io->map_words))
			lw_pin_drop(io, p);
	} else {
		lw_pin_drop(io, p);
	}
	if (p->flags & NOTIFY && io->ops->resample) {
		lw_set_add(io->resample, lw_pin_number(io, p));
		io->owed = true;
		p->flags |= SAMPLING;
	}
}

static inline void open_record(struct lw_ioapic *io, struct lw_pin *p, uint32_t vcpu)
{
	p->vector = p->msg.vector;
	p->vcpu = vcpu;
	lw_pin_link(io, BY_RECORD, p->vector, p);
	io->counters.deliveries++;
}

/* Tell the policy that a record ended without its takers' EOI. */
static void tell_closed(struct lw_ioapic *io, struct lw_pin *p, uint8_t vector, uint32_t vcpu)
{
	const uint64_t *map = lw_pin_const_map(io, p);

	if (!io->ops->closed)
		return;
	if (!(p->flags & RESIDUE)) {
		io->ops->closed(io->ctx, vcpu, vector);
		return;
	}
	for (size_t w = 0; w < io->map_words; w++)
		for (uint64_t left = map[w]; left; left &= left - 1)
			io->ops->closed(io->ctx, (uint32_t)w * 64u + lw_word_low(left), vector);
}

void lw_pin_close(struct lw_ioapic *io, struct lw_pin *p)
{
	uint8_t vector = p->vector;
	uint32_t vcpu = p->vcpu;
	bool known = !(p->flags & ANYBODY);

	resolve(io, p, UINT32_MAX);
	if (known)
		tell_closed(io, p, vector, vcpu);
}

/* ---- delivery ---- */

void lw_pin_refuse(struct lw_ioapic *io, struct lw_pin *p, bool refused)
{
	if (refused)
		io->counters.refused++;
	if (refused == ((p->flags & REFUSED) != 0))
		return;
	p->flags ^= REFUSED;
	if (refused)
		io->refused++;
	else
		io->refused--;
}

/* Two modes of an RTE are reserved, that which starts a processor in ICR among them
 * (82093AA, 3.2.4).
 */
static bool is_reserved(const struct lw_msg *msg)
{
	return msg->delivery == LW_DM_RESERVED || msg->delivery == LW_DM_SIPI;
}

static LW_APART void send_edge(struct lw_ioapic *io, struct lw_pin *p)
{
	struct lw_takers takers = {.map = lw_pin_map(io, p)};

	if (!is_reserved(&p->msg))
		io->ops->deliver(io->ctx, io->gsi_base + lw_pin_number(io, p), &p->msg, &takers);
	if (takers.count || takers.any)
		io->counters.edges++;
	else
		io->counters.refused++;
	if (takers.count > 1)
		memset(takers.map, 0, io->map_words * sizeof(uint64_t));
}

/* Taken by several, by who knows whom, by nobody, or for once by somebody. */
static LW_COLD void sent_level(struct lw_ioapic *io, struct lw_pin *p, const struct lw_takers *t)
{
	lw_pin_refuse(io, p, !t->count && !t->any);
	if (p->flags & REFUSED)
		return;
	open_record(io, p, t->any ? 0 : t->vcpu);
	p->flags |= RECORD;
	if (t->any)
		p->flags |= ANYBODY;
	else if (t->count > 1)
		p->flags |= SEVERAL;
	tell_record(io, p, true);
}

void lw_pin_adopt(struct lw_ioapic *io, struct lw_pin *p, const struct lw_takers *takers)
{
	sent_level(io, p, takers);
}

void lw_pin_send_level(struct lw_ioapic *io, struct lw_pin *p)
{
	uint32_t n = lw_pin_number(io, p);
	struct lw_takers takers = {.map = lw_pin_map(io, p)};

	io->ops->deliver(io->ctx, io->gsi_base + n, &p->msg, &takers);
	if (takers.count != 1 || takers.any || p->flags) {
		sent_level(io, p, &takers);
		return;
	}
	p->flags = RECORD;
	open_record(io, p, takers.vcpu);
	if (io->ops->record)
		io->ops->record(io->ctx, takers.vcpu, p->vector, true);
}

void lw_pin_send(struct lw_ioapic *io, struct lw_pin *p)
{
	if (p->flags & RESIDUE)
		lw_pin_drop(io, p);
	if (!p->msg.level)
		send_edge(io, p);
	else
		lw_pin_send_level(io, p);
}

static LW_APART enum lw_eoi_class eoi_delivered(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector,
						uint32_t which);

void lw_pin_recall(struct lw_ioapic *io, struct lw_pin *p)
{
	enum lw_recall where = LW_RECALL_THERE;
	uint32_t vcpu = p->vcpu;
	uint8_t vector = p->vector;

	io->counters.recalls++;
	if (!LW_LEFT_OUT(LW_RULE_LOAD_THEN_CHECK))
		where = io->ops->recall(io->ctx, vcpu, vector);
	if (where == LW_RECALL_THERE)
		lw_ioapic_hold_locked(io, vcpu, vector);
	else if (where == LW_RECALL_GONE && io->ops->gone)
		io->ops->gone(io->ctx, vcpu, vector);
	else if (where == LW_RECALL_GONE)
		lw_ioapic_gone_locked(io, vcpu, vector);
}

static LW_APART void service_rest(struct lw_ioapic *io, struct lw_pin *p)
{
	if (!p->msg.level || !lw_pin_asserted(io, p) || p->rte & LW_RTE_MASK ||
	    p->flags & (DELAYED | SAMPLING))
		return;
	if (!(p->flags & RECORD))
		lw_pin_send(io, p);
	else if (p->flags & LET_GO)
		lw_pin_recall(io, p);
}

void lw_pin_service(struct lw_ioapic *io, struct lw_pin *p)
{
	if (p->flags)
		service_rest(io, p);
	else if (p->sources)
		lw_pin_send_level(io, p);
}

/* A line that is still asserted at its EOI; with somebody to tell of it, once he has been told. */
static void redeliver(struct lw_ioapic *io, struct lw_pin *p)
{
	if (p->flags & SAMPLING)
		return;
	if (!p->msg.level || !lw_pin_asserted(io, p)) {
		p->storm = 0;
		return;
	}
	if (io->ops->storm && ++p->storm >= STORM_LIMIT) {
		p->storm = 0;
		p->flags |= DELAYED;
		lw_set_add(io->storm, lw_pin_number(io, p));
		io->owed = true;
		io->counters.storms++;
		return;
	}
	lw_pin_service(io, p);
}

void lw_pin_sampled(struct lw_ioapic *io, struct lw_pin *p)
{
	p->flags &= (uint16_t)~SAMPLING;
	redeliver(io, p);
}

/* Pins whose records an EOI has resolved. */
struct done {
	uint64_t pins[PIN_WORDS];
	uint32_t count;
	uint32_t last;
};

static void note_done(struct done *done, uint32_t n)
{
	lw_set_add(done->pins, n);
	done->count++;
	done->last = n;
}

/* In the order of pins, whatever the index's. */
static void redeliver_all(struct lw_ioapic *io, struct done *done)
{
	if (done->count == 1) {
		redeliver(io, lw_pin_at(io, done->last));
		return;
	}
	for (uint32_t w = 0; done->count && w < PIN_WORDS; w++)
		for (; done->pins[w]; done->pins[w] &= done->pins[w] - 1)
			redeliver(io, lw_pin_at(io, w * 64u + lw_word_low(done->pins[w])));
}

/* ---- EOI ---- */

static bool answers(const struct lw_ioapic *io, const struct lw_pin *p, uint32_t vcpu)
{
	return p->flags & RECORD && took(io, p, vcpu);
}

/*
 * Two passes: all records of the pair are resolved before any pin is delivered anew, so that the
 * new delivery of one pin is not taken for the old one of another. `which` is RECORD for all of
 * them, or a flag that they must have.
 */
static LW_APART enum lw_eoi_class eoi_delivered(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector,
						uint32_t which)
{
	enum lw_eoi_class found = LW_EOI_SUPERFLUOUS;
	struct done done = {.count = 0};
	uint8_t next;

	for (uint8_t n = io->head[BY_RECORD][vector]; n != NONE; n = next) {
		struct lw_pin *p = lw_pin_at(io, n);

		next = lw_pin_next(io, BY_RECORD, n);
		if (answers(io, p, vcpu) && p->flags & which) {
			resolve(io, p, vcpu);
			io->counters.resolved++;
			note_done(&done, n);
			found = LW_EOI_NECESSARY;
			if (LW_LEFT_OUT(LW_RULE_EVERY_RECORD))
				break;
		} else if (p->flags & RESIDUE && took(io, p, vcpu)) {
			lw_set_del(lw_pin_map(io, p), vcpu);
			if (lw_map_empty(lw_pin_map(io, p), io->map_words))
				lw_pin_drop(io, p);
			if (found == LW_EOI_SUPERFLUOUS)
				found = LW_EOI_REDUNDANT;
		}
	}
	if (found == LW_EOI_REDUNDANT)
		io->counters.redundant++;
	redeliver_all(io, &done);
	return found;
}

/* The datasheet's rule, and that of every implementation but this one: any EOI of the vector that
 * a level RTE has at present. */
static LW_APART enum lw_eoi_class eoi_strict(struct lw_ioapic *io, uint8_t vector)
{
	enum lw_eoi_class found = LW_EOI_SUPERFLUOUS;
	struct done done = {.count = 0};

	for (uint8_t n = io->head[BY_ROUTE][vector]; n != NONE; n = lw_pin_next(io, BY_ROUTE, n)) {
		struct lw_pin *p = lw_pin_at(io, n);

		if (!(p->flags & RECORD))
			continue;
		lw_pin_close(io, p);
		io->counters.resolved++;
		note_done(&done, n);
		found = LW_EOI_NECESSARY;
	}
	redeliver_all(io, &done);
	return found;
}

enum lw_eoi_class lw_ioapic_eoi_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	if (lw_pin_eoi_short(io, vcpu, vector))
		return LW_EOI_NECESSARY;
	if (io->flags & LW_IOAPIC_STRICT || LW_LEFT_OUT(LW_RULE_MATCH_DELIVERED))
		return eoi_strict(io, vector);
	return eoi_delivered(io, vcpu, vector, RECORD);
}

void lw_pin_eoi_register(struct lw_ioapic *io, uint8_t vector)
{
	for (uint32_t n = 0; n < io->pins; n++) {
		struct lw_pin *p = lw_pin_at(io, n);
		bool delivered = p->vector == vector && !LW_LEFT_OUT(LW_RULE_EOI_REGISTER);

		if (!(p->flags & RECORD) || (!delivered && (p->rte & LW_RTE_VECTOR) != vector))
			continue;
		lw_pin_close(io, p);
		io->counters.resolved++;
		redeliver(io, p);
	}
}

void lw_ioapic_hold_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	for (uint8_t n = io->head[BY_RECORD][vector]; n != NONE; n = lw_pin_next(io, BY_RECORD, n))
		if (answers(io, lw_pin_at(io, n), vcpu))
			lw_pin_at(io, n)->flags &= (uint16_t)~LET_GO;
}

void lw_ioapic_forget_locked(struct lw_ioapic *io, uint32_t vcpu)
{
	if (LW_LEFT_OUT(LW_RULE_INIT))
		return;
	for (uint32_t n = 0; n < io->pins; n++) {
		struct lw_pin *p = lw_pin_at(io, n);

		if (!(p->flags & (RECORD | RESIDUE)) || p->flags & ANYBODY || !took(io, p, vcpu))
			continue;
		if (p->flags & (SEVERAL | RESIDUE)) {
			if (p->flags & SEVERAL && io->ops->record)
				io->ops->record(io->ctx, vcpu, p->vector, false);
			lw_set_del(lw_pin_map(io, p), vcpu);
			if (!lw_map_empty(lw_pin_map(io, p), io->map_words))
				continue;
		}
		if (p->flags & RESIDUE) {
			lw_pin_drop(io, p);
			continue;
		}
		resolve(io, p, vcpu);
		redeliver(io, p);
	}
}

void lw_ioapic_retry_locked(struct lw_ioapic *io)
{
	for (uint32_t n = 0; n < io->pins && io->refused && !LW_LEFT_OUT(LW_RULE_RETRY); n++)
		if (lw_pin_at(io, n)->flags & REFUSED)
			lw_pin_service(io, lw_pin_at(io, n));
}

/* ---- for an EOI policy ---- */

bool lw_ioapic_in_flight_locked(const struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	for (uint8_t n = io->head[BY_RECORD][vector]; n != NONE; n = lw_pin_next(io, BY_RECORD, n))
		if (answers(io, lw_pin_at(io, n), vcpu))
			return true;
	return false;
}

bool lw_ioapic_routed_locked(const struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	for (uint8_t n = io->head[BY_ROUTE][vector]; n != NONE; n = lw_pin_next(io, BY_ROUTE, n)) {
		if (io->ops->matches && io->ops->matches(io->ctx, vcpu, &lw_pin_at(io, n)->msg))
			return true;
	}
	return false;
}

bool lw_ioapic_record_locked(const struct lw_ioapic *io, uint32_t pin,
			     struct lw_ioapic_record *record)
{
	const struct lw_pin *p = pin < io->pins ? lw_pin_at(io, pin) : NULL;

	if (!p || !(p->flags & RECORD))
		return false;
	*record = (struct lw_ioapic_record){
		.vcpu = p->vcpu,
		.vector = p->vector,
		.any = (p->flags & (SEVERAL | ANYBODY)) != 0,
	};
	return true;
}

uint64_t lw_ioapic_rte_locked(const struct lw_ioapic *io, uint32_t pin)
{
	return pin < io->pins ? lw_pin_at(io, pin)->rte : 0;
}

bool lw_ioapic_releasable_locked(const struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	for (uint8_t n = io->head[BY_RECORD][vector]; n != NONE;
	     n = lw_pin_next(io, BY_RECORD, n)) {
		const struct lw_pin *p = lw_pin_at(io, n);

		if (answers(io, p, vcpu) &&
		    (p->flags & (SEVERAL | ANYBODY | NOTIFY | KEPT) || lw_pin_asserted(io, p)))
			return false;
	}
	return true;
}

void lw_ioapic_release_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	if (!io->ops->recall)
		return;
	for (uint8_t n = io->head[BY_RECORD][vector]; n != NONE; n = lw_pin_next(io, BY_RECORD, n))
		if (answers(io, lw_pin_at(io, n), vcpu))
			lw_pin_at(io, n)->flags |= LET_GO | DOUBTED;
}

void lw_ioapic_gone_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	eoi_delivered(io, vcpu, vector, RECORD);
}

void lw_ioapic_finish_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	eoi_delivered(io, vcpu, vector, DOUBTED);
}

void lw_ioapic_keep_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	for (uint8_t n = io->head[BY_RECORD][vector]; n != NONE; n = lw_pin_next(io, BY_RECORD, n))
		if (answers(io, lw_pin_at(io, n), vcpu))
			lw_pin_at(io, n)->flags |= KEPT;
}

void lw_ioapic_settle_locked(struct lw_ioapic *io)
{
	for (uint32_t n = 0; n < io->pins; n++)
		if (lw_pin_at(io, n)->flags & LET_GO)
			lw_pin_recall(io, lw_pin_at(io, n));
}

bool lw_ioapic_owes_locked(const struct lw_ioapic *io)
{
	return io->owed;
}

void lw_ioapic_scan_locked(const struct lw_ioapic *io,
			   void (*see)(void *arg, const struct lw_msg *msg), void *arg)
{
	for (uint32_t n = 0; n < io->pins; n++)
		see(arg, &lw_pin_at(io, n)->msg);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <lapwing/ioapic.h>
#include <string.h>

#include "ioapic_priv.h"

#define IOREGSEL      0x00u
#define IOREGSEL_PINS 120u /* whose RTEs eight bits reach */
#define IOWIN         0x10u
#define EOIR          0x40u

#define REG_ID          0x00u
#define REG_VERSION     0x01u
#define REG_ARBITRATION 0x02u
#define REG_RTE         0x10u

/* What a guest may write in an RTE (82093AA, 3.2.4); the extended destination comes on top. */
#define RTE_WRITABLE                                                                            \
	(LW_RTE_VECTOR | LW_RTE_DM | LW_RTE_LOGICAL | LW_RTE_LOW | LW_RTE_LEVEL | LW_RTE_MASK | \
	 0xffull << LW_RTE_DEST_SHIFT)

#define RTE_REMAPPABLE (0xffffull << 48) /* format and handle */

/* ---- storage ---- */

static bool config_is_sane(const struct lw_ioapic_config *c)
{
	const uint32_t known =
		LW_IOAPIC_EXT_DEST | LW_IOAPIC_STRICT | LW_IOAPIC_ELECTRICAL | LW_IOAPIC_REMAPPABLE;

	return c && c->pins >= LW_IOAPIC_MIN_PINS && c->pins <= LW_IOAPIC_MAX_PINS &&
	       c->nvcpus > 0 && c->nvcpus <= MAX_VCPUS && !(c->flags & ~known) && c->id < 16 &&
	       (c->version == 0x11 || c->version == 0x20);
}

_Static_assert(sizeof(struct lw_ioapic) + LW_IOAPIC_MIN_PINS * (sizeof(struct lw_pin) +
								INDICES * sizeof(struct lw_link)) <=
		       2048,
	       "an I/O APIC of 24 pins must fit in 2 KiB, maps apart");

size_t lw_ioapic_size(const struct lw_ioapic_config *config)
{
	if (!config_is_sane(config))
		return 0;
	return maps_offset(config->pins) +
	       lw_round_up((size_t)config->pins * lw_map_words(config->nvcpus) * 8u,
			   LW_IOAPIC_ALIGN);
}

/* The IOMMU's answer. A logical destination of no bit is nobody's, in every mode. */
static struct lw_msg translate(const struct lw_ioapic *io, const struct lw_pin *p, uint64_t rte)
{
	struct lw_remap entry = {
		.index = (uint32_t)(rte >> LW_RTE_HANDLE_SHIFT),
		.gsi = (int32_t)(io->gsi_base + lw_pin_number(io, p)),
		.vector = (uint8_t)(rte & LW_RTE_VECTOR),
		.level = (rte & LW_RTE_LEVEL) != 0,
	};
	struct lw_msg msg = {0};

	if (rte & LW_RTE_HANDLE_15)
		entry.index |= 0x8000u;
	if (!io->ops->remap || io->ops->remap(io->ctx, &entry, &msg) < 0 ||
	    msg.delivery > LW_DM_EXTINT)
		msg = (struct lw_msg){.vector = entry.vector, .logical = true};
	msg.level = entry.level && lw_msg_ends(&msg);
	return msg;
}

void lw_pin_set_rte(const struct lw_ioapic *io, struct lw_pin *p, uint64_t rte, struct lw_msg msg)
{
	bool volts = io->flags & LW_IOAPIC_ELECTRICAL && rte & LW_RTE_LOW;

	p->rte = rte;
	p->msg = msg;
	p->flags &= (uint16_t)~UNUSUAL;
	if (!p->msg.level || rte & LW_RTE_MASK || volts)
		p->flags |= UNUSUAL;
}

int lw_ioapic_init(struct lw_ioapic *storage, const struct lw_ioapic_config *config)
{
	struct lw_ioapic *io = storage;

	if (!io || (uintptr_t)io % LW_IOAPIC_ALIGN || !config_is_sane(config) || !config->ops ||
	    !config->ops->deliver || !config->ops->lock != !config->ops->unlock)
		return -EINVAL;
	memset(io, 0, lw_ioapic_size(config));
	io->ops = config->ops;
	io->ctx = config->ctx;
	io->gsi_base = config->gsi_base;
	io->pins = config->pins;
	io->nvcpus = config->nvcpus;
	io->links[BY_ROUTE] = (uint32_t)(sizeof(*io) + config->pins * sizeof(struct lw_pin));
	io->links[BY_RECORD] =
		io->links[BY_ROUTE] + config->pins * (uint32_t)sizeof(struct lw_link);
	io->maps = (uint32_t)maps_offset(config->pins);
	io->map_words = (uint32_t)lw_map_words(config->nvcpus);
	io->flags = config->flags;
	io->id = io->id_at_reset = config->id;
	io->version = config->version;
	memset(io->head, NONE, sizeof(io->head));
	for (uint32_t n = 0; n < io->pins; n++)
		lw_pin_set_rte(io, lw_pin_at(io, n), LW_RTE_MASK, lw_pin_message(io, LW_RTE_MASK));
	return 0;
}

/* ---- lock, and what runs after it ---- */

static void enter(struct lw_ioapic *io)
{
	if (io->ops->lock)
		io->ops->lock(io->ctx);
}

static void unlock(struct lw_ioapic *io)
{
	if (io->ops->unlock)
		io->ops->unlock(io->ctx);
}

/* Take one notification that is owed. Under the lock. */
static bool take(struct lw_ioapic *io, uint64_t *owed, uint32_t *gsi)
{
	for (uint32_t w = 0; w < PIN_WORDS; w++) {
		if (!owed[w])
			continue;
		*gsi = io->gsi_base + w * 64u + lw_word_low(owed[w]);
		owed[w] &= owed[w] - 1;
		return true;
	}
	return false;
}

static LW_COLD void drain(struct lw_ioapic *io)
{
	uint32_t gsi;

	io->draining = true;
	for (;;) {
		bool sample = take(io, io->resample, &gsi);

		if (!sample && !take(io, io->storm, &gsi))
			break;
		unlock(io);
		if (sample)
			io->ops->resample(io->ctx, gsi);
		else
			io->ops->storm(io->ctx, gsi);
		enter(io);
		if (sample)
			lw_pin_sampled(io, lw_pin_at(io, gsi - io->gsi_base));
	}
	io->draining = io->owed = false;
	unlock(io);
}

/* One drainer at a time: a callback that sets a line queues for it and returns, so that callbacks
 * never nest, however they answer one another. Enters with the lock held, leaves without. */
static inline void leave(struct lw_ioapic *io)
{
	if (io->owed && !io->draining)
		drain(io);
	else
		unlock(io);
}

void lw_ioapic_drain(struct lw_ioapic *io)
{
	enter(io);
	leave(io);
}

/* ---- a guest's accesses ---- */

/* Level to edge ends the record: nothing would ever EOI it by the guest's account. */
static void flip_to_edge(struct lw_ioapic *io, struct lw_pin *p)
{
	p->storm = 0;
	lw_pin_refuse(io, p, false);
	if (p->flags & RECORD && !LW_LEFT_OUT(LW_RULE_EDGE_FLIP))
		lw_pin_close(io, p);
}

/* The format is in the half that it changes, so one half alone never spoils the other. */
uint64_t lw_rte_writable(const struct lw_ioapic *io, uint64_t rte)
{
	if (lw_rte_is_remappable(io, rte))
		return RTE_WRITABLE | RTE_REMAPPABLE;
	return RTE_WRITABLE | (io->flags & LW_IOAPIC_EXT_DEST ? RTE_EXT_DEST : 0);
}

uint32_t lw_ioapic_selectable(const struct lw_ioapic *io)
{
	return io->pins > IOREGSEL_PINS ? 0x1ffu : 0xffu;
}

static void write_rte(struct lw_ioapic *io, struct lw_pin *p, uint64_t rte)
{
	struct lw_msg before = p->msg, after;

	if (before.level)
		lw_pin_unlink(io, BY_ROUTE, before.vector, p);
	rte &= lw_rte_writable(io, rte);
	after = lw_rte_is_remappable(io, rte) ? translate(io, p, rte) : lw_pin_message(io, rte);
	lw_pin_set_rte(io, p, rte, after);
	if (after.level)
		lw_pin_link(io, BY_ROUTE, after.vector, p);
	if (before.level && !after.level)
		flip_to_edge(io, p);
	if (p->rte & LW_RTE_MASK || !lw_pin_asserted(io, p))
		lw_pin_refuse(io, p, false); /* nothing is waiting to be sent */
	if (io->ops->route)
		io->ops->route(io->ctx, &before, &after);
	lw_pin_service(io, p);
}

static uint64_t read_rte(struct lw_ioapic *io, struct lw_pin *p)
{
	uint64_t rte;

	if (p->flags & LET_GO)
		lw_pin_recall(io, p);
	rte = p->rte;
	if (p->flags & RECORD)
		rte |= LW_RTE_REMOTE_IRR;
	if (p->flags & REFUSED)
		rte |= LW_RTE_PENDING;
	return rte;
}

static uint32_t read_register(struct lw_ioapic *io, uint32_t index)
{
	uint32_t pin = (index - REG_RTE) / 2u;

	if (index == REG_ID || index == REG_ARBITRATION)
		return (uint32_t)io->id << 24;
	if (index == REG_VERSION)
		return (io->pins - 1u) << 16 | io->version;
	if (index < REG_RTE || pin >= io->pins)
		return 0;
	return (uint32_t)(read_rte(io, lw_pin_at(io, pin)) >> (index & 1u) * 32u);
}

static void write_register(struct lw_ioapic *io, uint32_t index, uint32_t value)
{
	uint32_t pin = (index - REG_RTE) / 2u;
	struct lw_pin *p;

	if (index == REG_ID)
		io->id = (uint8_t)(value >> 24 & 0xfu);
	if (index < REG_RTE || pin >= io->pins)
		return;
	p = lw_pin_at(io, pin);
	if (index & 1u)
		write_rte(io, p, (p->rte & UINT32_MAX) | (uint64_t)value << 32);
	else
		write_rte(io, p, (p->rte & ~(uint64_t)UINT32_MAX) | value);
}

uint32_t lw_ioapic_read(struct lw_ioapic *io, uint32_t index)
{
	uint32_t value;

	enter(io);
	value = read_register(io, index);
	leave(io);
	return value;
}

void lw_ioapic_write(struct lw_ioapic *io, uint32_t index, uint32_t value)
{
	enter(io);
	write_register(io, index, value);
	leave(io);
}

void lw_ioapic_mmio_read(struct lw_ioapic *io, uint64_t offset, void *data, size_t len)
{
	uint32_t value = 0;

	if (!len || len > 8)
		return;
	enter(io);
	if (offset == IOREGSEL)
		value = io->select;
	else if (offset == IOWIN)
		value = read_register(io, io->select);
	leave(io);
	memset(data, 0, len);
	memcpy(data, &value, len < sizeof(value) ? len : sizeof(value));
}

void lw_ioapic_mmio_write(struct lw_ioapic *io, uint64_t offset, const void *data, size_t len)
{
	uint32_t value = 0;

	if (!len || len > 8)
		return;
	memcpy(&value, data, len < sizeof(value) ? len : sizeof(value));
	enter(io);
	if (offset == IOREGSEL)
		io->select = value & lw_ioapic_selectable(io);
	else if (offset == IOWIN && len >= sizeof(value))
		write_register(io, io->select, value);
	else if (offset == EOIR && len >= sizeof(value) && io->version >= 0x20)
		lw_pin_eoi_register(io, (uint8_t)value);
	leave(io);
}

/* ---- the VMM's calls ---- */

/* As if the guest had masked every pin as an edge, so that whoever waits for a record is told. */
void lw_ioapic_reset(struct lw_ioapic *io)
{
	enter(io);
	io->select = 0;
	io->id = io->id_at_reset;
	for (uint32_t n = 0; n < io->pins; n++) {
		write_rte(io, lw_pin_at(io, n), LW_RTE_MASK);
		lw_pin_drop(io, lw_pin_at(io, n));
		lw_pin_at(io, n)->flags &= NOTIFY | UNUSUAL;
	}
	leave(io);
}

int lw_ioapic_rte(struct lw_ioapic *io, uint32_t pin, uint64_t *rte)
{
	if (pin >= io->pins || !rte)
		return -EINVAL;
	enter(io);
	*rte = read_rte(io, lw_pin_at(io, pin));
	leave(io);
	return 0;
}

static LW_COLD void line_fell_rare(struct lw_ioapic *io, struct lw_pin *p)
{
	lw_pin_refuse(io, p, false);
	if (!(p->flags & RECORD) || p->flags & (LET_GO | SEVERAL | ANYBODY | NOTIFY))
		return;
	if (io->ops->fell)
		io->ops->fell(io->ctx, p->vcpu, p->vector);
}

static inline void line_fell(struct lw_ioapic *io, struct lw_pin *p)
{
	p->storm = 0;
	if (p->flags & ~RECORD || (p->flags && io->ops->fell))
		line_fell_rare(io, p);
}

static inline void line_rose(struct lw_ioapic *io, struct lw_pin *p)
{
	if (p->msg.level)
		lw_pin_service(io, p);
	else if (!(p->rte & LW_RTE_MASK))
		lw_pin_send(io, p);
	else
		io->counters.lost++;
}

/* Whether the line is another now. */
static inline bool drive(struct lw_pin *p, uint32_t source, bool level)
{
	uint32_t before = p->sources, bit = 1u << source;

	p->sources = level ? before | bit : before & ~bit;
	return before == (level ? 0 : bit);
}

static LW_APART void line_turned(struct lw_ioapic *io, struct lw_pin *p)
{
	if (lw_pin_asserted(io, p))
		line_rose(io, p);
	else
		line_fell(io, p);
}

int lw_ioapic_line_locked(struct lw_ioapic *io, uint32_t pin, uint32_t source, bool level)
{
	if (pin >= io->pins || source >= LW_IOAPIC_MAX_SOURCES)
		return -EINVAL;
	if (drive(lw_pin_at(io, pin), source, level))
		line_turned(io, lw_pin_at(io, pin));
	return 0;
}

static LW_APART int line_under_lock(struct lw_ioapic *io, uint32_t pin, uint32_t source, bool level)
{
	int err;

	enter(io);
	err = lw_ioapic_line_locked(io, pin, source, level);
	leave(io);
	return err;
}

int lw_ioapic_line(struct lw_ioapic *io, uint32_t pin, uint32_t source, bool level)
{
	struct lw_pin *p;

	if (io->ops->lock)
		return line_under_lock(io, pin, source, level);
	if (pin >= io->pins || source >= LW_IOAPIC_MAX_SOURCES)
		return -EINVAL;
	p = lw_pin_at(io, pin);
	if (!drive(p, source, level))
		return 0;
	if (level && !p->flags) {
		lw_pin_send_level(io, p); /* queues nothing */
		return 0;
	}
	line_turned(io, p);
	if (io->owed)
		leave(io);
	return 0;
}

int lw_ioapic_notify(struct lw_ioapic *io, uint32_t pin, bool on)
{
	struct lw_pin *p;

	if (pin >= io->pins)
		return -EINVAL;
	enter(io);
	p = lw_pin_at(io, pin);
	/* First, for whoever begins to listen is told nothing of an EOI that is known to have been.
	 * Where the owner is yet to be asked he may be told of one all the same: nobody knows
	 * whether it came before this or after, and to be told once too often costs a sample.
	 */
	if (p->flags & LET_GO)
		lw_pin_recall(io, p);
	if (on)
		p->flags |= NOTIFY;
	else
		p->flags &= (uint16_t)~NOTIFY;
	leave(io);
	return 0;
}

int lw_ioapic_resume(struct lw_ioapic *io, uint32_t pin)
{
	if (pin >= io->pins)
		return -EINVAL;
	enter(io);
	if (lw_pin_at(io, pin)->flags & DELAYED) {
		lw_pin_at(io, pin)->flags &= (uint16_t)~DELAYED;
		lw_pin_service(io, lw_pin_at(io, pin));
	}
	leave(io);
	return 0;
}

void lw_ioapic_remapped_locked(struct lw_ioapic *io)
{
	for (uint32_t n = 0; n < io->pins; n++)
		if (lw_rte_is_remappable(io, lw_pin_at(io, n)->rte))
			write_rte(io, lw_pin_at(io, n), lw_pin_at(io, n)->rte);
}

void lw_ioapic_remapped(struct lw_ioapic *io)
{
	enter(io);
	lw_ioapic_remapped_locked(io);
	leave(io);
}

struct lw_ioapic_counters lw_ioapic_counters(struct lw_ioapic *io)
{
	struct lw_ioapic_counters copy;

	enter(io);
	copy = io->counters;
	leave(io);
	return copy;
}

static LW_APART enum lw_eoi_class eoi_under_lock(struct lw_ioapic *io, uint32_t vcpu,
						 uint8_t vector)
{
	enum lw_eoi_class found;

	enter(io);
	found = lw_ioapic_eoi_locked(io, vcpu, vector);
	leave(io);
	return found;
}

enum lw_eoi_class lw_ioapic_eoi(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	if (io->ops->lock || !lw_pin_eoi_short(io, vcpu, vector))
		return eoi_under_lock(io, vcpu, vector);
	return LW_EOI_NECESSARY;
}

void lw_ioapic_hold(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	enter(io);
	lw_ioapic_hold_locked(io, vcpu, vector);
	leave(io);
}

void lw_ioapic_forget(struct lw_ioapic *io, uint32_t vcpu)
{
	enter(io);
	lw_ioapic_forget_locked(io, vcpu);
	leave(io);
}

void lw_ioapic_retry(struct lw_ioapic *io)
{
	enter(io);
	lw_ioapic_retry_locked(io);
	leave(io);
}

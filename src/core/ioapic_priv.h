/* SPDX-License-Identifier: MIT */
/* The inside of an I/O APIC: ioapic.c has its registers and lines, inflight.c its deliveries. */
#ifndef LW_IOAPIC_PRIV_H
#define LW_IOAPIC_PRIV_H

#include <lapwing/ioapic.h>

#include "bits.h"
#include "doubles.h"

#define NONE        0xffu /* no pin, in a list */
#define MAX_VCPUS   65536u
#define STORM_LIMIT 10000u
#define PIN_WORDS   4u /* 240 pins in words of 64 */

#define RTE_EXT_DEST (0x7full << LW_RTE_EXT_SHIFT)

enum pin_flags {
	RECORD = 1u << 0,  /* a delivery is in flight: remote IRR */
	LET_GO = 1u << 1,  /* … whose EOI the policy does not wait for */
	SEVERAL = 1u << 2, /* … to the vCPUs in the pin's map */
	ANYBODY = 1u << 3, /* … to nobody knows whom */
	RESIDUE = 1u << 4, /* resolved; the map has takers whose EOIs will be redundant */
	REFUSED = 1u << 5, /* nobody took the last attempt */
	NOTIFY = 1u << 6,  /* tell ops->resample */
	DELAYED = 1u << 7, /* storm: wait for lw_ioapic_resume() */
	KEPT = 1u << 8,    /* the record must not be let go: its EOI has been, and did not count */
	DOUBTED = 1u << 9, /* the record was let go once: its EOI may have been before another of
			     the pair */
	SAMPLING =
		1u << 10,   /* resolved, and ops->resample has yet to run: deliver nothing before */
	UNUSUAL = 1u << 11, /* its RTE is an edge, masked, or active low in volts; so a pin with no
			       flag is a level one that its line's rise delivers at once */
};
#define OF_RECORD (RECORD | LET_GO | SEVERAL | ANYBODY | RESIDUE | KEPT | DOUBTED)

struct lw_pin {
	uint64_t rte;      /* without the two read-only bits */
	struct lw_msg msg; /* what it would send; `level` only where that ends by an EOI */
	uint32_t sources;  /* who holds the line */
	uint32_t vcpu;     /* the record's taker */
	uint16_t storm;    /* EOIs in a row that found the line asserted */
	uint16_t flags;
	uint8_t vector; /* the record's, as delivered */
};

/* Two indices of pins by vector: those whose level route has it, those whose record or residue has.
 * Derived from the rest and in the order of what happened, so they lie in a block of their own. */
enum lw_index { BY_ROUTE, BY_RECORD, INDICES };

struct lw_link {
	uint8_t next, prev;
};

struct lw_ioapic {
	const struct lw_ioapic_ops *ops;
	void *ctx;
	uint32_t gsi_base, pins, nvcpus, flags;
	uint32_t links[INDICES];  /* where the indices lie, */
	uint32_t maps, map_words; /* and the pins' maps, and how long each is */
	uint32_t select;          /* IOREGSEL */
	uint8_t id, id_at_reset, version;
	bool draining;                /* somebody runs notifications */
	bool owed;                    /* there are some */
	uint32_t refused;             /* pins with REFUSED */
	uint64_t resample[PIN_WORDS]; /* notifications owed */
	uint64_t storm[PIN_WORDS];
	struct lw_ioapic_counters counters;
	uint8_t head[INDICES][256];
	struct lw_pin pin[]; /* then their links in the indices, then their maps */
};

static inline size_t lw_map_words(uint32_t nvcpus)
{
	return (nvcpus + 63u) / 64u;
}

static inline size_t maps_offset(uint32_t pins)
{
	size_t links = (size_t)INDICES * sizeof(struct lw_link);

	return lw_round_up(sizeof(struct lw_ioapic) + pins * (sizeof(struct lw_pin) + links),
			   LW_IOAPIC_ALIGN);
}

#ifdef LW_PARTS_APART
/* For the proofs, which have each part as an object of its own, for their tool can't well tell
 * apart what lies at addresses that are computed. */
struct lw_pin *lw_pin_at(const struct lw_ioapic *io, uint32_t n);
uint64_t *lw_pin_map(struct lw_ioapic *io, const struct lw_pin *p);
const uint64_t *lw_pin_const_map(const struct lw_ioapic *io, const struct lw_pin *p);
uint32_t lw_pin_number(const struct lw_ioapic *io, const struct lw_pin *p);
struct lw_link *lw_pin_links(const struct lw_ioapic *io, enum lw_index index);
#else
static inline struct lw_pin *lw_pin_at(const struct lw_ioapic *io, uint32_t n)
{
	return (struct lw_pin *)(uintptr_t)&io->pin[n];
}

static inline uint64_t *lw_pin_map(struct lw_ioapic *io, const struct lw_pin *p)
{
	uint64_t *maps = (uint64_t *)(void *)((unsigned char *)io + io->maps);

	return maps + (size_t)(p - io->pin) * io->map_words;
}

static inline const uint64_t *lw_pin_const_map(const struct lw_ioapic *io, const struct lw_pin *p)
{
	const void *maps = (const unsigned char *)io + io->maps;

	return (const uint64_t *)maps + (size_t)(p - io->pin) * io->map_words;
}

static inline uint32_t lw_pin_number(const struct lw_ioapic *io, const struct lw_pin *p)
{
	return (uint32_t)(p - io->pin);
}

static inline struct lw_link *lw_pin_links(const struct lw_ioapic *io, enum lw_index index)
{
	return (struct lw_link *)((uintptr_t)io + io->links[index]);
}
#endif

/* Over the pins of an index that have `vector`; `n` may be taken out meanwhile. */
static inline uint8_t lw_pin_next(const struct lw_ioapic *io, enum lw_index index, uint8_t n)
{
	return lw_pin_links(io, index)[n].next;
}

/* The most frequent EOI, if it is one: of the only record of its vector, of which there is nothing
 * to say but that it is this vCPU's, and whose line is down. It queues nothing. */
static inline bool lw_pin_eoi_short(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	uint8_t n = io->head[BY_RECORD][vector];
	struct lw_pin *p;

	if (n == NONE || lw_pin_next(io, BY_RECORD, n) != NONE || io->flags & LW_IOAPIC_STRICT ||
	    LW_LEFT_OUT(LW_RULE_MATCH_DELIVERED))
		return false;
	p = lw_pin_at(io, n);
	if (p->flags != RECORD || p->vcpu != vcpu || p->sources)
		return false;
	io->head[BY_RECORD][vector] = NONE;
	p->flags = p->storm = p->vector = 0;
	p->vcpu = 0;
	io->counters.resolved++;
	if (io->ops->record)
		io->ops->record(io->ctx, vcpu, vector, false);
	return true;
}

#pragma GCC visibility push(hidden)

/* The bits that a guest may set in an RTE of this value's format, and in IOREGSEL. */
uint64_t lw_rte_writable(const struct lw_ioapic *io, uint64_t rte);
uint32_t lw_ioapic_selectable(const struct lw_ioapic *io);

/* An RTE, what it would send, and what follows from them. */
void lw_pin_set_rte(const struct lw_ioapic *io, struct lw_pin *p, uint64_t rte, struct lw_msg msg);

/* What the RTE would send, in the compatible format. */
struct lw_msg lw_pin_message(const struct lw_ioapic *io, uint64_t rte);

static inline bool lw_rte_is_remappable(const struct lw_ioapic *io, uint64_t rte)
{
	return io->flags & LW_IOAPIC_REMAPPABLE && rte & LW_RTE_REMAPPABLE;
}

/* Only these two end by an EOI; the others are edges whatever the RTE says (82093AA, 3.2.4). */
static inline bool lw_msg_ends(const struct lw_msg *msg)
{
	return msg->delivery == LW_DM_FIXED || msg->delivery == LW_DM_LOWEST;
}

static inline bool lw_pin_asserted(const struct lw_ioapic *io, const struct lw_pin *p)
{
	bool high = p->sources != 0;

	return io->flags & LW_IOAPIC_ELECTRICAL && p->rte & LW_RTE_LOW ? !high : high;
}

/* Enter a pin under its vector, and take it out, in the same time however many share it. */
void lw_pin_link(struct lw_ioapic *io, enum lw_index index, uint8_t vector, const struct lw_pin *p);
void lw_pin_unlink(struct lw_ioapic *io, enum lw_index index, uint8_t vector,
		   const struct lw_pin *p);

/* Send one message, and open a record if it is a level one. */
void lw_pin_send(struct lw_ioapic *io, struct lw_pin *p);

/* The same for a pin that has no flag. */
void lw_pin_send_level(struct lw_ioapic *io, struct lw_pin *p);

/* A level pin delivers whenever nothing stands against it. */
void lw_pin_service(struct lw_ioapic *io, struct lw_pin *p);

/* It is in flight already, to these: at least one, or who knows whom. */
void lw_pin_adopt(struct lw_ioapic *io, struct lw_pin *p, const struct lw_takers *takers);

/* All pins are others now: make anew what follows from them. */
void lw_ioapic_derive(struct lw_ioapic *io);

/* ops->route for every level route: as if all were set at once, or taken away. */
void lw_ioapic_tell_routes(struct lw_ioapic *io, bool there);

/* Note whether anybody took the pin's last attempt. */
void lw_pin_refuse(struct lw_ioapic *io, struct lw_pin *p, bool refused);

/* ops->resample has run: what is still asserted is delivered anew. */
void lw_pin_sampled(struct lw_ioapic *io, struct lw_pin *p);

/* A record that was let go matters again: find out whether its EOI has been. */
void lw_pin_recall(struct lw_ioapic *io, struct lw_pin *p);

/* Forget the pin's record or residue, telling nobody. */
void lw_pin_drop(struct lw_ioapic *io, struct lw_pin *p);

/* The record ends without its takers' EOI. */
void lw_pin_close(struct lw_ioapic *io, struct lw_pin *p);

/* The EOI register names no vCPU: whoever was given the vector, or would be now. */
void lw_pin_eoi_register(struct lw_ioapic *io, uint8_t vector);

#pragma GCC visibility pop

#endif

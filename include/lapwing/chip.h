/* SPDX-License-Identifier: MIT */
/*
 * The whole controller: a LAPIC for each vCPU, I/O APICs, perhaps a pair of 8259s, GSI routes, and
 * an EOI policy, wired.
 *
 * To set one up: lw_eoi_init() with env = lw_chip_env() and ctx = the chip's storage, then
 * lw_chip_init() with hooks = lw_eoi_hooks() and eoi = the engine. Each part can also be used
 * alone; this file is how they fit together.
 *
 * Threads: a vCPU's thread calls lw_chip_enter() before it enters guest mode, lw_chip_exit() after
 * it has left, and its LAPIC's functions. Lines, MSIs and accesses to the I/O APICs and the 8259s
 * come from any thread. The latter all share the one lock that ops->lock and ops->unlock name.
 */
#ifndef LAPWING_CHIP_H
#define LAPWING_CHIP_H

#include <lapwing/ioapic.h>
#include <lapwing/lapic.h>
#include <lapwing/pic.h>
#include <lapwing/route.h>
#include <lapwing/seam.h>
#include <lapwing/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LW_CHIP_ALIGN       64u
#define LW_CHIP_MAX_IOAPICS 64u
#define LW_CHIP_MAX_IDS     (1u << 20)

struct lw_chip; /* opaque; lw_chip_size() bytes */

/* What happened, for tracing and counting. */
enum lw_trace_kind {
	LW_TRACE_POSTED,   /* a message was taken, perhaps handed to its owner first: vcpu, vector,
			      level, gsi or -1 */
	LW_TRACE_EOI,      /* vcpu, vector, left; found if it left */
	LW_TRACE_RESOLVED, /* a look found that a let-go EOI has been: vcpu, vector */
	LW_TRACE_PUBLISHED /* the vector is pending in the LAPIC: vcpu, vector, level */
};

struct lw_trace {
	enum lw_trace_kind kind;
	uint32_t vcpu;
	int32_t gsi; /* the I/O APIC pin that sent it, or -1 */
	uint8_t vector;
	bool level;
	bool left;      /* the EOI left the guest */
	bool broadcast; /* … and the guest has not suppressed that */
	enum lw_eoi_class found;
};

struct lw_chip_ops {
	/* Both or neither. Not recursive; held for short, bounded work. */
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	/* The vCPU must pass lw_chip_enter() or lw_chip_exit() soon: make it leave guest mode if it
	 * is there, wake it if it is halted. Any thread, perhaps under the lock. Required. */
	void (*kick)(void *ctx, uint32_t vcpu);
	/* An interrupt was posted to a vCPU that had none, or an illegal vector, which may raise
	 * LVT error; or the 8259s' INT rose and the vCPU listens to it: inject it, wake it, or send
	 * a posted interrupt notification. As `kick`, and perhaps for the calling vCPU itself.
	 * Null: `kick` does it. */
	void (*notify)(void *ctx, uint32_t vcpu);
	/* Is the calling thread this vCPU's, or is that one stopped? Null: never, and what only
	 * the owner can answer is asked by a kick. */
	bool (*owned)(void *ctx, uint32_t vcpu);
	/* NMI, SMI, INIT, SIPI or ExtINT for a vCPU (enum lw_delivery_mode). Perhaps under the
	 * lock. Null: ignored. ExtINT is told at a rise of LINT0, too, which for the chip's own
	 * 8259s asks for nothing more: lw_chip_accept() fetches the vector. */
	void (*signal)(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector);
	/* As in struct lw_lapic_ops: when to call lw_lapic_time() next. */
	void (*deadline)(void *ctx, uint32_t vcpu, uint64_t deadline_ns);
	/* As in struct lw_lapic_ops; the vCPU's thread. */
	void (*threshold)(void *ctx, uint32_t vcpu, uint8_t class_);
	/* As in struct lw_ioapic_ops; without the lock. */
	void (*resample)(void *ctx, uint32_t gsi);
	void (*storm)(void *ctx, uint32_t gsi);
	/* What an interrupt in the remappable format means, an MSI's or, with
	 * LW_IOAPIC_REMAPPABLE, an I/O APIC's: as in struct lw_ioapic_ops. For an MSI it is asked
	 * by whoever sends it, without the lock, and fills msg->level, too. Must not call the
	 * chip; a lock of its own comes after the chip's. Null: all are blocked. */
	int (*remap)(void *ctx, const struct lw_remap *entry, struct lw_msg *msg);
	/* Null, or as `eoi` in struct lw_pic_ops: the interrupt of a pin of the 8259s is over.
	 * Without the lock. */
	void (*pic_eoi)(void *ctx, uint32_t pin);
	/* Null, or told of each event; perhaps under the lock; must not call back. */
	void (*trace)(void *ctx, const struct lw_trace *event);
};

struct lw_chip_ioapic {
	uint32_t gsi_base, pins, flags; /* as in struct lw_ioapic_config */
	uint8_t id, version;
};

struct lw_chip_config {
	const struct lw_chip_ops *ops; /* must outlive the chip */
	void *ctx;                     /* handed to every op */
	const struct lw_eoi_hooks *hooks;
	void *eoi;           /* handed to every hook */
	uint32_t nvcpus;     /* 1 … 65,536; at most 255 without x2apic */
	const uint32_t *ids; /* the APIC id of each vCPU, all different, below LW_CHIP_MAX_IDS, and
				below 255 without x2apic; null: its number. Read at set-up only;
				four bytes for each id up to the highest are the chip's */
	bool x2apic;         /* LAPICs start in x2APIC mode, and 0xFF is no broadcast */
	uint32_t nioapics;   /* 1 … 64 */
	const struct lw_chip_ioapic *ioapic;
	uint32_t gsis; /* GSIs that can be routed, 1 … 4,096; two routes for each on average */
	struct lw_lapic_clock clock; /* of every LAPIC's timer */
	bool xapic_only;             /* as in struct lw_lapic_config */
	uint8_t phys_bits;
	bool pic;           /* there is a pair of 8259s */
	uint32_t pic_flags; /* LW_PIC_STRICT or 0, as in struct lw_pic_config */
};

/* Bytes for such a controller, or 0 if the configuration is out of range. Two vCPUs of the same id
 * are found by lw_chip_init() only. */
size_t lw_chip_size(const struct lw_chip_config *config);

/*
 * Set up a controller: every GSI leads to the I/O APIC pin that has it, and
 * with 8259s GSIs 0, 1 and 3 to 15 to their pins also, as KVM routes them by default.
 * Returns 0; -EINVAL (misaligned, out of range, an op or hook missing, an id twice, what
 * lw_lapic_init() and lw_pic_init() refuse, a pin whose GSI is past `gsis`); or -EEXIST (more than
 * four pins of the same GSI).
 */
int lw_chip_init(struct lw_chip *storage, const struct lw_chip_config *config);

/* The parts; null if there is no such one. They are the chip's. */
struct lw_lapic *lw_chip_lapic(struct lw_chip *chip, uint32_t vcpu);
struct lw_ioapic *lw_chip_ioapic(struct lw_chip *chip, uint32_t n);
struct lw_routes *lw_chip_routes(struct lw_chip *chip);
struct lw_pic *lw_chip_pic(struct lw_chip *chip);

/* What a policy may ask of a chip; its ctx is the chip. One constant table. */
const struct lw_eoi_env *lw_chip_env(void);

/*
 * Deliver a message, from any thread, without a lock. Returns how many vCPUs took it (for
 * LW_DM_LOWEST at most one), 0 if nobody did. A level message sent so has no I/O APIC behind it:
 * its EOI resolves nothing.
 */
int lw_chip_send(struct lw_chip *chip, const struct lw_msg *msg);

/* Deliver an MSI: lw_msi_decode(), with LW_MSI_EXT_DEST if the LAPICs start in x2APIC mode, or
 * lw_msi_remap() and ops->remap; and lw_chip_send(). Returns as these do; -EINVAL for the
 * remappable format without that op. Which device sends it the chip does not know: an op that wants
 * to must be told by the caller. */
int lw_chip_msi(struct lw_chip *chip, uint64_t address, uint32_t data);

/* The IOMMU's table changed: lw_ioapic_remapped() for each I/O APIC, in one hold of the lock. MSIs
 * are asked about one by one. */
void lw_chip_remapped(struct lw_chip *chip);

/* Drive a source of a GSI's line: I/O APIC and 8259 pins by level, MSI routes at each rise that the
 * caller makes (the chip keeps no level for them). Returns 0; -EINVAL (no route, one to a pin that
 * there is not, source above 31), or what lw_chip_msi() says of an MSI: the other routes are served
 * all the same. */
int lw_chip_line(struct lw_chip *chip, uint32_t gsi, uint32_t source, bool level);

/* vCPU thread: about to enter guest mode; has left it. In between, `kick` must make it leave. */
void lw_chip_enter(struct lw_chip *chip, uint32_t vcpu);
void lw_chip_exit(struct lw_chip *chip, uint32_t vcpu);

/*
 * What the vCPU is to be given next, and: take it. First what the 8259s ask for, if LINT0 lets that
 * through (ExtINT, or the LAPIC off): their vector, which may be any and enters no ISR of the
 * LAPIC. Else lw_lapic_pending() or lw_lapic_accept(). Returns the vector, or -1 if there is none.
 *
 * INT is wired to LINT0 of every vCPU, and where several let it through the first to come gets the
 * interrupt. After a reset every LINT0 is masked: firmware sets it up, or a VMM without one, on
 * vCPU 0 (SDM vol. 3, 11.4.7.1).
 *
 * Does not inject, does not look at IF or the interrupt shadow, and does not say what is pending
 * besides: ask again after an acceptance. A vector that has been accepted can't be given back. An
 * ExtINT that came as a message is not here, but told to ops->signal. Owner.
 */
int lw_chip_pending(struct lw_chip *chip, uint32_t vcpu);
int lw_chip_accept(struct lw_chip *chip, uint32_t vcpu);

/* Would an EOI of `vector` on this vCPU leave the guest now? In guest mode, by what its hardware
 * has; else, where the VMM carries out the EOI, by the set itself. Owner. */
bool lw_chip_eoi_leaves(const struct lw_chip *chip, uint32_t vcpu, uint8_t vector);

/*
 * An EOI left the guest: resolve, redeliver, and let the policy think. lw_lapic_eoi() does this by
 * itself; call it only where hardware took the EOI and exited for it. Owner.
 */
enum lw_eoi_class lw_chip_eoi_exit(struct lw_chip *chip, uint32_t vcpu, uint8_t vector);

/*
 * INIT: reset the vCPU's LAPIC and resolve what is in flight to it. Owner, out of guest mode.
 *
 * Not a machine's reset, for INIT keeps IA32_APIC_BASE. That is, with all vCPUs stopped: each LAPIC
 * off and on by lw_lapic_set_base(), and on to x2APIC mode if it was set up so; lw_ioapic_reset()
 * for each I/O APIC, and lw_pic_reset(). Lines and the timers' clock stay as they are.
 */
void lw_chip_init_vcpu(struct lw_chip *chip, uint32_t vcpu);

/* With all vCPUs stopped (ops->owned true for each): settle what `lazy` has let go, so that remote
 * IRR is what silicon would show. A snapshot does this first. */
void lw_chip_settle(struct lw_chip *chip);

struct lw_chip_counters {
	uint64_t deliveries; /* vectors that lines, MSIs and IPIs brought: one for each taker */
	uint64_t own;        /* vectors that LAPICs raised themselves: LVT entries, self-IPIs */
	uint64_t accepted;   /* vectors moved to ISR */
	uint64_t coalesced;  /* vectors that were posted or pending when they came */
	uint64_t dropped;    /* vectors that an INIT or going off found posted or pending */
	uint64_t ipis;       /* IPIs sent, those to itself included */
	uint64_t signals;    /* NMI, SMI, INIT, SIPI and ExtINT, one for each vCPU */
	uint64_t eois;       /* EOIs that ended a vector */
	uint64_t necessary;  /* EOIs that left, by what they were found to be */
	uint64_t redundant;
	uint64_t superfluous;
	uint64_t notices; /* calls of ops->notify, or of ops->kick in its place */
	uint64_t kicks;   /* calls of ops->kick that the EOI policy asked for */
};

/* What the whole controller has counted since it was set up; a part's own counters say more.
 * `coalesced` follows from the others: it is wrong after a restore, and where lw_lapic_post() is
 * called past the chip. With all vCPUs stopped. Takes the lock. */
struct lw_chip_counters lw_chip_counters(struct lw_chip *chip);

/*
 * All of it as text for people: the counters, each LAPIC with its vectors' level routes and what is
 * in flight, each I/O APIC, the 8259s, the routes; the form may change. Returns the length; what
 * does not fit in `size` bytes, the terminating zero included, is cut off. With a size of 0 `buf`
 * may be null. Changes nothing. With all vCPUs stopped. Takes the lock.
 */
size_t lw_chip_dump(struct lw_chip *chip, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif

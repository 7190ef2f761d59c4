/* SPDX-License-Identifier: MIT */
/*
 * The I/O APIC (82093AA, and version 0x20 with an EOI register).
 *
 * A level delivery is remembered as it was made, as a *record*: pin, taker, vector. An EOI is
 * matched against records and not against what the RTE says by then, so that a vector rewritten in
 * service does not strand remote IRR, and an unrelated EOI on another vCPU acknowledges nothing.
 * Remote IRR is the record's existence.
 *
 * Threads: every call enters the chip under the lock that ops->lock and ops->unlock name, holds it
 * to its end, and calls ops->resample and ops->storm after it has let go, so these may call back
 * in. The other ops run under the lock and must not call the chip. With null lock ops the caller
 * serializes. I/O APICs that share vCPUs share the lock.
 */
#ifndef LAPWING_IOAPIC_H
#define LAPWING_IOAPIC_H

#include <lapwing/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LW_IOAPIC_ALIGN       64u
#define LW_IOAPIC_MIN_PINS    24u
#define LW_IOAPIC_MAX_PINS    240u
#define LW_IOAPIC_MAX_SOURCES 32u

/* Redirection table entry (82093AA, 3.2.4). */
#define LW_RTE_VECTOR     0xffull
#define LW_RTE_DM_SHIFT   8
#define LW_RTE_DM         (7ull << LW_RTE_DM_SHIFT)
#define LW_RTE_LOGICAL    (1ull << 11)
#define LW_RTE_PENDING    (1ull << 12) /* delivery status, read-only */
#define LW_RTE_LOW        (1ull << 13) /* polarity: active low */
#define LW_RTE_REMOTE_IRR (1ull << 14) /* read-only */
#define LW_RTE_LEVEL      (1ull << 15)
#define LW_RTE_MASK       (1ull << 16)
#define LW_RTE_EXT_SHIFT  49 /* destination bits 14…8, with LW_IOAPIC_EXT_DEST */
/* With LW_IOAPIC_REMAPPABLE (VT-d 5.1.5.1). */
#define LW_RTE_REMAPPABLE   (1ull << 48)
#define LW_RTE_HANDLE_15    (1ull << 11)
#define LW_RTE_HANDLE_SHIFT 49 /* the others, 14…0 */
#define LW_RTE_DEST_SHIFT   56

struct lw_ioapic; /* opaque; lw_ioapic_size() bytes */

/* Who took a delivery. */
struct lw_takers {
	uint32_t count; /* vCPUs; 0 says that nobody took it */
	uint32_t vcpu;  /* the taker, where there is one */
	bool any;       /* it was taken, but by whom can't be known: any vCPU's EOI resolves it */
	uint64_t *map;  /* nvcpus bits, all clear; set each taker's where there are several */
};

/* Where a vector whose EOI was let go is now. */
enum lw_recall {
	LW_RECALL_GONE,  /* neither posted, pending nor in service: the EOI has been */
	LW_RECALL_THERE, /* still on its way; its EOI will leave the guest */
	LW_RECALL_ASKED  /* the owner will find out: lw_ioapic_eoi() or lw_ioapic_hold() follows */
};

struct lw_ioapic_ops {
	/* Both or neither. Not recursive. */
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	/* Under the lock. Deliver `msg` and say who took it: required. The record is made when it
	 * returns, so an EOI that it provokes must come in by a later call. */
	void (*deliver)(void *ctx, uint32_t gsi, const struct lw_msg *msg,
			struct lw_takers *takers);
	/* Under the lock. The guest wrote half of an RTE; called at every such write, changed or
	 * not. Null members of `before` or `after` (level false) are no level routes. */
	void (*route)(void *ctx, const struct lw_msg *before, const struct lw_msg *after);
	/* Under the lock. Null, or told that the line fell while the pin's delivery to (vcpu,
	 * vector) is in flight: nothing will have to be redelivered at its EOI. Whoever need not
	 * see that EOI may let go of it by lw_ioapic_release_locked(), in every I/O APIC and only
	 * if lw_ioapic_releasable_locked() says so in all of them. */
	void (*fell)(void *ctx, uint32_t vcpu, uint8_t vector);
	/* Under the lock. A record that was let go matters again. Without it, none is let go. */
	enum lw_recall (*recall)(void *ctx, uint32_t vcpu, uint8_t vector);
	/* Under the lock. Null, or: ops->recall said LW_RECALL_GONE; resolve the pair in every I/O
	 * APIC, by lw_ioapic_gone_locked(). Null: it is resolved in this one. */
	void (*gone)(void *ctx, uint32_t vcpu, uint8_t vector);
	/* Under the lock. A record of (vcpu, vector) ended otherwise than by that vCPU's EOI. */
	void (*closed)(void *ctx, uint32_t vcpu, uint8_t vector);
	/* Under the lock. Null, or told of each taker of a record when it is opened and when it
	 * ends. */
	void (*record)(void *ctx, uint32_t vcpu, uint8_t vector, bool open);
	/* Under the lock. Would `msg` go to this vCPU? Needed by lw_ioapic_routed_locked() and
	 * lw_ioapic_scan_locked() only. */
	bool (*matches)(void *ctx, uint32_t vcpu, const struct lw_msg *msg);
	/* Under the lock. Null, or asked of a delivery whose taker could not be told (struct
	 * lw_takers, any): may it have been this vCPU? Null: any may. */
	bool (*took)(void *ctx, uint32_t gsi, uint32_t vcpu);
	/* Under the lock. What an RTE in the remappable format means: fill `msg` and return 0, or a
	 * negative value if it is blocked. Asked when such an RTE is written, masked or not, and by
	 * lw_ioapic_remapped(), and not at each interrupt: so it is no fault of the guest's to
	 * report. msg->level need not be filled: it is the RTE's. Null: all are blocked. */
	int (*remap)(void *ctx, const struct lw_remap *entry, struct lw_msg *msg);
	/* After unlock. A level delivery of a pin with lw_ioapic_notify() on has been resolved:
	 * the device may be sampled again. Until it returns the pin delivers nothing, so that a
	 * line which it lowers is not delivered twice. */
	void (*resample)(void *ctx, uint32_t gsi);
	/* After unlock. 10,000 EOIs in a row found the line still high. Redelivery waits until the
	 * VMM calls lw_ioapic_resume(), some 10 ms later; null: it does not wait. */
	void (*storm)(void *ctx, uint32_t gsi);
};

/* 15-bit destinations; an EOI matches the RTE's present vector, from any vCPU; line levels are
 * volts, and RTE polarity says which of them means asserted; RTE bit 48 says that an IOMMU is to be
 * asked.
 */
#define LW_IOAPIC_EXT_DEST   1u
#define LW_IOAPIC_STRICT     2u
#define LW_IOAPIC_ELECTRICAL 4u
#define LW_IOAPIC_REMAPPABLE 8u

struct lw_ioapic_config {
	const struct lw_ioapic_ops *ops; /* must outlive the chip */
	void *ctx;                       /* handed to every op */
	uint32_t gsi_base;               /* GSI of pin 0 */
	uint32_t pins;                   /* 24 … 240 */
	uint32_t nvcpus;                 /* 1 … 65,536 */
	uint32_t flags;                  /* LW_IOAPIC_… */
	uint8_t id;                      /* 0 … 15 */
	uint8_t version;                 /* 0x11, or 0x20 which has the EOI register */
};

/* Bytes for such a chip, or 0 if the configuration is out of range. 24 pins take at most 2 KiB
 * and, apart from that, 24 maps of nvcpus bits for deliveries to several vCPUs. */
size_t lw_ioapic_size(const struct lw_ioapic_config *config);

/*
 * Set up a chip as at reset: every pin masked, all lines low.
 * Returns 0, or -EINVAL (storage misaligned, configuration out of range, no deliver op, lock
 * without unlock).
 */
int lw_ioapic_init(struct lw_ioapic *storage, const struct lw_ioapic_config *config);

/* Back to the reset state, lines kept. Records are dropped: their EOIs will find nothing. */
void lw_ioapic_reset(struct lw_ioapic *io);

/*
 * A guest's access of 1 to 8 bytes at `offset` in the chip's window: IOREGSEL at 0, IOWIN at 0x10,
 * and at 0x40 the EOI register of version 0x20. The registers are 32 bits wide: what is read past
 * them is zero, and a write of fewer than 4 bytes reaches only IOREGSEL. All else reads as zero
 * and ignores writes. IOREGSEL keeps 8 bits, which reach 120 pins (82093AA, 3.1.1); of a chip with
 * more it keeps 9, written as 2 bytes or more.
 */
void lw_ioapic_mmio_read(struct lw_ioapic *io, uint64_t offset, void *data, size_t len);
void lw_ioapic_mmio_write(struct lw_ioapic *io, uint64_t offset, const void *data, size_t len);

/* One register by its index, as IOREGSEL and IOWIN give it: 0 ID, 1 version, 2 arbitration,
 * 0x10 + 2·pin the low and 0x11 + 2·pin the high half of an RTE. */
uint32_t lw_ioapic_read(struct lw_ioapic *io, uint32_t index);
void lw_ioapic_write(struct lw_ioapic *io, uint32_t index, uint32_t value);

/* The whole RTE, remote IRR and delivery status included, or -EINVAL if there is no such pin.
 * Reading settles what it can of a record that was let go, as a guest's read does: where its taker
 * has to be asked first, remote IRR reads 1 until he has answered. */
int lw_ioapic_rte(struct lw_ioapic *io, uint32_t pin, uint64_t *rte);

/*
 * A device drives one of a line's sources. The line is the OR of its sources. A level pin delivers
 * while its line is asserted and no record is open; an edge pin at each rise that finds it
 * unmasked: a rise on a masked edge pin is forgotten (82093AA, 3.2.4), and so is one that nobody
 * takes. Fixed and lowest priority can be level; the other delivery modes are edges whatever the
 * trigger mode says, and the reserved ones, start-up's encoding among them, send nothing.
 * Returns 0, or -EINVAL (no such pin, source above 31).
 */
int lw_ioapic_line(struct lw_ioapic *io, uint32_t pin, uint32_t source, bool level);

/* Whether this pin's resolution is told to ops->resample: every one from now on, and where the EOI
 * policy does not know yet, one that has been. 0 or -EINVAL. */
int lw_ioapic_notify(struct lw_ioapic *io, uint32_t pin, bool on);

/*
 * The IOMMU's table changed: ask ops->remap anew for every pin whose RTE is in the remappable
 * format. A delivery in flight stays what it was, and its EOI is matched by vCPU and vector as they
 * were delivered. What is blocked reaches nobody (the RTE then shows delivery status 1 where a
 * level pin waits) and is tried again. Costs the pins, and for each what a guest's write of its RTE
 * costs.
 */
void lw_ioapic_remapped(struct lw_ioapic *io);

/* The delay after ops->storm is over. 0 or -EINVAL; nothing if no delay was on. */
int lw_ioapic_resume(struct lw_ioapic *io, uint32_t pin);

/* How an EOI that left the guest was found. */
enum lw_eoi_class {
	LW_EOI_NECESSARY,  /* it resolved at least one record */
	LW_EOI_REDUNDANT,  /* another taker of the same delivery had resolved it */
	LW_EOI_SUPERFLUOUS /* nothing of this vector was in flight on that vCPU */
};

/*
 * The EOI of `vector` on `vcpu` has been: resolve every record of that pair, then redeliver the
 * pins whose lines are still asserted. A redelivery is never resolved by the same EOI.
 */
enum lw_eoi_class lw_ioapic_eoi(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector);

/* Answer to LW_RECALL_ASKED: (vcpu, vector) is still there and its EOI will leave the guest. */
void lw_ioapic_hold(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector);

/* INIT or removal of a vCPU: its EOIs will not come. Resolves its records (a deliberate deviation:
 * silicon would leave remote IRR set) and redelivers what is asserted. */
void lw_ioapic_forget(struct lw_ioapic *io, uint32_t vcpu);

/* Some LAPIC accepts now what it did not before: try again what nobody took. */
void lw_ioapic_retry(struct lw_ioapic *io);

/*
 * For whoever serves an EOI policy (struct lw_eoi_env), or has something of his own to do in the
 * same hold of the lock: to be called with the lock held, and followed, once it is let go, by
 * lw_ioapic_drain().
 */

/* lw_ioapic_line(), lw_ioapic_remapped(), lw_ioapic_eoi(), lw_ioapic_hold(), lw_ioapic_forget() and
 * lw_ioapic_retry() by another name. */
int lw_ioapic_line_locked(struct lw_ioapic *io, uint32_t pin, uint32_t source, bool level);
void lw_ioapic_remapped_locked(struct lw_ioapic *io);
enum lw_eoi_class lw_ioapic_eoi_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector);
void lw_ioapic_hold_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector);
void lw_ioapic_forget_locked(struct lw_ioapic *io, uint32_t vcpu);
void lw_ioapic_retry_locked(struct lw_ioapic *io);

/* Is a record of (vcpu, vector) open? Costs the pins that share the vector. */
bool lw_ioapic_in_flight_locked(const struct lw_ioapic *io, uint32_t vcpu, uint8_t vector);

/* Does a level RTE, masked or not, lead `vector` to `vcpu`? Costs the pins that share it. */
bool lw_ioapic_routed_locked(const struct lw_ioapic *io, uint32_t vcpu, uint8_t vector);

/* The delivery that is in flight from a pin. */
struct lw_ioapic_record {
	uint32_t vcpu;  /* its taker */
	uint8_t vector; /* as delivered */
	bool any;       /* it has several takers, or they can't be told; vcpu means nothing */
};

/* Is one? False also if there is no such pin; `record` is then untouched. */
bool lw_ioapic_record_locked(const struct lw_ioapic *io, uint32_t pin,
			     struct lw_ioapic_record *record);

/* What the guest wrote in a pin's RTE, without the read-only bits; 0 if there is no such pin. */
uint64_t lw_ioapic_rte_locked(const struct lw_ioapic *io, uint32_t pin);

/* May every record of (vcpu, vector) be let go: lines low, one known taker, nobody notified? True
 * also where there is none. And: let go of them. */
bool lw_ioapic_releasable_locked(const struct lw_ioapic *io, uint32_t vcpu, uint8_t vector);
void lw_ioapic_release_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector);

/* The EOI of (vcpu, vector) has been, under suppressed broadcasts, and resolved nothing: never let
 * go of these records. */
void lw_ioapic_keep_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector);

/* The EOI of (vcpu, vector) is known to have been, unseen, or never to come: resolve every record
 * of the pair, LW_IOAPIC_STRICT or not. */
void lw_ioapic_gone_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector);

/* Resolve those records of (vcpu, vector) that were ever let go, without knowing whether their EOI
 * has been. At worst a line that rises again before it is delivered early. */
void lw_ioapic_finish_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector);

/* Settle, with vCPUs stopped, every record that was let go: ops->recall must not answer
 * LW_RECALL_ASKED then. What a snapshot does first. */
void lw_ioapic_settle_locked(struct lw_ioapic *io);

/* Every pin's route in order: what it would send, whether masked or not. */
void lw_ioapic_scan_locked(const struct lw_ioapic *io,
			   void (*see)(void *arg, const struct lw_msg *msg), void *arg);

/* Has something been queued that lw_ioapic_drain() would run? */
bool lw_ioapic_owes_locked(const struct lw_ioapic *io);

/* Run the notifications that were queued under the lock. Without the lock. */
void lw_ioapic_drain(struct lw_ioapic *io);

struct lw_ioapic_counters {
	uint64_t deliveries; /* level messages that somebody took, redeliveries included */
	uint64_t edges;      /* edge messages that somebody took */
	uint64_t lost;       /* rises of an edge pin that found it masked */
	uint64_t refused;    /* messages that nobody took */
	uint64_t resolved;   /* records resolved by an EOI */
	uint64_t redundant;  /* EOIs of a second taker */
	uint64_t recalls;    /* records that had been let go and were asked after */
	uint64_t storms;     /* storm delays begun */
};

struct lw_ioapic_counters lw_ioapic_counters(struct lw_ioapic *io);

/*
 * All of it as text for people, a line for each pin that is not as at reset; the form may change.
 * Returns the length; what does not fit in `size` bytes, the terminating zero included, is cut off.
 * With a size of 0 `buf` may be null. Changes nothing: does not ask after a record that was let go,
 * and runs no notification. Takes the lock.
 */
size_t lw_ioapic_dump(struct lw_ioapic *io, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif

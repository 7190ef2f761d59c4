/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of one vCPU. "SDM 11.5.3" is that section of the Intel SDM, vol. 3, chapter
 * "APIC", which is chapter 10 of older editions.
 *
 * Threads: a LAPIC belongs to its vCPU's thread, the *owner*. Any thread may call, at any time,
 * lw_lapic_post(), lw_lapic_accepts(), lw_lapic_ppr(), lw_lapic_id(), lw_lapic_mode(),
 * lw_lapic_matches(), lw_lapic_address(), lw_lapic_suppresses() and lw_lapic_listens(). All else
 * only the owner may, or anyone while the owner is stopped. Nothing here blocks or takes a lock.
 */
#ifndef LAPWING_LAPIC_H
#define LAPWING_LAPIC_H

#include <lapwing/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LW_LAPIC_SIZE  2048u
#define LW_LAPIC_ALIGN 64u

struct lw_lapic; /* opaque; the caller gives LW_LAPIC_SIZE bytes */

/* Whom an IPI is for, where not for its destination (SDM 11.6.1). */
enum lw_shorthand {
	LW_SHORTHAND_NONE = 0, /* the destination */
	LW_SHORTHAND_SELF = 1,
	LW_SHORTHAND_ALL = 2,
	LW_SHORTHAND_OTHERS = 3
};

/* An interrupt on its way from one LAPIC to others; always edge-triggered. */
struct lw_ipi {
	struct lw_msg msg;
	uint8_t shorthand; /* enum lw_shorthand; but for NONE, msg.dest is 0 and means nothing */
};

/* What leaves the LAPIC. Every member may be null; all run in the caller of the call that caused
 * them, and none may call back into the same LAPIC. */
struct lw_lapic_ops {
	/* The guest ended `vector`, which was the highest in service. `broadcast` is false where
	 * the guest has suppressed EOI broadcasts (SVR bit 12). TMR is deliberately not given: it
	 * tells the last acceptance only and can't say whether this EOI matters. */
	void (*eoi)(void *ctx, uint32_t vcpu, uint8_t vector, bool broadcast);
	/* The id, LDR, DFR or enable changed: destinations may now lead elsewhere. */
	void (*changed)(void *ctx, uint32_t vcpu);
	/* SVR bit 12 changed to `suppressed`: the guest wrote it, or it was cleared by INIT or by
	 * going off. */
	void (*broadcast)(void *ctx, uint32_t vcpu, bool suppressed);
	/* The guest sends an IPI: fixed, lowest priority, SMI, NMI, INIT or start-up. Fixed ones to
	 * itself alone don't come here. May post to this LAPIC. Null: nobody gets it. */
	void (*ipi)(void *ctx, uint32_t vcpu, const struct lw_ipi *ipi);
	/* An LVT entry delivers SMI, NMI, INIT or ExtINT (enum lw_delivery_mode) to this vCPU. For
	 * ExtINT, lw_lapic_extint() says how long it holds. Null: ignored. */
	void (*signal)(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector);
	/* Call lw_lapic_time() at `deadline_ns`, and not at the one told before; 0: no more. Told
	 * at each change. Null: the owner asks lw_lapic_deadline(), or lets time pass unseen. */
	void (*deadline)(void *ctx, uint32_t vcpu, uint64_t deadline_ns);
	/* The highest pending vector waits for nothing but TPR, and becomes deliverable when TPR's
	 * class (CR8) falls below `class_`; 0: TPR holds none back. This is VMX's TPR threshold.
	 * Told at each change that the owner's calls find. Null: every change of TPR must leave. */
	void (*threshold)(void *ctx, uint32_t vcpu, uint8_t class_);
};

/* How fast the timer's clocks run. */
struct lw_lapic_clock {
	uint32_t bus_ns;    /* the bus makes bus_ticks ticks … */
	uint32_t bus_ticks; /* … in bus_ns ns; each at most LW_CLOCK_MAX; both 0: one a ns */
	uint32_t tsc_khz;   /* the guest's TSC; 0: 1,000,000, one a ns */
};

#define LW_CLOCK_MAX (1u << 24)

struct lw_lapic_config {
	const struct lw_lapic_ops *ops; /* null: none; must outlive the LAPIC */
	void *ctx;                      /* handed to every op */
	uint32_t vcpu;                  /* the same: which vCPU this is */
	uint32_t id;                    /* APIC id; at most 254 unless x2apic */
	bool x2apic;                    /* starts in x2APIC mode: 32-bit ids, derived LDR */
	bool xapic_only;                /* the guest is offered no x2APIC: EXTD is reserved */
	bool bsp;                       /* the boot processor, as IA32_APIC_BASE says */
	uint8_t phys_bits;              /* of the guest's physical addresses: 32 to 52; 0: 52 */
	struct lw_lapic_clock clock;
};

/*
 * Set up a LAPIC in its power-on state: software-disabled (SVR 0xFF), all else zero but DFR.
 *
 * `storage` is LW_LAPIC_SIZE bytes aligned to LW_LAPIC_ALIGN, of any content.
 * Returns 0, or -EINVAL (misaligned, an id above 254 without x2apic or the broadcast id with it, a
 * clock out of range, phys_bits neither 0 nor 32 to 52, x2apic with xapic_only).
 */
int lw_lapic_init(struct lw_lapic *storage, const struct lw_lapic_config *config);

/* In which state IA32_APIC_BASE has it (SDM 11.4.4, 11.12.1). */
enum lw_lapic_mode { LW_LAPIC_DISABLED = 0, LW_LAPIC_XAPIC = 1, LW_LAPIC_X2APIC = 2 };

/* Any thread. */
enum lw_lapic_mode lw_lapic_mode(const struct lw_lapic *lapic);

/* IA32_APIC_BASE. Owner. */
uint64_t lw_lapic_base(const struct lw_lapic *lapic);

/*
 * The guest writes IA32_APIC_BASE. Returns 0, or 1 if the guest is to be given #GP and nothing has
 * changed: a reserved bit (EXTD too where x2APIC is not offered), EXTD without EN, from off to
 * x2APIC mode, from x2APIC to xAPIC mode (SDM 11.12.5).
 *
 * Going to x2APIC mode keeps all registers but LDR, which then follows from the id; ICR's
 * destination is carried over. Going off drops everything, and the LAPIC comes back as after a
 * reset; off, it takes and sends nothing, and LINT0 and LINT1 are the plain INTR and NMI pins (SDM
 * 11.4.3). A changed mode is told by ops->changed. Where the page is, and that it moves, is the
 * VMM's to see from the value. Owner.
 */
int lw_lapic_set_base(struct lw_lapic *lapic, uint64_t value);

/* What lw_lapic_post() answers. */
enum lw_post {
	LW_POST_QUIET = 0,   /* taken; somebody has already been told to kick the owner */
	LW_POST_NOTIFY = 1,  /* taken; the caller owes the owner a kick */
	LW_POST_REFUSED = 2, /* not taken: the LAPIC is disabled, or the vector is below 16 */
	LW_POST_ILLEGAL = 3  /* the same for such a vector; the caller owes a kick, for LVT error */
};

/*
 * Post an interrupt: from any thread, wait-free (three atomic instructions, none in a loop).
 *
 * The vector becomes pending in a request map that the owner merges into IRR; a vector already
 * there coalesces. Does not kick: on LW_POST_NOTIFY, and on LW_POST_ILLEGAL, the caller must make
 * the owner leave guest mode or wake it, or send a posted-interrupt notification. Does not look at
 * priorities.
 *
 * `level` becomes the vector's TMR bit at the merge; if an edge and a level of one vector are
 * merged at once their order is unknown, and TMR is set.
 */
enum lw_post lw_lapic_post(struct lw_lapic *lapic, uint8_t vector, bool level);

/* Whether the LAPIC is software-enabled and so accepts fixed interrupts. Any thread. */
bool lw_lapic_accepts(const struct lw_lapic *lapic);

/* CR8, TPR's class (SDM 11.8.6). lw_lapic_set_cr8() returns 0, or 1 if the guest is to be given #GP
 * for a reserved bit; TPR's lower half becomes 0. Where hardware keeps TPR, say it so after each
 * exit. Owner. */
uint8_t lw_lapic_cr8(const struct lw_lapic *lapic);
int lw_lapic_set_cr8(struct lw_lapic *lapic, uint64_t value);

/* Processor priority as of the owner's last call (SDM 11.8.3.1). Any thread, for arbitration. */
uint8_t lw_lapic_ppr(const struct lw_lapic *lapic);

/* The 32-bit APIC id (x2APIC), or 8-bit (xAPIC). Any thread. */
uint32_t lw_lapic_id(const struct lw_lapic *lapic);

/*
 * Does `msg` name this LAPIC (SDM 11.6.2, 11.12.10)? Physical, and logical in flat, cluster and
 * x2APIC form. 0xFF is everybody for a LAPIC in xAPIC mode, 0xFFFFFFFF for one in either. One that
 * is off is nobody. Does not ask whether the LAPIC is software-enabled. Any thread.
 */
bool lw_lapic_matches(const struct lw_lapic *lapic, const struct lw_msg *msg);

/* By what a message finds a LAPIC. */
struct lw_lapic_address {
	enum lw_lapic_mode mode;
	uint32_t id; /* all 32 bits, in xAPIC mode too, where messages mean the low 8 */
	uint8_t ldr; /* LDR's upper byte; nothing in x2APIC mode, where it follows from the id */
	bool flat;   /* DFR's model; nothing in x2APIC mode */
};

/* For a map of destinations, to be made anew at ops->changed. While the owner changes one of them
 * the answer may be a mixture of before and after. Any thread. */
struct lw_lapic_address lw_lapic_address(const struct lw_lapic *lapic);

/* Merge what was posted into IRR and TMR, and raise LVT error for illegal vectors. Owner. The calls
 * below that need it do it themselves. */
void lw_lapic_sync(struct lw_lapic *lapic);

/* The vector that lw_lapic_accept() would take now, or -1 (also where the highest pending one does
 * not exceed PPR). Does not move it to ISR. Owner. */
int lw_lapic_pending(struct lw_lapic *lapic);

/* Take the highest deliverable vector: from IRR to ISR. Returns it, or -1 if there is none; the
 * VMM then injects it. Does not look at the vCPU's IF or interrupt shadow. Owner. */
int lw_lapic_accept(struct lw_lapic *lapic);

/* The guest writes the EOI register: clear the highest vector in service and tell ops->eoi. With
 * none in service nothing happens (SDM 11.8.5). Returns the vector or -1. Owner. */
int lw_lapic_eoi(struct lw_lapic *lapic);

/* Is `vector` posted, pending or in service? Owner, so that the answer can't be outrun. */
bool lw_lapic_holds(const struct lw_lapic *lapic, uint8_t vector);

/* IRR, ISR and TMR bits. Owner; IRR and TMR without what is posted and not yet merged. */
bool lw_lapic_irr(const struct lw_lapic *lapic, uint8_t vector);
bool lw_lapic_isr(const struct lw_lapic *lapic, uint8_t vector);
bool lw_lapic_tmr(const struct lw_lapic *lapic, uint8_t vector);

/* Does the guest suppress EOI broadcasts (SVR bit 12)? Any thread. */
bool lw_lapic_suppresses(const struct lw_lapic *lapic);

/*
 * INIT: back to the power-on state but for the id and IA32_APIC_BASE (SDM 11.4.7.3). Whatever is
 * posted, pending or in service is dropped; ops->changed is called. Does not resolve I/O APIC
 * deliveries in flight to this vCPU: lw_chip_init_vcpu() does. Owner.
 */
void lw_lapic_reset(struct lw_lapic *lapic);

/* Register offsets in the APIC page (SDM table 11-1). */
enum lw_lapic_reg {
	LW_LAPIC_ID = 0x020,
	LW_LAPIC_VERSION = 0x030,
	LW_LAPIC_TPR = 0x080,
	LW_LAPIC_APR = 0x090, /* xAPIC mode only */
	LW_LAPIC_PPR = 0x0a0,
	LW_LAPIC_EOI = 0x0b0,
	LW_LAPIC_RRD = 0x0c0, /* xAPIC mode only */
	LW_LAPIC_LDR = 0x0d0,
	LW_LAPIC_DFR = 0x0e0,
	LW_LAPIC_SVR = 0x0f0,
	LW_LAPIC_ISR = 0x100,
	LW_LAPIC_TMR = 0x180,
	LW_LAPIC_IRR = 0x200,
	LW_LAPIC_ESR = 0x280,
	LW_LAPIC_ICR = 0x300,
	LW_LAPIC_ICR2 = 0x310, /* xAPIC mode only: ICR's destination */
	LW_LAPIC_LVT_TIMER = 0x320,
	LW_LAPIC_LVT_THERMAL = 0x330,
	LW_LAPIC_LVT_PMC = 0x340,
	LW_LAPIC_LVT_LINT0 = 0x350,
	LW_LAPIC_LVT_LINT1 = 0x360,
	LW_LAPIC_LVT_ERROR = 0x370,
	LW_LAPIC_TMICT = 0x380,   /* the timer's initial count, */
	LW_LAPIC_TMCCT = 0x390,   /* current count */
	LW_LAPIC_DCR = 0x3e0,     /* and divide configuration */
	LW_LAPIC_SELF_IPI = 0x3f0 /* x2APIC mode only */
};

#define LW_SVR_ENABLE   0x100u
#define LW_SVR_SUPPRESS 0x1000u

/* ICR's low half: vector, delivery and destination mode, level, trigger mode, shorthand. */
#define LW_ICR_WRITABLE 0xccfffu

/*
 * Write the whole ICR and send: what a guest's 64-bit write of MSR 0x830 does in x2APIC mode (SDM
 * 11.12.9). In xAPIC mode the destination is in bits 63…56, and a write of LW_LAPIC_ICR2 followed
 * by one of LW_LAPIC_ICR is the same. Bits outside LW_ICR_WRITABLE of the low half are dropped.
 *
 * Tells ops->ipi, at most once. Nothing is sent for a reserved delivery mode, ExtINT (reserved in
 * ICR) or an INIT level de-assert. A fixed or lowest-priority vector below 16 is not sent and noted
 * in ESR as send illegal vector. Shorthands that SDM table 11-3 calls invalid are sent as they
 * stand, as KVM does, and so is lowest priority in x2APIC mode, which the manual reserves there
 * (11.12.9). A software-disabled LAPIC still sends (SDM 11.4.7.2). Owner.
 */
void lw_lapic_send(struct lw_lapic *lapic, uint64_t icr);

/* The whole ICR as it was written last, delivery status 0. Owner. */
uint64_t lw_lapic_icr(const struct lw_lapic *lapic);

/* A fixed interrupt to itself: the SELF IPI register of x2APIC mode (SDM 11.12.11), in either mode.
 * A vector below 16 is noted in ESR; ICR keeps its value. Owner. */
void lw_lapic_self_ipi(struct lw_lapic *lapic, uint8_t vector);

/*
 * A 32-bit access to the register that has `offset` in the APIC page, in the present mode's form:
 * for the VMM, which in x2APIC mode has an MSR in mind. A guest's access to the page is
 * lw_lapic_page_read() or _write(). While the LAPIC is off there is no register. Offsets that name
 * no register, are not a multiple of 16 or lie past the page read as zero and ignore writes;
 * reserved bits are not kept. In xAPIC mode an offset in the page that is a multiple of 16 and
 * names no register is noted in ESR as illegal register address (SDM 11.5.3).
 *
 * ESR shows what the last write to it latched; that write also arms LVT error, which is raised once
 * for each kind of error until the next. An illegal vector that a poster brings is raised when the
 * owner next looks, by lw_lapic_sync() or a call that does it itself; the poster owes no kick for
 * it, and may make one. While the LAPIC is software-disabled every LVT entry is masked, and stays
 * so until it is written again after (SDM 11.4.7.2). LVT CMCI is not there: the version register
 * says so. APR and RRD read zero, as where there is no APIC bus.
 *
 * A write to LW_LAPIC_EOI is lw_lapic_eoi(), one to LW_LAPIC_ICR sends an IPI. Owner.
 */
uint32_t lw_lapic_read(struct lw_lapic *lapic, uint32_t offset);
void lw_lapic_write(struct lw_lapic *lapic, uint32_t offset, uint32_t value);

/*
 * Drive LINT0 (pin 0) or LINT1 (pin 1); other pins are ignored. `asserted` is what the line means,
 * not its volts: the entry's polarity bit is kept and not looked at.
 *
 * By the entry's delivery mode (SDM 11.5.1): fixed posts its vector at a rise, or, on LINT0 with
 * trigger mode level, while the line is asserted, once until the EOI of the vector as delivered
 * (remote IRR); SMI, NMI and INIT go to ops->signal at a rise; ExtINT at a rise or when the entry
 * begins to ask for it. An edge that comes while the entry is masked is lost. Owner.
 */
void lw_lapic_lint(struct lw_lapic *lapic, uint32_t pin, bool asserted);

/* Does an asserted LINT0 or LINT1 ask for an ExtINT now? Then the VMM fetches the vector from the
 * 8259 when the vCPU can take it; TPR and PPR don't matter. Owner. */
bool lw_lapic_extint(const struct lw_lapic *lapic);

/*
 * Would a rise of LINT0 mean anything: is its entry unmasked, or the LAPIC off? Any thread. Who
 * makes the line rise, so that all can see it, and asks then, need tell only those that listen: an
 * owner that unmasks the entry, and looks at the line after, sees it up.
 */
bool lw_lapic_listens(const struct lw_lapic *lapic);

/* A performance counter overflowed: deliver LVT PMC, which masks the entry (SDM 11.5.1). Owner. */
void lw_lapic_pmi(struct lw_lapic *lapic);

/* The thermal monitor interrupts: deliver LVT thermal. Owner. */
void lw_lapic_thermal(struct lw_lapic *lapic);

/*
 * Tell what time it is: any clock of the VMM's in ns that never runs backwards (an earlier time
 * than the last is ignored). The LAPIC has no clock; TMICT counts from the time told last, and
 * TMCCT is computed for it: so tell it before such a guest access, and at each deadline.
 *
 * Delivers LVT timer if its count or TSC deadline has expired. However late the call, a periodic
 * timer makes one interrupt of what it missed, in constant time, and keeps its phase. Does not
 * kick: ask lw_lapic_pending() next. A period is cut to whole ns and is at least one: a guest may
 * ask for deadlines as dense as that, and how soon to heed them is the VMM's choice.
 *
 * The timer counts while LVT timer is masked or the LAPIC is software-disabled, without an
 * interrupt. SDM 11.5.4. Owner.
 */
void lw_lapic_time(struct lw_lapic *lapic, uint64_t now_ns);

/* When the timer expires next, or 0 if it does not run. Owner. */
uint64_t lw_lapic_deadline(const struct lw_lapic *lapic);

/* IA32_TSC_DEADLINE, MSR 0x6E0 (SDM 11.5.4.1): writes count only while LVT timer is in TSC-deadline
 * mode, 0 disarms, a time that has been fires at once; reads 0 when it has fired. Owner. */
void lw_lapic_write_tsc_deadline(struct lw_lapic *lapic, uint64_t tsc);
uint64_t lw_lapic_tsc_deadline(const struct lw_lapic *lapic);

/* The guest's TSC is `tsc` at the time told last: say so at start, and when the guest or a
 * migration changes it. An armed deadline moves along. Without it the TSC was 0 at time 0. Owner.
 */
void lw_lapic_set_tsc(struct lw_lapic *lapic, uint64_t tsc);

/*
 * A guest's 32-bit access at `offset` in the APIC page: as lw_lapic_read() and lw_lapic_write() in
 * xAPIC mode. In x2APIC mode and off there is no page: reads all ones, ignores writes. Owner.
 */
uint32_t lw_lapic_page_read(struct lw_lapic *lapic, uint32_t offset);
void lw_lapic_page_write(struct lw_lapic *lapic, uint32_t offset, uint32_t value);

#define LW_MSR_APIC_BASE    0x1bu
#define LW_MSR_TSC_DEADLINE 0x6e0u
#define LW_MSR_X2APIC       0x800u
#define LW_MSR_X2APIC_LAST  0x8ffu

/*
 * A guest's RDMSR or WRMSR of IA32_APIC_BASE, IA32_TSC_DEADLINE or an x2APIC register (SDM table
 * 11-6). Returns 0, or 1 if the guest is to be given #GP: no such register or not in x2APIC mode
 * (XSA-108: none past 0x83F), a write of one that is read-only or of a reserved bit, a read of one
 * that is write-only; `value` is then untouched, and nothing has changed. Owner.
 */
int lw_lapic_msr_read(struct lw_lapic *lapic, uint32_t msr, uint64_t *value);
int lw_lapic_msr_write(struct lw_lapic *lapic, uint32_t msr, uint64_t value);

struct lw_lapic_counters {
	uint64_t accepted; /* vectors moved to ISR */
	uint64_t eois;     /* EOIs that ended a vector */
	uint64_t merges;   /* lw_lapic_sync() calls that found something */
	uint64_t ipis;     /* IPIs sent, those to itself included */
	uint64_t own; /* vectors it has raised itself: LVT entries, fixed IPIs to itself alone */
	uint64_t dropped; /* vectors that an INIT or going off found posted or pending */
	uint32_t waiting; /* vectors posted or pending now */
};

/* A copy of the counters. What was posted is counted by nobody, for that would cost a poster more
 * than the posting; who knows how often he posted knows what has coalesced: that many, and `own`,
 * less what was accepted, dropped and is waiting. Owner. */
struct lw_lapic_counters lw_lapic_counters(const struct lw_lapic *lapic);

/*
 * All of it as text for people, some 1 KiB in lines that end in a newline; the form may change.
 * Vectors are hexadecimal, those with their TMR bit set, or posted as a level, have an L. Returns
 * the length; what does not fit in `size` bytes, the terminating zero included, is cut off. With a
 * size of 0 `buf` may be null. Changes nothing, and merges nothing. Owner.
 */
size_t lw_lapic_dump(const struct lw_lapic *lapic, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif

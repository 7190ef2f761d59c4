/* SPDX-License-Identifier: MIT */
/*
 * The pair of 8259A interrupt controllers of a PC, and the edge/level control registers (ELCR)
 * that its chipsets add. Section names in comments are those of Intel's 8259A data sheet.
 *
 * Pins 0 to 7 are the master's inputs, 8 to 15 the slave's. The slave's output is wired to the
 * master's input 2, whatever the guest programs, so pin 2 is nobody else's.
 *
 * Threads: every call enters the pair under the lock that ops->lock and ops->unlock name, holds it
 * to its end, and calls ops->eoi after it has let go, so that this one may call back in. ops->intr
 * runs under the lock and must not. With null lock ops the caller serializes.
 */
#ifndef LAPWING_PIC_H
#define LAPWING_PIC_H

#include <lapwing/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LW_PIC_SIZE        256u
#define LW_PIC_ALIGN       64u
#define LW_PIC_PINS        16u
#define LW_PIC_CASCADE_PIN 2u
#define LW_PIC_MAX_SOURCES 32u

/* The ports of a PC: command, then data; each chip's, then the ELCRs. */
#define LW_PIC_PORT_MASTER 0x20u
#define LW_PIC_PORT_SLAVE  0xa0u
#define LW_PIC_PORT_ELCR   0x4d0u

/* The bits of each ELCR that the guest may set. IRQ 0, 1, 2, 8 and 13 are never level. */
#define LW_PIC_ELCR_MASTER 0xf8u
#define LW_PIC_ELCR_SLAVE  0xdeu

struct lw_pic; /* opaque; the caller gives LW_PIC_SIZE bytes */

/* Every member may be null. */
struct lw_pic_ops {
	/* Both or neither. Not recursive. */
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	/* Under the lock, so in order, and at each change, falls between two requests included. The
	 * level of the master's INT output: what a PC's LINT0 sees, or the processor's INTR. Low
	 * when the pair is set up. It says that there is something to acknowledge, and not that it
	 * has been: lw_pic_inta() does that. */
	void (*intr)(void *ctx, bool level);
	/* After unlock. The interrupt of `pin` is over: it left ISR by an EOI of any kind, or a
	 * guest's ICW1, a change of its trigger mode or lw_pic_reset() dropped it, in service or
	 * still pending. Whoever waits for the guest before he raises it again may do so. Several
	 * ends of one pin that nobody has been told yet are told once. Never for pin 2. */
	void (*eoi)(void *ctx, uint32_t pin);
};

/*
 * An edge request is withdrawn when its line falls before it is acknowledged, as silicon does
 * ("Edge and level triggered modes"). Without this flag it stays: VMMs make an edge by raising a
 * line and lowering it at once.
 */
#define LW_PIC_STRICT 1u

struct lw_pic_config {
	const struct lw_pic_ops *ops; /* null: none; must outlive the pair */
	void *ctx;                    /* handed to every op */
	uint32_t flags;               /* LW_PIC_STRICT or 0 */
};

/*
 * Set up a pair, all lines low. The data sheet leaves the state before the first ICW1 open: here
 * all registers are zero, nothing is masked, and IR7 is the lowest.
 *
 * `storage` is LW_PIC_SIZE bytes aligned to LW_PIC_ALIGN, of any content.
 * Returns 0, or -EINVAL (misaligned, no configuration, unknown flags, lock without unlock).
 */
int lw_pic_init(struct lw_pic *storage, const struct lw_pic_config *config);

/* Back to that state, ELCRs included, lines kept: one that is high must fall before it is an edge
 * again. ops->eoi is told of all that was pending or in service. */
void lw_pic_reset(struct lw_pic *pic);

/*
 * A guest's access of 1, 2 or 4 bytes at `port`. The chips are eight bits wide, so a wider access
 * is one to each port in turn, lowest first, as a PC's bus makes it. Ports that are not the pair's
 * read as ones and ignore writes, and so does an access of any other width.
 *
 * A read may change things: after OCW3 has asked for a poll, the next read of either port of that
 * chip acknowledges ("Poll command"). To poll the master does not reach the slave: where it answers
 * with pin 2 the guest polls that one too.
 *
 * Implements ICW1 to ICW4 and OCW1 to OCW3 whole. Always an 8086's: the MCS-80 mode and what only
 * it or a buffered bus uses (ADI, ICW1 and ICW2 address bits, BUF, M/S) are accepted and mean
 * nothing. While a chip waits for an ICW it requests nothing.
 */
uint32_t lw_pic_read(struct lw_pic *pic, uint16_t port, uint32_t width);
void lw_pic_write(struct lw_pic *pic, uint16_t port, uint32_t value, uint32_t width);

/*
 * A device drives one of a line's sources. The line is the OR of its sources. A level pin (ELCR, or
 * LTIM for the whole chip) requests while its line is high; an edge pin from a rise on until it is
 * acknowledged, masked or not: a mask holds a request back and does not drop it.
 * Returns 0, or -EINVAL (pin above 15, pin 2, source above 31).
 */
int lw_pic_line(struct lw_pic *pic, uint32_t pin, uint32_t source, bool level);

/* The same for a caller who holds the lock already, as for more than one line at once. A line ends
 * nothing, so there is nothing to tell afterwards. */
int lw_pic_line_locked(struct lw_pic *pic, uint32_t pin, uint32_t source, bool level);

/*
 * The processor acknowledges ("Interrupt sequence"): what requests with the highest priority goes
 * from IRR to ISR, or with automatic EOI straight out. Returns its vector for the VMM to inject.
 *
 * With nothing to acknowledge it is the spurious one, the vector of IR7 of the master, or of the
 * slave if only that one has lost its request; that chip's ISR stays as it is. 0xFF if the master's
 * ICW3 names a slave that does not answer to its number: nobody drives the bus then.
 */
uint8_t lw_pic_inta(struct lw_pic *pic);

/* The same in one step with the question whether INT is high: -1 if it is low, and nothing changes.
 * Where several vCPUs listen to the output, only one of them gets the interrupt, and none of them a
 * spurious one for having come second. */
int lw_pic_accept(struct lw_pic *pic);

/* The vector that lw_pic_inta() would return now, or -1 if INT is low. Changes nothing. */
int lw_pic_pending(struct lw_pic *pic);

/* The level of the INT output, as ops->intr was last told. */
bool lw_pic_intr(struct lw_pic *pic);

/* One chip's registers as they are, read without what a guest's read does. */
struct lw_pic_regs {
	uint8_t irr;
	uint8_t isr;
	uint8_t imr;
	uint8_t elcr;
};

/* Chip 0 is the master, 1 the slave. Returns 0 or -EINVAL. */
int lw_pic_regs(struct lw_pic *pic, uint32_t chip, struct lw_pic_regs *regs);

struct lw_pic_counters {
	uint64_t acknowledged; /* INTAs that found a request */
	uint64_t polled;       /* polls that found one */
	uint64_t spurious;     /* INTAs that found none, on either chip */
	uint64_t ended;        /* interrupts that left ISR by an EOI, the cascade's included */
	uint64_t coalesced;    /* edges that found their request still pending */
};

struct lw_pic_counters lw_pic_counters(struct lw_pic *pic);

/*
 * All of it as text for people; the form may change. Returns the length; what does not fit in
 * `size` bytes, the terminating zero included, is cut off. With a size of 0 `buf` may be null.
 * Changes nothing, a poll that was asked for included, and runs no notification.
 */
size_t lw_pic_dump(struct lw_pic *pic, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif

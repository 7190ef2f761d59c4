/* SPDX-License-Identifier: MIT */
/* The inside of the pair of 8259As: pic.c has what it does, pic_snap.c its state as bytes. */
#ifndef LW_PIC_PRIV_H
#define LW_PIC_PRIV_H

#include <lapwing/pic.h>

enum { MASTER, SLAVE, CHIPS };

#define CHIP_PINS 8u
#define CASCADE   (1u << LW_PIC_CASCADE_PIN)

/* Initialization command words ("Initialization command words", figure 7). */
#define ICW1_IC4    0x01u /* an ICW4 follows */
#define ICW1        0x10u /* tells it from OCW2 and OCW3 */
#define ICW2_VECTOR 0xf8u
#define ICW4_AEOI   0x02u
#define ICW4_SFNM   0x10u

/* Which word the data port takes next. */
enum { READY, WAIT_ICW2, WAIT_ICW3, WAIT_ICW4 };

struct chip {
	uint8_t line;   /* inputs as they are now, the master's cascade included */
	uint8_t latch;  /* edge requests; never a bit of a level pin */
	uint8_t isr;    /* in service */
	uint8_t imr;    /* masked */
	uint8_t elcr;   /* level pins */
	uint8_t lowest; /* the pin of lowest priority; the next one is the highest */
	uint8_t icw1;
	uint8_t icw2;
	uint8_t icw3; /* master: inputs with slaves; slave: its number */
	uint8_t icw4;
	uint8_t step;        /* READY, WAIT_… */
	uint8_t read_isr;    /* the command port reads ISR, not IRR */
	uint8_t poll;        /* the next read is a poll */
	uint8_t special;     /* special mask mode */
	uint8_t rotate_aeoi; /* rotate in automatic EOI mode */
};

struct state {
	struct chip chip[CHIPS];
	uint32_t sources[LW_PIC_PINS];
	uint16_t ended; /* pins that ops->eoi is to be told of */
	bool intr;
};

struct lw_pic {
	_Alignas(LW_PIC_ALIGN) struct state state;
	struct lw_pic_counters counters;
	const struct lw_pic_ops *ops;
	void *ctx;
	uint32_t flags;
	bool draining;
};

#pragma GCC visibility push(hidden)

/* Take the lock; let go of it; and first run what was queued under it. */
void lw_pic_enter(struct lw_pic *pic);
void lw_pic_unlock(struct lw_pic *pic);
void lw_pic_leave(struct lw_pic *pic);

/* Run what is queued. Without the lock. */
void lw_pic_drain(struct lw_pic *pic);

uint8_t lw_pic_level_pins(const struct chip *chip);
uint8_t lw_pic_irr(const struct chip *chip);

/* The cascade's line and INT become what follows from the rest; ops->intr is told. Under the lock.
 */
void lw_pic_settle(struct lw_pic *pic);

/* Are the cascade's line and INT what follows from the rest? */
bool lw_pic_is_settled(const struct lw_pic *pic);

#pragma GCC visibility pop

#endif

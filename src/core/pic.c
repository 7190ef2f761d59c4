/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <lapwing/pic.h>
#include <string.h>

#include "bits.h"
#include "pic_priv.h"

#define LOWEST    7u /* of the fully nested mode: IR0 is the highest */
#define NO_PIN    8u
#define NO_DRIVER 0xffu /* what the bus reads as where nobody drives it */

/* Initialization command words ("Initialization command words", figure 7). */
#define ICW1_SNGL 0x02u /* no ICW3 follows */
#define ICW1_LTIM 0x08u
#define ICW3_ID   0x07u

/* Operation command words ("Operation control words", figure 8). */
#define OCW2_LEVEL 0x07u
#define OCW2_EOI   0x20u
#define OCW2_SL    0x40u
#define OCW2_R     0x80u
#define OCW3       0x08u /* tells it from OCW2 */
#define OCW3_RIS   0x01u
#define OCW3_RR    0x02u
#define OCW3_P     0x04u
#define OCW3_SMM   0x20u
#define OCW3_ESMM  0x40u
#define POLL_FOUND 0x80u
#define POLL_NONE  0x07u

_Static_assert(sizeof(struct lw_pic) <= LW_PIC_SIZE, "LW_PIC_SIZE is too small");

static const struct lw_pic_ops no_ops;

/* What a guest may set in an ELCR. */
static const uint8_t elcr_writable[CHIPS] = {LW_PIC_ELCR_MASTER, LW_PIC_ELCR_SLAVE};

/* ---- lock, and what runs after it ---- */

void lw_pic_enter(struct lw_pic *p)
{
	if (p->ops->lock)
		p->ops->lock(p->ctx);
}

void lw_pic_unlock(struct lw_pic *p)
{
	if (p->ops->unlock)
		p->ops->unlock(p->ctx);
}

/* One drainer at a time: a callback that sets a line queues for it and returns, so that callbacks
 * never nest. */
void lw_pic_leave(struct lw_pic *p)
{
	if (!p->ops->eoi)
		p->state.ended = 0;
	if (p->draining || !p->state.ended) {
		lw_pic_unlock(p);
		return;
	}
	p->draining = true;
	while (p->state.ended) {
		uint32_t pin = lw_word_low(p->state.ended);

		p->state.ended &= (uint16_t)(p->state.ended - 1u);
		lw_pic_unlock(p);
		p->ops->eoi(p->ctx, pin);
		lw_pic_enter(p);
	}
	p->draining = false;
	lw_pic_unlock(p);
}

void lw_pic_drain(struct lw_pic *p)
{
	lw_pic_enter(p);
	lw_pic_leave(p);
}

/* ---- one chip ---- */

static uint8_t bit(uint32_t pin)
{
	return (uint8_t)(1u << pin);
}

uint8_t lw_pic_level_pins(const struct chip *c)
{
	return c->icw1 & ICW1_LTIM ? 0xff : c->elcr;
}

uint8_t lw_pic_irr(const struct chip *c)
{
	return (uint8_t)((c->line & lw_pic_level_pins(c)) | c->latch);
}

/* How far the highest of these pins is from the highest priority; NO_PIN if there is none. */
static uint32_t rank(const struct chip *c, uint32_t pins)
{
	uint32_t turned = (pins | pins << CHIP_PINS) >> ((c->lowest + 1u) % CHIP_PINS);

	return lw_word_low((turned & 0xffu) | 1u << NO_PIN);
}

static uint32_t pin_of_rank(const struct chip *c, uint32_t n)
{
	return n == NO_PIN ? NO_PIN : (c->lowest + 1u + n) % CHIP_PINS;
}

/* In-service bits that count: not those that the special mask mode passes over. */
static uint8_t in_service(const struct chip *c)
{
	return c->special ? c->isr & (uint8_t)~c->imr : c->isr;
}

/* Inputs of the master that lead to slaves ("Cascade mode"). */
static uint8_t slaves(const struct lw_pic *p, const struct chip *c)
{
	return c == &p->state.chip[MASTER] ? c->icw3 : 0;
}

/* The pin for which this chip raises INT, or NO_PIN. What is in service locks out its own level and
 * those below ("Fully nested mode"), but not its own if that is a slave's and the mode is the
 * special one ("The special fully nested mode"). */
static uint32_t request(const struct lw_pic *p, const struct chip *c)
{
	uint32_t wanted = rank(c, lw_pic_irr(c) & ~(uint32_t)c->imr);
	uint32_t busy = rank(c, in_service(c));
	uint32_t pin = pin_of_rank(c, wanted);

	if (c->step != READY || pin == NO_PIN)
		return NO_PIN;
	if (wanted < busy)
		return pin;
	if (wanted == busy && c->icw4 & ICW4_SFNM && slaves(p, c) & bit(pin))
		return pin;
	return NO_PIN;
}

static void drive(struct lw_pic *p, struct chip *c, uint32_t pin, bool level)
{
	if (!level) {
		c->line &= (uint8_t)~bit(pin);
		if (p->flags & LW_PIC_STRICT)
			c->latch &= (uint8_t)~bit(pin);
		return;
	}
	if (!(c->line & bit(pin)) && !(lw_pic_level_pins(c) & bit(pin))) {
		if (c->latch & bit(pin))
			p->counters.coalesced++;
		c->latch |= bit(pin);
	}
	c->line |= bit(pin);
}

/* Outputs follow from what has changed: first the slave's, which is an input of the master. */
void lw_pic_settle(struct lw_pic *p)
{
	struct chip *master = &p->state.chip[MASTER];
	bool level;

	drive(p, master, LW_PIC_CASCADE_PIN, request(p, &p->state.chip[SLAVE]) != NO_PIN);
	level = request(p, master) != NO_PIN;
	if (level == p->state.intr)
		return;
	p->state.intr = level;
	if (p->ops->intr)
		p->ops->intr(p->ctx, level);
}

bool lw_pic_is_settled(const struct lw_pic *p)
{
	const struct chip *master = &p->state.chip[MASTER];
	bool slave = request(p, &p->state.chip[SLAVE]) != NO_PIN;

	return slave == ((master->line & CASCADE) != 0) &&
	       p->state.intr == (request(p, master) != NO_PIN);
}

/* These pins of a chip are done with. */
static void queue(struct lw_pic *p, const struct chip *c, uint8_t pins)
{
	if (c == &p->state.chip[SLAVE])
		p->state.ended |= (uint16_t)(pins << CHIP_PINS);
	else
		p->state.ended |= pins & (uint8_t)~CASCADE;
}

/* ---- from IRR to ISR, and out ---- */

static void take(struct chip *c, uint32_t pin)
{
	c->latch &= (uint8_t)~bit(pin);
	c->isr |= bit(pin);
}

static void end(struct lw_pic *p, struct chip *c, uint32_t pin)
{
	if (!(c->isr & bit(pin)))
		return;
	c->isr &= (uint8_t)~bit(pin);
	p->counters.ended++;
	queue(p, c, bit(pin));
}

static void auto_eoi(struct lw_pic *p, struct chip *c, uint32_t pin)
{
	if (pin == NO_PIN || !(c->icw4 & ICW4_AEOI))
		return;
	end(p, c, pin);
	if (c->rotate_aeoi)
		c->lowest = (uint8_t)pin;
}

static uint8_t vector(const struct chip *c, uint32_t pin)
{
	return (uint8_t)((c->icw2 & ICW2_VECTOR) | pin);
}

/* What an INTA would find now: the master's pin, the slave's if it leads there, the vector. */
struct found {
	uint32_t pin;
	uint32_t slave_pin;
	uint8_t vector;
	bool spurious;
};

static struct found find(const struct lw_pic *p)
{
	const struct chip *master = &p->state.chip[MASTER], *slave = &p->state.chip[SLAVE];
	struct found f = {.pin = request(p, master), .slave_pin = NO_PIN};

	if (f.pin == NO_PIN) {
		f.spurious = true;
		f.vector = vector(master, CHIP_PINS - 1u);
	} else if (!(slaves(p, master) & bit(f.pin))) {
		f.vector = vector(master, f.pin);
	} else if (f.pin != LW_PIC_CASCADE_PIN || (slave->icw3 & ICW3_ID) != f.pin) {
		f.vector = NO_DRIVER;
	} else {
		f.slave_pin = request(p, slave);
		f.spurious = f.slave_pin == NO_PIN;
		f.vector = vector(slave, f.spurious ? CHIP_PINS - 1u : f.slave_pin);
	}
	return f;
}

/* Between the two settlements INT is low, as it is between the two INTA pulses of silicon: where
 * automatic EOI lets the next request through, LINT0 sees it rise. */
static void acknowledge(struct lw_pic *p, const struct found *f)
{
	struct chip *master = &p->state.chip[MASTER], *slave = &p->state.chip[SLAVE];

	take(master, f->pin);
	if (f->slave_pin != NO_PIN)
		take(slave, f->slave_pin);
	lw_pic_settle(p);
	auto_eoi(p, slave, f->slave_pin);
	auto_eoi(p, master, f->pin);
	lw_pic_settle(p);
}

static struct found inta(struct lw_pic *p)
{
	struct found f = find(p);

	if (f.spurious)
		p->counters.spurious++;
	else
		p->counters.acknowledged++;
	if (f.pin != NO_PIN)
		acknowledge(p, &f);
	return f;
}

uint8_t lw_pic_inta(struct lw_pic *p)
{
	struct found f;

	lw_pic_enter(p);
	f = inta(p);
	lw_pic_leave(p);
	return f.vector;
}

int lw_pic_accept(struct lw_pic *p)
{
	int vector = -1;

	lw_pic_enter(p);
	if (p->state.intr)
		vector = inta(p).vector;
	lw_pic_leave(p);
	return vector;
}

int lw_pic_pending(struct lw_pic *p)
{
	struct found f;

	lw_pic_enter(p);
	f = find(p);
	lw_pic_leave(p);
	return f.pin == NO_PIN ? -1 : f.vector;
}

/* An acknowledgement of this chip alone. What the slave's input of the master stood for has been
 * taken by a poll of the slave. */
static uint8_t poll(struct lw_pic *p, struct chip *c)
{
	uint32_t pin = request(p, c);

	c->poll = false;
	if (pin == NO_PIN)
		return POLL_NONE;
	p->counters.polled++;
	take(c, pin);
	if (c == &p->state.chip[SLAVE])
		p->state.chip[MASTER].latch &= (uint8_t)~CASCADE;
	lw_pic_settle(p);
	auto_eoi(p, c, pin);
	return (uint8_t)(POLL_FOUND | pin);
}

/* ---- command words ---- */

/* What this chip requested before and does not any more is over. */
static void queue_dropped(struct lw_pic *p, const struct chip *c, uint8_t before)
{
	queue(p, c, before & (uint8_t)~lw_pic_irr(c));
}

/* ICW1 ("Initialization command words 1 and 2"). An edge must be made anew. The cascade's is taken
 * to be made: no device could lower that line, and the slave's interrupts would be stuck. */
static void write_icw1(struct lw_pic *p, struct chip *c, uint8_t value)
{
	bool master = c == &p->state.chip[MASTER];
	uint8_t requested = lw_pic_irr(c);

	queue(p, c, c->isr);
	c->latch = c->isr = c->imr = 0;
	if (master)
		c->line &= (uint8_t)~CASCADE;
	c->lowest = LOWEST;
	c->icw1 = value;
	c->icw3 = master ? 0 : ICW3_ID;
	c->icw4 = 0;
	c->read_isr = c->poll = c->special = c->rotate_aeoi = false;
	c->step = WAIT_ICW2;
	queue_dropped(p, c, requested);
}

/* OCW2: the EOIs and rotations, by R, SL and EOI. */
static void write_ocw2(struct lw_pic *p, struct chip *c, uint8_t value)
{
	uint32_t pin = value & OCW2_LEVEL;

	if (!(value & OCW2_SL)) {
		if (!(value & OCW2_EOI)) {
			c->rotate_aeoi = (value & OCW2_R) != 0;
			return;
		}
		pin = pin_of_rank(c, rank(c, in_service(c)));
		if (pin == NO_PIN)
			return;
	}
	if (value & OCW2_EOI)
		end(p, c, pin);
	if (value & OCW2_R)
		c->lowest = (uint8_t)pin;
}

static void write_ocw3(struct chip *c, uint8_t value)
{
	if (value & OCW3_P)
		c->poll = true;
	if (value & OCW3_RR)
		c->read_isr = value & OCW3_RIS;
	if (value & OCW3_ESMM)
		c->special = (value & OCW3_SMM) != 0;
}

static void write_command(struct lw_pic *p, struct chip *c, uint8_t value)
{
	if (value & ICW1)
		write_icw1(p, c, value);
	else if (value & OCW3)
		write_ocw3(c, value);
	else
		write_ocw2(p, c, value);
}

static void write_data(struct chip *c, uint8_t value)
{
	uint8_t last = c->icw1 & ICW1_IC4 ? WAIT_ICW4 : READY;

	switch (c->step) {
	case WAIT_ICW2:
		c->icw2 = value;
		c->step = c->icw1 & ICW1_SNGL ? last : WAIT_ICW3;
		break;
	case WAIT_ICW3:
		c->icw3 = value;
		c->step = last;
		break;
	case WAIT_ICW4:
		c->icw4 = value;
		c->step = READY;
		break;
	default:
		c->imr = value;
	}
}

/* A request outlives the change: as an edge if its line is high. */
static void write_elcr(struct lw_pic *p, uint32_t n, uint8_t value)
{
	struct chip *c = &p->state.chip[n];
	uint8_t requested = lw_pic_irr(c);

	c->elcr = value & elcr_writable[n];
	c->latch = requested & (uint8_t)~lw_pic_level_pins(c);
	queue_dropped(p, c, requested);
}

/* ---- ports ---- */

/* The chip that has this port: the command port if it is even, else the data port. */
static struct chip *decode(struct lw_pic *p, uint32_t port)
{
	if ((port & ~1u) == LW_PIC_PORT_MASTER)
		return &p->state.chip[MASTER];
	return (port & ~1u) == LW_PIC_PORT_SLAVE ? &p->state.chip[SLAVE] : NULL;
}

static uint8_t read_port(struct lw_pic *p, uint32_t port)
{
	struct chip *c = decode(p, port);

	if ((port & ~1u) == LW_PIC_PORT_ELCR)
		return p->state.chip[port & 1u].elcr;
	if (!c)
		return NO_DRIVER;
	if (c->poll)
		return poll(p, c);
	if (port & 1u)
		return c->imr;
	return c->read_isr ? c->isr : lw_pic_irr(c);
}

static void write_port(struct lw_pic *p, uint32_t port, uint8_t value)
{
	struct chip *c = decode(p, port);

	if ((port & ~1u) == LW_PIC_PORT_ELCR)
		write_elcr(p, port & 1u, value);
	else if (c && port & 1u)
		write_data(c, value);
	else if (c)
		write_command(p, c, value);
}

static bool width_is_sane(uint32_t width)
{
	return width == 1 || width == 2 || width == 4;
}

uint32_t lw_pic_read(struct lw_pic *p, uint16_t port, uint32_t width)
{
	uint32_t value = 0;

	if (!width_is_sane(width))
		return UINT32_MAX;
	lw_pic_enter(p);
	for (uint32_t n = 0; n < width; n++) {
		value |= (uint32_t)read_port(p, port + n) << 8 * n;
		lw_pic_settle(p);
	}
	lw_pic_leave(p);
	return value;
}

void lw_pic_write(struct lw_pic *p, uint16_t port, uint32_t value, uint32_t width)
{
	if (!width_is_sane(width))
		return;
	lw_pic_enter(p);
	for (uint32_t n = 0; n < width; n++) {
		write_port(p, port + n, (uint8_t)(value >> 8 * n));
		lw_pic_settle(p);
	}
	lw_pic_leave(p);
}

/* ---- the VMM's calls ---- */

static void power_on(struct chip *c)
{
	*c = (struct chip){.line = c->line, .lowest = LOWEST};
}

int lw_pic_init(struct lw_pic *storage, const struct lw_pic_config *config)
{
	const struct lw_pic_ops *ops;

	if (!storage || (uintptr_t)storage % LW_PIC_ALIGN || !config ||
	    config->flags & ~LW_PIC_STRICT)
		return -EINVAL;
	ops = config->ops ? config->ops : &no_ops;
	if (!ops->lock != !ops->unlock)
		return -EINVAL;
	memset(storage, 0, sizeof(*storage));
	storage->ops = ops;
	storage->ctx = config->ctx;
	storage->flags = config->flags;
	for (uint32_t n = 0; n < CHIPS; n++)
		power_on(&storage->state.chip[n]);
	return 0;
}

void lw_pic_reset(struct lw_pic *p)
{
	lw_pic_enter(p);
	for (uint32_t n = 0; n < CHIPS; n++) {
		struct chip *c = &p->state.chip[n];

		queue(p, c, c->isr | lw_pic_irr(c));
		power_on(c);
	}
	lw_pic_settle(p);
	lw_pic_leave(p);
}

int lw_pic_line_locked(struct lw_pic *p, uint32_t pin, uint32_t source, bool level)
{
	uint32_t *sources;

	if (pin >= LW_PIC_PINS || pin == LW_PIC_CASCADE_PIN || source >= LW_PIC_MAX_SOURCES)
		return -EINVAL;
	sources = &p->state.sources[pin];
	if (level)
		*sources |= 1u << source;
	else
		*sources &= ~(1u << source);
	drive(p, &p->state.chip[pin / CHIP_PINS], pin % CHIP_PINS, *sources != 0);
	lw_pic_settle(p);
	return 0;
}

int lw_pic_line(struct lw_pic *p, uint32_t pin, uint32_t source, bool level)
{
	int err;

	lw_pic_enter(p);
	err = lw_pic_line_locked(p, pin, source, level);
	lw_pic_leave(p);
	return err;
}

bool lw_pic_intr(struct lw_pic *p)
{
	bool level;

	lw_pic_enter(p);
	level = p->state.intr;
	lw_pic_leave(p);
	return level;
}

int lw_pic_regs(struct lw_pic *p, uint32_t chip, struct lw_pic_regs *regs)
{
	const struct chip *c;

	if (chip >= CHIPS || !regs)
		return -EINVAL;
	lw_pic_enter(p);
	c = &p->state.chip[chip];
	*regs = (struct lw_pic_regs){
		.irr = lw_pic_irr(c), .isr = c->isr, .imr = c->imr, .elcr = c->elcr};
	lw_pic_leave(p);
	return 0;
}

struct lw_pic_counters lw_pic_counters(struct lw_pic *p)
{
	struct lw_pic_counters copy;

	lw_pic_enter(p);
	copy = p->counters;
	lw_pic_leave(p);
	return copy;
}

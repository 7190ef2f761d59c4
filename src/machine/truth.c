/* SPDX-License-Identifier: MIT */
#include "machine/truth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lapwing/ioapic.h>
#include <lapwing/lapic.h>

enum stage {
	NOWHERE,
	SENT,
	PENDING,
	SERVING,
	WAITING, /* EOI'd here while broadcasts were suppressed, so still in flight */
	RESIDUE  /* another taker has resolved it */
};

int truth_open(struct truth *t, uint32_t vcpus, uint32_t pins, bool x2apic)
{
	memset(t, 0, sizeof(*t));
	t->vcpus = vcpus;
	t->pins = pins;
	t->x2apic = x2apic;
	t->next_id = 1;
	t->pin = calloc(pins, sizeof(*t->pin));
	t->lapic = calloc(vcpus, sizeof(*t->lapic));
	t->stage = calloc((size_t)vcpus * pins, 1);
	if (!t->pin || !t->lapic || !t->stage)
		return -ENOMEM;
	for (uint32_t n = 0; n < pins; n++)
		t->pin[n].rte = LW_RTE_MASK;
	for (uint32_t n = 0; n < vcpus; n++)
		t->lapic[n].svr = 0xff;
	return 0;
}

void truth_close(struct truth *t)
{
	free(t->pin);
	free(t->lapic);
	free(t->stage);
	memset(t, 0, sizeof(*t));
}

void truth_step(struct truth *t)
{
	t->step++;
}

static uint8_t *stage_of(struct truth *t, uint32_t vcpu, uint32_t pin)
{
	return &t->stage[(size_t)pin * t->vcpus + vcpu];
}

static void clear_stages(struct truth *t, uint32_t pin)
{
	memset(stage_of(t, 0, pin), NOWHERE, t->vcpus);
}

/* ---- a naive I/O APIC ---- */

static bool is_level(const struct truth_pin *p)
{
	uint64_t mode = (p->rte & LW_RTE_DM) >> LW_RTE_DM_SHIFT;

	return p->rte & LW_RTE_LEVEL && mode <= 1;
}

static bool is_meant(const struct truth *t, uint32_t vcpu, const struct truth_pin *p)
{
	uint32_t dest = (uint32_t)(p->rte >> LW_RTE_DEST_SHIFT);

	if (t->x2apic)
		dest |= (uint32_t)(p->rte >> LW_RTE_EXT_SHIFT & 0x7f) << 8;
	else if (dest == 0xff)
		return true;
	if (!(p->rte & LW_RTE_LOGICAL))
		return dest == vcpu;
	if (t->x2apic)
		return vcpu / 16 == dest >> 16 && (dest >> vcpu % 16 & 1);
	return (t->lapic[vcpu].ldr & dest) != 0;
}

static bool somebody_accepts(const struct truth *t, const struct truth_pin *p)
{
	if ((p->rte & LW_RTE_VECTOR) < LW_FIRST_VECTOR)
		return false;
	for (uint32_t n = 0; n < t->vcpus; n++)
		if (t->lapic[n].svr & LW_SVR_ENABLE && is_meant(t, n, p))
			return true;
	return false;
}

void truth_line(struct truth *t, uint32_t gsi, uint32_t source, bool level)
{
	if (level)
		t->pin[gsi].sources |= 1u << source;
	else
		t->pin[gsi].sources &= ~(1u << source);
	if (!t->pin[gsi].sources)
		t->pin[gsi].fell = true;
}

/* A delivery ends otherwise than by an EOI. */
static void close_delivery(struct truth *t, uint32_t pin)
{
	struct truth_pin *p = &t->pin[pin];

	p->state = TRUTH_NONE;
	for (uint32_t n = 0; n < t->vcpus; n++) {
		uint8_t *stage = stage_of(t, n, pin);

		if (*stage != NOWHERE)
			*stage = *stage == WAITING ? NOWHERE : RESIDUE;
	}
}

void truth_rte(struct truth *t, uint32_t gsi, uint64_t rte)
{
	struct truth_pin *p = &t->pin[gsi];
	bool was_level = is_level(p);

	p->rte = rte;
	if (was_level && !is_level(p))
		close_delivery(t, gsi);
}

/* ---- interrupts ---- */

static bool is_open(const struct truth_pin *p)
{
	return p->state == TRUTH_OPEN || p->state == TRUTH_WAITS;
}

static void note(struct truth *t, uint32_t pin, uint8_t vector)
{
	t->pin[pin].vector = vector;
	t->open[vector]++;
}

static uint64_t identify(struct truth *t, const struct truth_lapic *l, uint8_t vector)
{
	if (l->sent[vector])
		return l->sent[vector];
	if (l->pending[vector]) /* it coalesces */
		return l->pending[vector];
	t->counts.identities++;
	return t->next_id++;
}

void truth_sent(struct truth *t, int32_t gsi, uint32_t vcpu, uint8_t vector, bool level)
{
	struct truth_lapic *l = &t->lapic[vcpu];
	struct truth_pin *p;

	l->sent[vector] = identify(t, l, vector);
	if (gsi < 0 || !level)
		return;
	p = &t->pin[gsi];
	if (!is_open(p) || p->step != t->step) {
		if (is_open(p) && !p->fell)
			t->counts.doubled++;
		p->fell = false;
		clear_stages(t, (uint32_t)gsi);
		note(t, (uint32_t)gsi, vector);
		p->id = l->sent[vector];
		p->step = t->step;
	}
	p->state = TRUTH_OPEN;
	*stage_of(t, vcpu, (uint32_t)gsi) = SENT;
}

static void promote(struct truth *t, uint32_t vcpu, uint8_t vector, enum stage from, enum stage to)
{
	for (uint32_t n = 0; t->open[vector] && n < t->pins; n++)
		if (t->pin[n].vector == vector && *stage_of(t, vcpu, n) == from)
			*stage_of(t, vcpu, n) = (uint8_t)to;
}

void truth_published(struct truth *t, uint32_t vcpu, uint8_t vector)
{
	struct truth_lapic *l = &t->lapic[vcpu];

	if (!l->pending[vector])
		l->pending[vector] = l->sent[vector];
	l->sent[vector] = 0;
	promote(t, vcpu, vector, SENT, PENDING);
}

void truth_taken(struct truth *t, uint32_t vcpu, uint8_t vector)
{
	struct truth_lapic *l = &t->lapic[vcpu];

	if (!l->pending[vector])
		t->counts.phantom++;
	l->serving[vector] = l->pending[vector];
	l->pending[vector] = 0;
	l->in_service[vector] = true;
	promote(t, vcpu, vector, PENDING, SERVING);
}

int truth_serving(const struct truth *t, uint32_t vcpu)
{
	for (int v = 255; v >= 0; v--)
		if (t->lapic[vcpu].in_service[v])
			return v;
	return -1;
}

/* The EOI left: it resolves what is in flight of the vector on this vCPU. */
static void left_guest(struct truth *t, uint32_t vcpu, uint8_t vector, bool suppressed)
{
	bool live = false, residue = false;

	for (uint32_t n = 0; t->open[vector] && n < t->pins; n++) {
		struct truth_pin *p = &t->pin[n];
		uint8_t *stage = stage_of(t, vcpu, n);

		if (p->vector != vector || *stage == NOWHERE)
			continue;
		if (*stage == RESIDUE || !is_open(p)) {
			residue = true;
			*stage = NOWHERE;
			continue;
		}
		live = true;
		*stage = suppressed ? WAITING : NOWHERE;
		if (suppressed)
			p->state = TRUTH_WAITS;
		else
			close_delivery(t, n);
	}
	if (live && !suppressed)
		t->counts.necessary++;
	else if (residue)
		t->counts.redundant++;
	else
		t->counts.superfluous++;
}

/* Is the delivery still with a vCPU in this stage? */
static bool is_with_any(struct truth *t, uint32_t pin, enum stage stage)
{
	return memchr(stage_of(t, 0, pin), (int)stage, t->vcpus) != NULL;
}

static bool has_takers(struct truth *t, uint32_t pin)
{
	return is_with_any(t, pin, SENT) || is_with_any(t, pin, PENDING) ||
	       is_with_any(t, pin, SERVING);
}

/* Nobody outside saw it. What is still pending has its own EOI to come. */
static void stayed(struct truth *t, uint32_t vcpu, uint8_t vector, bool suppressed)
{
	t->counts.elided++;
	for (uint32_t n = 0; t->open[vector] && n < t->pins; n++) {
		struct truth_pin *p = &t->pin[n];
		uint8_t *stage = stage_of(t, vcpu, n);

		if (p->vector != vector || (*stage != SERVING && *stage != RESIDUE))
			continue;
		*stage = *stage == SERVING && suppressed ? WAITING : NOWHERE;
		if (p->state != TRUTH_OPEN || has_takers(t, n))
			continue;
		p->state = is_with_any(t, n, WAITING) ? TRUTH_WAITS : TRUTH_UNSEEN;
		p->taker = vcpu;
	}
}

void truth_eoi(struct truth *t, uint32_t vcpu, uint8_t vector, bool left)
{
	struct truth_lapic *l = &t->lapic[vcpu];
	bool suppressed = (l->svr & LW_SVR_SUPPRESS) != 0;

	l->in_service[vector] = false;
	l->serving[vector] = 0;
	if (left)
		left_guest(t, vcpu, vector, suppressed);
	else
		stayed(t, vcpu, vector, suppressed);
}

void truth_eoi_register(struct truth *t, uint32_t first, uint32_t pins, uint8_t vector)
{
	for (uint32_t n = first; n < first + pins; n++) {
		struct truth_pin *p = &t->pin[n];

		if (p->state == TRUTH_NONE || p->state == TRUTH_LOST)
			continue;
		if (p->vector == vector || (p->rte & LW_RTE_VECTOR) == vector)
			close_delivery(t, n);
	}
}

/* INIT drops what the vCPU held. A delivery that nobody else holds ends with it. */
void truth_init(struct truth *t, uint32_t vcpu)
{
	struct truth_lapic *l = &t->lapic[vcpu];

	for (uint32_t n = 0; n < t->pins; n++) {
		struct truth_pin *p = &t->pin[n];
		uint8_t *stage = stage_of(t, vcpu, n);
		bool held = *stage != NOWHERE && *stage != RESIDUE;

		*stage = NOWHERE;
		if (held && is_open(p) && !has_takers(t, n) && !is_with_any(t, n, WAITING))
			close_delivery(t, n);
	}
	memset(l, 0, sizeof(*l));
	l->svr = 0xff;
}

/* ---- judgement ---- */

static void lose(struct truth *t, struct truth_pin *p)
{
	if (p->state == TRUTH_UNSEEN)
		t->counts.elided--;
	t->counts.lost++;
	p->state = TRUTH_LOST;
}

/* Another interrupt of the same pair is pending or in service: nobody outside can tell its EOI from
 * the one that was not seen, and it may stand for both. */
static bool may_be_told(const struct truth *t, const struct truth_pin *p)
{
	const struct truth_lapic *l = &t->lapic[p->taker];

	return p->state == TRUTH_UNSEEN &&
	       (l->sent[p->vector] || l->pending[p->vector] || l->serving[p->vector]);
}

uint32_t truth_check(struct truth *t)
{
	uint32_t found = 0;

	for (uint32_t n = 0; n < t->pins; n++) {
		struct truth_pin *p = &t->pin[n];

		if (!p->sources || !is_level(p) || p->rte & LW_RTE_MASK || p->delayed ||
		    is_open(p) || p->state == TRUTH_LOST || may_be_told(t, p) ||
		    !somebody_accepts(t, p))
			continue;
		lose(t, p);
		found++;
	}
	return found;
}

void truth_close_books(struct truth *t)
{
	for (uint32_t n = 0; n < t->vcpus; n++)
		for (uint32_t v = 0; v < 256; v++)
			if (t->lapic[n].sent[v] || t->lapic[n].pending[v])
				t->counts.lost++;
}

void truth_read(struct truth *t, uint32_t gsi, bool remote_irr)
{
	struct truth_pin *p = &t->pin[gsi];

	if (p->state != TRUTH_UNSEEN || (remote_irr && may_be_told(t, p)))
		return;
	if (remote_irr)
		lose(t, p);
	else
		p->state = TRUTH_NONE;
}

/* SPDX-License-Identifier: MIT */
#include "model/naive_ioapic.h"

#include <string.h>

#define STORM 10000

/* Only fixed and lowest-priority deliveries end by an EOI (82093AA, 3.2.4). */
static bool by_level(const struct naive_pin *p)
{
	return p->level && (p->delivery == LW_DM_FIXED || p->delivery == LW_DM_LOWEST);
}

static bool asserted(const struct naive_ioapic *n, const struct naive_pin *p)
{
	bool high = false;

	for (int s = 0; s < 32; s++)
		high = high || p->source[s];
	return n->config.flags & LW_IOAPIC_ELECTRICAL && p->low ? !high : high;
}

static void forget_delivery(struct naive_pin *p)
{
	p->remote_irr = p->anybody = p->several = false;
	memset(p->taker, 0, sizeof(p->taker));
	memset(p->residue, 0, sizeof(p->residue));
	p->delivered = 0;
}

/* ---- out ---- */

static void send(struct naive_ioapic *n, struct naive_pin *p)
{
	struct lw_msg msg = {.dest = (uint32_t)p->dest,
			     .vector = (uint8_t)p->vector,
			     .delivery = (uint8_t)p->delivery,
			     .logical = p->logical,
			     .level = by_level(p)};
	struct naive_takers t = {.any = false};
	int count = 0;
	bool somebody;

	forget_delivery(p); /* a pin keeps the rest of one delivery, and that no longer than this */
	if (p->delivery != 3 && p->delivery != 6) /* reserved */
		n->deliver(n->ctx, n->config.gsi_base + (uint32_t)(p - n->pin), &msg, &t);
	for (int v = 0; v < NAIVE_VCPUS; v++)
		count += t.took[v];
	somebody = t.any || count;
	if (!somebody)
		n->counters.refused++;
	if (!by_level(p)) {
		n->counters.edges += somebody;
		return;
	}
	p->refused = !somebody;
	if (!somebody)
		return;
	n->counters.deliveries++;
	p->remote_irr = true;
	p->delivered = p->vector;
	p->anybody = t.any;
	p->several = !t.any && count > 1;
	memcpy(p->taker, t.took, sizeof(p->taker));
}

static void look_at(struct naive_ioapic *n, struct naive_pin *p)
{
	if (by_level(p) && asserted(n, p) && !p->masked && !p->delayed && !p->sampling &&
	    !p->remote_irr)
		send(n, p);
}

/* ---- the end of a delivery ---- */

/* Those who took it beside the one that ends it are left over. */
static void end(struct naive_ioapic *n, struct naive_pin *p, int by)
{
	bool many = p->several, left[NAIVE_VCPUS];
	int vector = p->delivered;

	memcpy(left, p->taker, sizeof(left));
	forget_delivery(p);
	for (int v = 0; many && v < NAIVE_VCPUS; v++)
		p->residue[v] = left[v] && v != by;
	if (many)
		p->delivered = vector;
	if (p->notify)
		p->sampling = p->owes_resample = n->owing = true;
}

static void deliver_again(struct naive_ioapic *n, struct naive_pin *p)
{
	if (p->sampling)
		return;
	if (!by_level(p) || !asserted(n, p)) {
		p->eois = 0;
		return;
	}
	p->eois++;
	if (p->eois == STORM) {
		p->eois = 0;
		p->delayed = p->owes_storm = n->owing = true;
		n->counters.storms++;
		return;
	}
	look_at(n, p);
}

/* What is owed, one at a time; whoever is told may call the chip. */
static void tell(struct naive_ioapic *n)
{
	if (n->telling)
		return;
	n->telling = true;
	while (n->owing) {
		struct naive_pin *p = NULL;
		bool sample = true;
		uint32_t gsi;

		for (uint32_t pin = n->config.pins; pin-- > 0;)
			if (n->pin[pin].owes_resample)
				p = &n->pin[pin];
		for (uint32_t pin = n->config.pins; sample && !p && pin-- > 0;)
			if (n->pin[pin].owes_storm)
				sample = false;
		for (uint32_t pin = n->config.pins; !sample && pin-- > 0;)
			if (n->pin[pin].owes_storm)
				p = &n->pin[pin];
		if (!p) {
			n->owing = false;
			break;
		}
		gsi = n->config.gsi_base + (uint32_t)(p - n->pin);
		if (!sample) {
			p->owes_storm = false;
			n->storm(n->ctx, gsi);
			continue;
		}
		p->owes_resample = false;
		n->resample(n->ctx, gsi);
		p->sampling = false;
		deliver_again(n, p);
	}
	n->telling = false;
}

bool naive_ioapic_in_flight(const struct naive_ioapic *n, uint32_t vcpu, uint8_t vector)
{
	for (uint32_t pin = 0; pin < n->config.pins; pin++) {
		const struct naive_pin *p = &n->pin[pin];

		if (p->remote_irr && p->delivered == vector && (p->anybody || p->taker[vcpu]))
			return true;
	}
	return false;
}

/* Rule 1: all of the pair's end, and then what is still asserted goes out anew. */
enum lw_eoi_class naive_ioapic_eoi(struct naive_ioapic *n, uint32_t vcpu, uint8_t vector)
{
	bool strict = n->config.flags & LW_IOAPIC_STRICT, ended[LW_IOAPIC_MAX_PINS] = {false};
	enum lw_eoi_class found = LW_EOI_SUPERFLUOUS;

	for (uint32_t pin = 0; pin < n->config.pins; pin++) {
		struct naive_pin *p = &n->pin[pin];
		bool mine = p->delivered == vector && (p->anybody || p->taker[vcpu]);

		if (strict)
			mine = by_level(p) && p->vector == vector;
		if (p->remote_irr && mine) {
			end(n, p, strict ? -1 : (int)vcpu);
			n->counters.resolved++;
			ended[pin] = true;
			found = LW_EOI_NECESSARY;
		} else if (!strict && p->residue[vcpu] && p->delivered == vector) {
			p->residue[vcpu] = false;
			if (found == LW_EOI_SUPERFLUOUS)
				found = LW_EOI_REDUNDANT;
		}
	}
	if (found == LW_EOI_REDUNDANT)
		n->counters.redundant++;
	for (uint32_t pin = 0; pin < n->config.pins; pin++)
		if (ended[pin])
			deliver_again(n, &n->pin[pin]);
	tell(n);
	return found;
}

static void eoi_register(struct naive_ioapic *n, int vector)
{
	for (uint32_t pin = 0; pin < n->config.pins; pin++) {
		struct naive_pin *p = &n->pin[pin];

		if (!p->remote_irr || (p->delivered != vector && p->vector != vector))
			continue;
		end(n, p, -1);
		n->counters.resolved++;
		deliver_again(n, p);
	}
}

void naive_ioapic_forget(struct naive_ioapic *n, uint32_t vcpu)
{
	for (uint32_t pin = 0; pin < n->config.pins; pin++) {
		struct naive_pin *p = &n->pin[pin];
		bool others = false;

		p->residue[vcpu] = false;
		if (!p->remote_irr || p->anybody || !p->taker[vcpu])
			continue;
		for (int v = 0; v < NAIVE_VCPUS; v++)
			others = others || (p->taker[v] && v != (int)vcpu);
		if (others) {
			p->taker[vcpu] = false;
			continue;
		}
		end(n, p, (int)vcpu);
		deliver_again(n, p);
	}
	tell(n);
}

void naive_ioapic_retry(struct naive_ioapic *n)
{
	for (uint32_t pin = 0; pin < n->config.pins; pin++)
		if (n->pin[pin].refused)
			look_at(n, &n->pin[pin]);
	tell(n);
}

/* ---- registers ---- */

static uint64_t rte(const struct naive_ioapic *n, const struct naive_pin *p)
{
	uint64_t value = (uint64_t)p->vector + ((uint64_t)p->delivery << 8) +
			 ((uint64_t)(p->dest & 255) << 56);

	value += p->logical ? 1u << 11 : 0;
	value += p->refused ? 1u << 12 : 0;
	value += p->low ? 1u << 13 : 0;
	value += p->remote_irr ? 1u << 14 : 0;
	value += p->level ? 1u << 15 : 0;
	value += p->masked ? 1u << 16 : 0;
	if (n->config.flags & LW_IOAPIC_EXT_DEST)
		value += (uint64_t)(p->dest / 256) << 49;
	return value;
}

static void set_rte(struct naive_ioapic *n, struct naive_pin *p, uint64_t value)
{
	bool was = by_level(p);

	p->vector = (int)(value % 256);
	p->delivery = (int)(value >> 8 & 7);
	p->logical = value >> 11 & 1;
	p->low = value >> 13 & 1;
	p->level = value >> 15 & 1;
	p->masked = value >> 16 & 1;
	p->dest = (int)(value >> 56);
	if (n->config.flags & LW_IOAPIC_EXT_DEST)
		p->dest += (int)(value >> 49 & 127) * 256;
	if (was && !by_level(p)) {
		p->eois = 0;
		p->refused = false;
		if (p->remote_irr)
			end(n, p, -1);
	}
	if (p->masked || !asserted(n, p))
		p->refused = false;
	look_at(n, p);
}

static uint32_t get(const struct naive_ioapic *n, uint32_t index)
{
	uint32_t pin = (index - 16) / 2;

	if (index == 0 || index == 2)
		return (uint32_t)n->id << 24;
	if (index == 1)
		return n->config.version + ((n->config.pins - 1) << 16);
	if (index < 16 || pin >= n->config.pins)
		return 0;
	return (uint32_t)(rte(n, &n->pin[pin]) >> (index % 2 ? 32 : 0));
}

static void set(struct naive_ioapic *n, uint32_t index, uint32_t value)
{
	uint32_t pin = (index - 16) / 2;
	uint64_t old;

	if (index == 0)
		n->id = (int)(value >> 24) % 16;
	if (index < 16 || pin >= n->config.pins)
		return;
	old = rte(n, &n->pin[pin]);
	if (index % 2)
		set_rte(n, &n->pin[pin], (old & 0xffffffff) + ((uint64_t)value << 32));
	else
		set_rte(n, &n->pin[pin], (old >> 32 << 32) + value);
}

uint32_t naive_ioapic_read(struct naive_ioapic *n, uint32_t index)
{
	return get(n, index);
}

void naive_ioapic_write(struct naive_ioapic *n, uint32_t index, uint32_t value)
{
	set(n, index, value);
	tell(n);
}

static uint64_t low_bytes(uint64_t value, size_t len)
{
	return len >= 8 ? value : value & ((1ull << 8 * len) - 1);
}

uint64_t naive_ioapic_mmio_read(struct naive_ioapic *n, uint64_t offset, size_t len)
{
	if (offset == 0)
		return low_bytes((uint64_t)n->select, len);
	return offset == 0x10 ? low_bytes(get(n, (uint32_t)n->select), len) : 0;
}

void naive_ioapic_mmio_write(struct naive_ioapic *n, uint64_t offset, uint64_t value, size_t len)
{
	uint32_t v = (uint32_t)low_bytes(value, len);

	if (offset == 0)
		n->select = (int)(v & (n->config.pins > 120 ? 511 : 255));
	else if (offset == 0x10 && len >= 4)
		set(n, (uint32_t)n->select, v);
	else if (offset == 0x40 && len >= 4 && n->config.version == 0x20)
		eoi_register(n, (int)(v & 255));
	tell(n);
}

/* ---- lines ---- */

void naive_ioapic_line(struct naive_ioapic *n, uint32_t pin, uint32_t source, bool level)
{
	struct naive_pin *p = &n->pin[pin];
	bool before = asserted(n, p), after;

	p->source[source] = level;
	after = asserted(n, p);
	if (before && !after) {
		p->eois = 0;
		p->refused = false;
	}
	if (!before && after && !by_level(p) && !p->masked)
		send(n, p);
	if (!before && after)
		look_at(n, p);
	tell(n);
}

void naive_ioapic_notify(struct naive_ioapic *n, uint32_t pin, bool on)
{
	n->pin[pin].notify = on;
}

void naive_ioapic_resume(struct naive_ioapic *n, uint32_t pin)
{
	if (!n->pin[pin].delayed)
		return;
	n->pin[pin].delayed = false;
	look_at(n, &n->pin[pin]);
	tell(n);
}

void naive_ioapic_reset(struct naive_ioapic *n)
{
	n->select = 0;
	n->id = n->config.id;
	for (uint32_t pin = 0; pin < n->config.pins; pin++) {
		struct naive_pin *p = &n->pin[pin];

		set_rte(n, p, LW_RTE_MASK);
		forget_delivery(p);
		p->refused = p->delayed = p->sampling = false;
	}
	tell(n);
}

void naive_ioapic_init(struct naive_ioapic *n)
{
	memset(n->pin, 0, sizeof(n->pin));
	memset(&n->counters, 0, sizeof(n->counters));
	n->telling = n->owing = false;
	n->select = 0;
	n->id = n->config.id;
	for (uint32_t pin = 0; pin < LW_IOAPIC_MAX_PINS; pin++)
		n->pin[pin].masked = true;
}

/* SPDX-License-Identifier: MIT */
/* Posting, priorities, EOI, and who is meant by a message. */
#include <errno.h>
#include <string.h>

#include "lapic_priv.h"

#define SVR_RESET 0xffu
#define DFR_FLAT  0xffffffffu
#define NO_VECTOR 256u

static void no_eoi(void *ctx, uint32_t vcpu, uint8_t vector, bool broadcast)
{
	(void)ctx;
	(void)vcpu;
	(void)vector;
	(void)broadcast;
}

static const struct lw_lapic_ops no_ops;

/* The higher class of TPR and of what is in service; TPR whole if it is not below (11.8.3.1). */
static uint32_t priority(const struct lw_lapic *l)
{
	uint32_t class = l->der.top & 0xf0u;

	return (l->own.tpr & 0xf0u) >= class ? l->own.tpr : class;
}

static uint32_t how_busy(const struct lw_lapic *l)
{
	uint32_t busy = 0;
	int top = lw_set_highest(l->own.isr);

	if (lw_set_highest(l->own.irr) >= 0)
		busy |= BUSY_PENDING;
	if (top >= 0)
		busy |= BUSY_SERVING;
	if (top >= 0 && lw_set_lowest(l->own.isr) != top)
		busy |= BUSY_NESTED;
	if (l->own.lvt[LVT_LINT0] & LVT_REMOTE_IRR)
		busy |= BUSY_LINT;
	if (l->ops->threshold)
		busy |= BUSY_THRESHOLD;
	if (load(l->shared.mode) == LW_LAPIC_DISABLED)
		busy |= BUSY_OFF;
	return busy;
}

void lw_lapic_derive(struct lw_lapic *l)
{
	l->der.busy = how_busy(l);
	l->der.top = l->der.busy & BUSY_SERVING ? (uint8_t)lw_set_highest(l->own.isr) : 0;
	store(l->shared.ppr, priority(l));
}

void lw_lapic_set_svr(struct lw_lapic *l, uint32_t svr)
{
	store(l->shared.svr, svr);
	store(l->shared.floor, svr & LW_SVR_ENABLE ? LW_FIRST_VECTOR : NO_VECTOR);
	l->der.broadcast = !(svr & LW_SVR_SUPPRESS);
}

static void power_on(struct lw_lapic *l)
{
	/* In this order no poster can leave a vector behind that nobody is told of: it is refused,
	 * or its vector is cleared, or it clears `idle` again. */
	lw_lapic_set_svr(l, SVR_RESET);
	atomic_exchange(&l->shared.idle, 1);
	atomic_exchange(&l->shared.dirty, 0);
	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		l->counters.dropped +=
			lw_word_count(l->own.irr[w] | atomic_exchange(&l->shared.posted[w], 0) |
				      atomic_exchange(&l->shared.posted[w + LW_SET_WORDS], 0));
	store(l->shared.errors, 0);
	store(l->shared.ldr, 0);
	store(l->shared.dfr, DFR_FLAT);
	memset(l->own.irr, 0, sizeof(l->own.irr));
	memset(l->own.isr, 0, sizeof(l->own.isr));
	memset(l->own.tmr, 0, sizeof(l->own.tmr));
	l->own.tpr = 0;
	l->own.esr = 0;
	l->own.icr = 0;
	l->own.dest = 0;
	for (uint32_t n = 0; n < LVTS; n++)
		l->own.lvt[n] = LVT_MASKED; /* and remote IRR clear */
	lw_lapic_listen(l);
	l->own.raised = 0;
	l->own.lint_vector = 0;
	l->own.timer.dcr = 0;
	lw_lapic_stop_timer(l);
	lw_lapic_derive(l);
}

static bool width_can_be(uint8_t bits)
{
	return !bits || (bits >= MIN_PHYS_BITS && bits <= MAX_PHYS_BITS);
}

/* What a config leaves open, and whether the products of lapic_timer.c fit. */
static bool set_clock(struct lw_lapic_clock *clock)
{
	if (!clock->bus_ns && !clock->bus_ticks)
		clock->bus_ns = clock->bus_ticks = 1;
	if (!clock->tsc_khz)
		clock->tsc_khz = 1000000u;
	return clock->bus_ns && clock->bus_ns <= LW_CLOCK_MAX && clock->bus_ticks &&
	       clock->bus_ticks <= LW_CLOCK_MAX;
}

int lw_lapic_init(struct lw_lapic *storage, const struct lw_lapic_config *config)
{
	struct lw_lapic_clock clock;
	uint32_t limit;

	if (!storage || (uintptr_t)storage % LW_LAPIC_ALIGN || !config)
		return -EINVAL;
	limit = config->x2apic ? BROADCAST : XAPIC_BROADCAST;
	clock = config->clock;
	if (config->id >= limit || !set_clock(&clock) || !width_can_be(config->phys_bits) ||
	    (config->x2apic && config->xapic_only))
		return -EINVAL;
	memset(storage, 0, sizeof(*storage));
	storage->ops = config->ops ? config->ops : &no_ops;
	storage->eoi = storage->ops->eoi ? storage->ops->eoi : no_eoi;
	storage->ctx = config->ctx;
	storage->vcpu = config->vcpu;
	storage->own.base = APIC_BASE_DEFAULT | (config->bsp ? APIC_BASE_BSP : 0);
	storage->own.phys_bits = config->phys_bits ? config->phys_bits : MAX_PHYS_BITS;
	storage->own.xapic_only = config->xapic_only;
	store(storage->shared.mode, config->x2apic ? LW_LAPIC_X2APIC : LW_LAPIC_XAPIC);
	storage->own.timer.clock = clock;
	store(storage->shared.id, config->id);
	power_on(storage);
	return 0;
}

bool lw_lapic_accepts(const struct lw_lapic *l)
{
	return (load(l->shared.svr) & LW_SVR_ENABLE) != 0;
}

uint8_t lw_lapic_ppr(const struct lw_lapic *l)
{
	return (uint8_t)load(l->shared.ppr);
}

uint32_t lw_lapic_id(const struct lw_lapic *l)
{
	return is_x2apic(l) ? load(l->shared.id) : load(l->shared.id) & 0xffu;
}

/* As long as the bit stays nobody has looked, and whoever set it owes the kick. */
static LW_COLD enum lw_post refuse(struct lw_lapic *l, uint8_t vector)
{
	uint32_t before;

	if (!lw_lapic_accepts(l) || vector >= LW_FIRST_VECTOR)
		return LW_POST_REFUSED;
	lw_lapic_log(l, ESR_RECEIVED_ILLEGAL);
	before = atomic_fetch_or_explicit(&l->shared.dirty, DIRTY_ERRORS, memory_order_release);
	return before & DIRTY_ERRORS ? LW_POST_REFUSED : LW_POST_ILLEGAL;
}

/*
 * The results of the two `or`s are not used: with them, a compiler must emit a compare-and-swap
 * loop, and posting would no longer be wait-free. The map is written before `dirty` and that before
 * `idle`, so an owner that finds `idle` set has nothing to merge whose poster does not yet owe it a
 * kick.
 */
enum lw_post lw_lapic_post(struct lw_lapic *l, uint8_t vector, bool level)
{
	uint32_t word = vector / 64u;

	if (vector < load(l->shared.floor))
		return refuse(l, vector);
	if (level)
		word += LW_SET_WORDS;
	atomic_fetch_or_explicit(&l->shared.posted[word], lw_bit(vector), memory_order_release);
	atomic_fetch_or_explicit(&l->shared.dirty, 1u << word, memory_order_release);
	return (enum lw_post)atomic_exchange_explicit(&l->shared.idle, 0, memory_order_acq_rel);
}

static inline bool is_posted(const struct lw_lapic *l)
{
	return !atomic_load_explicit(&l->shared.idle, memory_order_acquire);
}

/* Which words of `posted` are to be merged. */
static inline uint32_t claim(struct lw_lapic *l)
{
	atomic_exchange_explicit(&l->shared.idle, 1, memory_order_acq_rel);
	l->counters.merges++;
	return atomic_exchange_explicit(&l->shared.dirty, 0, memory_order_acquire);
}

/* What was posted in a word, with its TMR bits set right. */
static inline uint64_t take_posted(struct lw_lapic *l, uint32_t word)
{
	uint32_t w = word % LW_SET_WORDS;
	uint64_t bits = atomic_exchange_explicit(&l->shared.posted[word], 0, memory_order_acquire);

	if (word < LW_SET_WORDS)
		l->own.tmr[w] &= ~bits;
	else
		l->own.tmr[w] |= bits;
	return bits;
}

/* What was posted by who had looked at `floor` before the LAPIC went off. */
static LW_COLD void drop_pending(struct lw_lapic *l)
{
	for (uint32_t w = 0; w < LW_SET_WORDS; w++) {
		l->counters.dropped += lw_word_count(l->own.irr[w]);
		l->own.irr[w] = l->own.tmr[w] = 0;
	}
}

/* Edges come first, so that a level of the same vector has the last word in TMR. */
static void merge(struct lw_lapic *l, uint32_t dirty)
{
	for (uint32_t word = 0; word < POSTED_WORDS; word++)
		if (dirty >> word & 1u)
			l->own.irr[word % LW_SET_WORDS] |= take_posted(l, word);
	if (l->der.busy & BUSY_OFF)
		drop_pending(l);
	else
		l->der.busy |= BUSY_PENDING;
	if (dirty & DIRTY_ERRORS)
		lw_lapic_raise_errors(l);
}

/* Whoever posts what is no vector owes no kick, so it is found whether `idle` is set or not. */
static LW_COLD void merge_errors(struct lw_lapic *l)
{
	atomic_fetch_and_explicit(&l->shared.dirty, ~DIRTY_ERRORS, memory_order_acquire);
	lw_lapic_raise_errors(l);
}

void lw_lapic_sync(struct lw_lapic *l)
{
	if (is_posted(l))
		merge(l, claim(l));
	else if (load(l->shared.dirty) & DIRTY_ERRORS)
		merge_errors(l);
}

void lw_lapic_log(struct lw_lapic *l, uint32_t bits)
{
	atomic_fetch_or_explicit(&l->shared.errors, bits, memory_order_relaxed);
}

/* The owner needs no request map: it is here. */
void lw_lapic_take(struct lw_lapic *l, uint8_t vector, bool level)
{
	if (!lw_lapic_accepts(l))
		return;
	lw_lapic_sync(l); /* what was posted before came before */
	l->counters.own++;
	lw_set_add(l->own.irr, vector);
	l->der.busy |= BUSY_PENDING;
	if (level)
		lw_set_add(l->own.tmr, vector);
	else
		lw_set_del(l->own.tmr, vector);
}

/* The class of the highest pending vector, if nothing but TPR is in its way. */
static uint32_t threshold(const struct lw_lapic *l)
{
	int pending = lw_set_highest(l->own.irr);

	if (pending < 0 || pending >> 4 <= l->der.top >> 4 ||
	    (uint32_t)pending >> 4 > l->own.tpr >> 4)
		return 0;
	return (uint32_t)pending >> 4;
}

static void look_at_threshold(struct lw_lapic *l)
{
	uint32_t now = threshold(l);

	if (now == l->own.threshold)
		return;
	l->own.threshold = now;
	l->ops->threshold(l->ctx, l->vcpu, (uint8_t)now);
}

/* After all that IRR, ISR or TPR has gone through. Costs no call where nobody heeds it. */
static inline void tell_threshold(struct lw_lapic *l)
{
	if (l->der.busy & BUSY_THRESHOLD)
		look_at_threshold(l);
}

void lw_lapic_set_tpr(struct lw_lapic *l, uint32_t tpr)
{
	l->own.tpr = tpr;
	store(l->shared.ppr, priority(l));
	tell_threshold(l);
}

/* Its class exceeds PPR's, which is PPR's upper half, if it does so without its own lower half. */
static inline bool exceeds_ppr(const struct lw_lapic *l, uint32_t vector)
{
	return (vector & 0xf0u) > load(l->shared.ppr);
}

int lw_lapic_pending(struct lw_lapic *l)
{
	int vector;

	lw_lapic_sync(l);
	tell_threshold(l);
	vector = lw_set_highest(l->own.irr);
	return vector >= 0 && exceeds_ppr(l, (uint32_t)vector) ? vector : -1;
}

/* What is taken is of a higher class than TPR and all that is in service: it is PPR from now on. */
static inline int serve(struct lw_lapic *l, uint32_t vector)
{
	l->der.top = (uint8_t)vector;
	store(l->shared.ppr, vector & 0xf0u);
	l->counters.accepted++;
	return (int)vector;
}

static LW_COLD int accept_any(struct lw_lapic *l)
{
	int vector = lw_lapic_pending(l);

	if (vector < 0)
		return -1;
	lw_set_del(l->own.irr, (uint32_t)vector);
	lw_set_add(l->own.isr, (uint32_t)vector);
	l->der.busy |= l->der.busy & BUSY_SERVING ? BUSY_NESTED : BUSY_SERVING;
	return serve(l, (uint32_t)vector);
}

static LW_COLD int merge_and_accept(struct lw_lapic *l, uint32_t dirty)
{
	merge(l, dirty);
	return accept_any(l);
}

/* The short way: what was posted, to a LAPIC that has nothing else, lies in one word. */
int lw_lapic_accept(struct lw_lapic *l)
{
	uint32_t dirty, word, vector;
	uint64_t bits;

	if (l->der.busy || !is_posted(l))
		return accept_any(l);
	dirty = claim(l);
	if (dirty & (dirty - 1) || dirty - 1 >= DIRTY_ERRORS - 1)
		return merge_and_accept(l, dirty);
	word = (uint32_t)__builtin_ctz(dirty);
	bits = take_posted(l, word);
	if (!bits)
		return -1;
	word %= LW_SET_WORDS;
	vector = word << 6 | lw_word_high(bits);
	if (!exceeds_ppr(l, vector)) {
		l->own.irr[word] = bits;
		l->der.busy = BUSY_PENDING;
		return -1;
	}
	l->own.isr[word] = lw_bit(vector);
	l->der.busy = BUSY_SERVING;
	bits ^= lw_bit(vector);
	if (bits) {
		l->own.irr[word] = bits;
		l->der.busy |= BUSY_PENDING;
	}
	return serve(l, vector);
}

static LW_COLD int eoi_any(struct lw_lapic *l, uint8_t vector)
{
	lw_set_del(l->own.isr, vector);
	lw_lapic_derive(l);
	if (l->der.busy & BUSY_LINT)
		lw_lapic_lint_eoi(l, vector);
	tell_threshold(l);
	l->eoi(l->ctx, l->vcpu, vector, l->der.broadcast);
	return vector;
}

/* The short way: it was the only one in service, and nothing waits. */
int lw_lapic_eoi(struct lw_lapic *l)
{
	uint8_t vector = l->der.top;

	if (!vector)
		return -1;
	l->counters.eois++;
	if (l->der.busy != BUSY_SERVING)
		return eoi_any(l, vector);
	l->own.isr[vector / 64u] = 0;
	l->der.busy = 0;
	l->der.top = 0;
	store(l->shared.ppr, l->own.tpr);
	l->eoi(l->ctx, l->vcpu, vector, l->der.broadcast);
	return vector;
}

bool lw_lapic_holds(const struct lw_lapic *l, uint8_t vector)
{
	uint32_t w = vector >> 6;
	uint64_t bits =
		atomic_load_explicit(&l->shared.posted[w], memory_order_acquire) |
		atomic_load_explicit(&l->shared.posted[w + LW_SET_WORDS], memory_order_acquire);

	return ((bits | l->own.irr[w] | l->own.isr[w]) & lw_bit(vector)) != 0;
}

bool lw_lapic_irr(const struct lw_lapic *l, uint8_t vector)
{
	return lw_set_test(l->own.irr, vector);
}

bool lw_lapic_isr(const struct lw_lapic *l, uint8_t vector)
{
	return lw_set_test(l->own.isr, vector);
}

bool lw_lapic_tmr(const struct lw_lapic *l, uint8_t vector)
{
	return lw_set_test(l->own.tmr, vector);
}

bool lw_lapic_suppresses(const struct lw_lapic *l)
{
	return (load(l->shared.svr) & LW_SVR_SUPPRESS) != 0;
}

void lw_lapic_tell_changed(const struct lw_lapic *l)
{
	if (l->ops->changed)
		l->ops->changed(l->ctx, l->vcpu);
}

void lw_lapic_clear(struct lw_lapic *l)
{
	bool suppressed = lw_lapic_suppresses(l);

	power_on(l);
	tell_threshold(l);
	if (suppressed && l->ops->broadcast)
		l->ops->broadcast(l->ctx, l->vcpu, false);
}

uint8_t lw_lapic_cr8(const struct lw_lapic *l)
{
	return (uint8_t)(l->own.tpr >> 4);
}

int lw_lapic_set_cr8(struct lw_lapic *l, uint64_t value)
{
	if (value >> 4)
		return 1;
	lw_lapic_set_tpr(l, (uint32_t)value << 4);
	return 0;
}

void lw_lapic_reset(struct lw_lapic *l)
{
	lw_lapic_clear(l);
	lw_lapic_tell_changed(l);
}

/* x2APIC derives the logical id: cluster in the upper half, one of sixteen below (11.12.10.2). */
uint32_t lw_lapic_logical_id(const struct lw_lapic *l)
{
	uint32_t id = load(l->shared.id);

	return is_x2apic(l) ? (id >> 4) << 16 | 1u << (id & 15u) : load(l->shared.ldr) >> 24;
}

static bool is_flat(const struct lw_lapic *l)
{
	return load(l->shared.dfr) >> 28 == 0xf;
}

struct lw_lapic_address lw_lapic_address(const struct lw_lapic *l)
{
	return (struct lw_lapic_address){
		.mode = lw_lapic_mode(l),
		.id = load(l->shared.id),
		.ldr = (uint8_t)(load(l->shared.ldr) >> 24),
		.flat = is_flat(l),
	};
}

static bool matches_logical(const struct lw_lapic *l, uint32_t dest)
{
	uint32_t mine = lw_lapic_logical_id(l);

	if (is_x2apic(l))
		return dest >> 16 == mine >> 16 && (dest & mine & 0xffffu);
	if (is_flat(l))
		return (dest & mine & 0xffu) != 0;
	return (dest >> 4 & 0xfu) == mine >> 4 && (dest & mine & 0xfu);
}

bool lw_lapic_matches(const struct lw_lapic *l, const struct lw_msg *msg)
{
	uint32_t mode = load(l->shared.mode);

	if (mode == LW_LAPIC_DISABLED)
		return false;
	if (msg->dest == BROADCAST || (mode == LW_LAPIC_XAPIC && msg->dest == XAPIC_BROADCAST))
		return true;
	if (msg->logical)
		return matches_logical(l, msg->dest);
	return msg->dest == lw_lapic_id(l);
}

struct lw_lapic_counters lw_lapic_counters(const struct lw_lapic *l)
{
	struct lw_lapic_counters copy = l->counters;

	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		copy.waiting += lw_word_count(l->own.irr[w] | load(l->shared.posted[w]) |
					      load(l->shared.posted[w + LW_SET_WORDS]));
	return copy;
}

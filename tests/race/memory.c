/* SPDX-License-Identifier: MIT */
/*
 * C11's memory as a machine of views (the release/acquire/relaxed/seq_cst of C++20's wording):
 *
 * - a location has all its values in modification order; a thread may read any that is not older
 *   than what it has seen of that location, and write after any such, but not between a value and
 *   the read-modify-write that read it;
 * - a value carries along what its writer had seen: all of it if written with release, what it had
 *   seen at its last release fence if relaxed; a read-modify-write passes on what it read, too;
 * - a reader with acquire has seen that, too; a relaxed one when it comes to an acquire fence;
 * - accesses that are seq_cst take place in the order in which they are done: such a one neither
 *   reads nor writes before what an earlier such one of that location has read or written;
 * - plain accesses must be ordered by these views.
 *
 * - a read-modify-write whose result nobody looks at, and which does not acquire, may be done later
 *   than what comes after it in its thread, up to the next access of that location or release: as
 *   processors do that send it to the cache and go on.
 *
 * What is not in it: other loads that get their value from a store that is only done later (load
 * buffering), which takes a processor that stores before it knows whether it will. No seq_cst
 * fences: there are none in the library.
 */
#include <stdatomic.h>
#include <string.h>

#include "machine.h"

struct value {
	uint64_t bits;
	uint64_t glued; /* by a read-modify-write of the one before */
	struct view view;
};

struct location {
	uint32_t count;
	struct value value[MESSAGES];
};

/* The last accesses to a plain word, by when they were. */
struct plain {
	uint16_t writer, written, read[RACE_THREADS];
};

static struct {
	uint32_t locations, words;
	struct location location[LOCATIONS];
	uint8_t ordered[LOCATIONS]; /* how far seq_cst accesses have come */
	struct view unlocked, kick[RACE_THREADS];
	uint32_t holder;
	bool kicked[RACE_THREADS];
	struct plain plain[PLAIN];
} memory;

static uint8_t width[LOCATIONS];
static void *place[LOCATIONS];

/* ---- views ---- */

static void join(struct view *to, const struct view *from)
{
	for (uint32_t n = 0; n < memory.locations; n++)
		if (from->seen[n] > to->seen[n])
			to->seen[n] = from->seen[n];
	for (uint32_t n = 0; n < race_nthreads; n++)
		if (from->clock[n] > to->clock[n])
			to->clock[n] = from->clock[n];
}

static void each_view(void (*each)(struct view *v, uint32_t l, uint32_t n), uint32_t l, uint32_t n)
{
	for (uint32_t t = 0; t < race_nthreads; t++) {
		each(&race_thread[t].now, l, n);
		each(&race_thread[t].read, l, n);
		each(&race_thread[t].released, l, n);
		each(&memory.kick[t], l, n);
		for (uint32_t m = 0; m < race_thread[t].lates; m++) {
			each(&race_thread[t].late[m].now, l, n);
			each(&race_thread[t].late[m].released, l, n);
		}
	}
	each(&memory.unlocked, l, n);
	for (uint32_t o = 0; o < memory.locations; o++)
		for (uint32_t m = 0; m < memory.location[o].count; m++)
			each(&memory.location[o].value[m].view, l, n);
}

static void make_room(struct view *v, uint32_t l, uint32_t n)
{
	if (v->seen[l] >= n)
		v->seen[l]++;
}

static void drop(struct view *v, uint32_t l, uint32_t n)
{
	v->seen[l] = v->seen[l] > n ? (uint8_t)(v->seen[l] - n) : 0;
}

/* What has been released so far is told apart from what comes after. */
static void tick(uint32_t thread)
{
	race_thread[thread].now.clock[thread]++;
}

/* ---- values ---- */

static bool releases(int order)
{
	return order == memory_order_release || order == memory_order_acq_rel ||
	       order == memory_order_seq_cst;
}

static bool acquires(int order)
{
	return order == memory_order_acquire || order == memory_order_acq_rel ||
	       order == memory_order_seq_cst || order == memory_order_consume;
}

static uint64_t mask(uint32_t size)
{
	return size < 8 ? (1ull << 8 * size) - 1 : UINT64_MAX;
}

uint64_t memory_combine(const struct op *op, uint64_t before)
{
	uint64_t all = mask(op->size);

	switch (op->kind) {
	case ADD:
		return (before + op->value) & all;
	case AND:
		return before & op->value & all;
	case OR:
		return (before | op->value) & all;
	case XOR:
		return (before ^ op->value) & all;
	default:
		return op->value & all;
	}
}

static uint64_t get(const void *at, uint32_t size)
{
	uint64_t bits = 0;

	memcpy(&bits, at, size);
	return bits;
}

uint64_t memory_direct(const struct op *op, void *at)
{
	uint64_t before = get(at, op->size), after = memory_combine(op, before);

	if (op->kind != LOAD && (op->kind != CAS || before == (op->expected & mask(op->size))))
		memcpy(at, &after, op->size);
	return before;
}

static bool writes(const struct op *op, uint64_t before)
{
	return op->kind != LOAD && (op->kind != CAS || before == (op->expected & mask(op->size)));
}

/* ---- what a thread may do ---- */

static uint32_t earliest(const struct view *now, const struct op *op)
{
	uint32_t from = now->seen[op->location];

	if (op->order == memory_order_seq_cst && memory.ordered[op->location] > from)
		from = memory.ordered[op->location];
	return from;
}

/* May the op read the n-th value, or write behind it? */
static bool may(const struct op *op, uint32_t n)
{
	const struct location *l = &memory.location[op->location];

	return !writes(op, l->value[n].bits) || n + 1 == l->count || !l->value[n + 1].glued;
}

static uint32_t ways_of(const struct view *now, const struct op *op)
{
	uint32_t ways = 0;

	for (uint32_t n = earliest(now, op); n < memory.location[op->location].count; n++)
		ways += may(op, n);
	return ways;
}

/* Must it wait for one of the first `count` that are late? */
static bool waits(const struct thread *t, const struct op *op, uint32_t count)
{
	if (releases(op->order))
		return count > 0;
	for (uint32_t n = 0; n < count; n++)
		if (t->late[n].op.location == op->location)
			return true;
	return false;
}

/* Have all others ended, or sleep with nobody who has kicked them? */
static bool is_alone(uint32_t thread)
{
	for (uint32_t n = 0; n < race_nthreads; n++) {
		const struct thread *t = &race_thread[n];

		if (n != thread &&
		    (t->lates || (!t->done && (t->next.kind != SLEEP || memory.kicked[n]))))
			return false;
	}
	return true;
}

static uint32_t ways_of_next(uint32_t thread)
{
	const struct thread *t = &race_thread[thread];

	if (t->done)
		return 0;
	switch (t->next.kind) {
	case START:
		return 1;
	case LOCK:
		return memory.holder == RACE_THREADS;
	case SLEEP:
		return !t->lates && (memory.kicked[thread] || is_alone(thread));
	case REST:
		return !t->lates && is_alone(thread);
	case FLUSH:
		return !t->lates;
	default:
		return waits(t, &t->next, t->lates) ? 0 : ways_of(&t->now, &t->next);
	}
}

bool memory_could_be_late(const struct op *op)
{
	return !acquires(op->order) && (op->kind == ADD || op->kind == AND || op->kind == OR ||
					op->kind == XOR || op->kind == EXCHANGE);
}

bool memory_waits_for_late(uint32_t thread)
{
	const struct thread *t = &race_thread[thread];

	if (!t->lates)
		return false;
	if (t->done || t->next.kind == FLUSH || t->next.kind == SLEEP || t->next.kind == REST)
		return true;
	return t->next.kind != LOCK && waits(t, &t->next, t->lates);
}

static bool can_be_late(const struct thread *t)
{
	return !t->done && t->lates < LATE && memory_could_be_late(&t->next) &&
	       *site_blind(&t->next) == BLIND;
}

uint32_t memory_ways(uint32_t thread)
{
	const struct thread *t = &race_thread[thread];
	uint32_t ways = ways_of_next(thread) + can_be_late(t);

	for (uint32_t n = 0; n < t->lates; n++)
		if (!waits(t, &t->late[n].op, n))
			ways += ways_of(&t->late[n].now, &t->late[n].op);
	return ways;
}

/* ---- doing it ---- */

static void read_value(struct thread *t, const struct op *op, uint32_t n, int order)
{
	struct value *v = &memory.location[op->location].value[n];

	t->result = v->bits;
	if (t->now.seen[op->location] < n)
		t->now.seen[op->location] = (uint8_t)n;
	join(acquires(order) ? &t->now : &t->read, &v->view);
}

/* `passed`: what its reader will have seen with it. */
static void write_value(struct thread *t, const struct op *op, uint32_t n, struct view *passed)
{
	struct location *l = &memory.location[op->location];
	bool modifies = op->kind != STORE;
	struct value v = {.bits = memory_combine(op, l->value[n].bits), .glued = modifies};

	if (l->count == MESSAGES)
		race_fail("the machine has no room for so many values");
	if (modifies)
		v.view = l->value[n].view;
	memmove(&l->value[n + 2], &l->value[n + 1], (l->count - n - 1) * sizeof(v));
	l->value[n + 1] = v;
	l->count++;
	each_view(make_room, op->location, n + 1);
	if (memory.ordered[op->location] > n)
		memory.ordered[op->location]++;
	t->now.seen[op->location] = (uint8_t)(n + 1);
	join(&l->value[n + 1].view, passed);
	l->value[n + 1].view.seen[op->location] = (uint8_t)(n + 1);
	memcpy(place[op->location], &l->value[l->count - 1].bits, width[op->location]);
}

static void do_access(uint32_t thread, const struct op *op, struct view *now, struct view *released,
		      uint32_t way)
{
	struct thread *t = &race_thread[thread];
	uint32_t n = earliest(now, op);
	bool stores;

	for (;; n++)
		if (may(op, n) && way-- == 0)
			break;
	stores = writes(op, memory.location[op->location].value[n].bits);
	if (op->kind != STORE)
		read_value(t, op, n, stores || op->kind != CAS ? op->order : op->fails);
	if (stores)
		write_value(t, op, n, releases(op->order) ? now : released);
	if (op->order == memory_order_seq_cst)
		memory.ordered[op->location] = (uint8_t)(n + stores);
}

static void wake(uint32_t thread)
{
	struct thread *t = &race_thread[thread];

	t->result = memory.kicked[thread];
	memory.kicked[thread] = false;
	if (t->result)
		join(&t->now, &memory.kick[thread]);
	for (uint32_t l = 0; l < memory.locations && !t->result; l++)
		t->now.seen[l] = (uint8_t)(memory.location[l].count - 1);
	for (uint32_t n = 0; n < race_nthreads && !t->result; n++)
		join(&t->now, &race_thread[n].now);
}

static void do_next(uint32_t thread, uint32_t way)
{
	struct thread *t = &race_thread[thread];

	switch (t->next.kind) {
	case START:
	case FLUSH:
	case REST:
		break;
	case LOCK:
		memory.holder = thread;
		join(&t->now, &memory.unlocked);
		break;
	case SLEEP:
		wake(thread);
		break;
	default:
		do_access(thread, &t->next, &t->now, &t->released, way);
		if (t->next.kind != LOAD && releases(t->next.order))
			tick(thread);
	}
}

static void put_off(uint32_t thread)
{
	struct thread *t = &race_thread[thread];

	t->late[t->lates++] = (struct late){.op = t->next, .now = t->now, .released = t->released};
	t->result = 0;
	if (releases(t->next.order))
		tick(thread);
}

static void catch_up(uint32_t thread, uint32_t n, uint32_t way)
{
	struct thread *t = &race_thread[thread];
	struct late *late = &t->late[n];

	do_access(thread, &late->op, &late->now, &late->released, way);
	t->lates--;
	memmove(late, late + 1, (t->lates - n) * sizeof(*late));
}

enum did memory_do(uint32_t thread, uint32_t way)
{
	struct thread *t = &race_thread[thread];
	uint32_t ways = ways_of_next(thread), n = 0;

	if (way < ways) {
		do_next(thread, way);
		return DID_NEXT;
	}
	way -= ways;
	if (can_be_late(t) && way-- == 0) {
		put_off(thread);
		return PUT_OFF;
	}
	for (;; n++) {
		ways = waits(t, &t->late[n].op, n) ? 0 : ways_of(&t->late[n].now, &t->late[n].op);
		if (way < ways)
			break;
		way -= ways;
	}
	catch_up(thread, n, way);
	return CAUGHT_UP;
}

void memory_fence(uint32_t thread, int order)
{
	struct thread *t = &race_thread[thread];

	if (acquires(order))
		join(&t->now, &t->read);
	if (releases(order)) {
		t->released = t->now;
		tick(thread);
	}
}

void memory_unlock(uint32_t thread)
{
	if (memory.holder != thread)
		race_fail("a thread lets go of a lock that it has not got");
	memory.holder = RACE_THREADS;
	join(&memory.unlocked, &race_thread[thread].now);
	tick(thread);
}

void memory_kick(uint32_t from, uint32_t to)
{
	memory.kicked[to] = true;
	join(&memory.kick[to], &race_thread[from].now);
	tick(from);
}

bool memory_plain(uint32_t thread, uint32_t word, bool write)
{
	struct plain *p = &memory.plain[word];
	const struct view *now = &race_thread[thread].now;
	bool ordered = p->writer == thread || p->written <= now->clock[p->writer];

	for (uint32_t n = 0; n < race_nthreads && write; n++)
		ordered &= n == thread || p->read[n] <= now->clock[n];
	p->read[thread] = now->clock[thread];
	if (write) {
		p->writer = (uint16_t)thread;
		p->written = now->clock[thread];
	}
	return ordered;
}

/* ---- as a whole ---- */

void memory_reset(uint32_t words)
{
	memset(&memory, 0, sizeof(memory));
	memory.holder = RACE_THREADS;
	memory.words = words;
	for (uint32_t t = 0; t < race_nthreads; t++)
		race_thread[t].now.clock[t] = 1;
}

uint8_t memory_add_location(void *at, uint8_t size)
{
	uint32_t n = memory.locations++;

	if (n == LOCATIONS)
		race_fail("the machine has no room for so many locations");
	place[n] = at;
	width[n] = size;
	memory.location[n].count = 1;
	memory.location[n].value[0].bits = get(at, size);
	return (uint8_t)n;
}

/* How far before `limit` the thread may yet read. */
static uint32_t still_seen(const struct thread *t, uint32_t l, uint32_t limit)
{
	if (!t->done && t->now.seen[l] < limit)
		limit = t->now.seen[l];
	for (uint32_t n = 0; n < t->lates; n++)
		if (t->late[n].now.seen[l] < limit)
			limit = t->late[n].now.seen[l];
	return limit;
}

void memory_tidy(void)
{
	for (uint32_t l = 0; l < memory.locations; l++) {
		struct location *o = &memory.location[l];
		uint32_t dead = o->count - 1;

		for (uint32_t t = 0; t < race_nthreads; t++)
			dead = still_seen(&race_thread[t], l, dead);
		if (!dead)
			continue;
		o->count -= dead;
		memmove(&o->value[0], &o->value[dead], o->count * sizeof(o->value[0]));
		o->value[0].glued = false;
		each_view(drop, l, dead);
		memory.ordered[l] =
			memory.ordered[l] > dead ? (uint8_t)(memory.ordered[l] - dead) : 0;
	}
}

void memory_walk(race_each *each)
{
	for (uint32_t l = 0; l < memory.locations; l++) {
		struct location *o = &memory.location[l];

		each(&o->count, sizeof(o->count));
		for (uint32_t n = 0; n < o->count; n++)
			each(&o->value[n], sizeof(o->value[n]));
	}
	each(memory.ordered, memory.locations);
	each(&memory.unlocked, sizeof(memory.unlocked));
	each(memory.kick, race_nthreads * sizeof(memory.kick[0]));
	each(&memory.holder, sizeof(memory.holder));
	each(memory.kicked, sizeof(memory.kicked));
	each(memory.plain, memory.words * sizeof(memory.plain[0]));
}

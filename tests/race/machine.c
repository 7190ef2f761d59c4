/* SPDX-License-Identifier: MIT */
/*
 * Threads as coroutines, and every schedule of them, depth first. A state is all there is: the
 * stacks in use, the regions, the memory's values and views; one that has been met before is not
 * gone into again. So there is no bound, and the search ends where there are finitely many states.
 *
 * An access to what no other thread uses is no step: it could be anywhere. Which words are shared
 * is found out as it goes, and then all is gone through again.
 */
#include "machine.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK    65536u
#define SLACK    512u /* below a stack's mark: what longjmp() returns into */
#define REGIONS  8u
#define SPOTS    8192u /* a power of 2 */
#define PATIENCE 2000u /* steps to go on for when something has been learnt */
#define NOTHING  255u

struct thread race_thread[RACE_THREADS];
uint32_t race_nthreads, race_running = RACE_THREADS;

static _Alignas(64) unsigned char stacks[RACE_THREADS][STACK];
static jmp_buf scheduler, out;
static ucontext_t starter, starting;
static const struct race *scenario;
static const char *failure;
static bool learnt;

static struct {
	unsigned char *at;
	size_t size;
} region[REGIONS];
static uint32_t regions;

static struct {
	uintptr_t at;
	size_t size;
} ignored;

/* ---- words: who uses them ---- */

struct spot {
	uintptr_t at;
	uint32_t size; /* 0: plain */
	uint32_t users, writers;
	uint32_t number; /* its location, or its word's place in memory.c */
	bool shared;
};

static struct spot spots[SPOTS];
static uint32_t shared_words, shared_locations;

static struct spot *spot_of(uintptr_t at, uint32_t size)
{
	uint32_t n = (uint32_t)((at >> 2) * 0x9e3779b1u + size) & (SPOTS - 1u);

	while (spots[n].at && (spots[n].at != at || spots[n].size != size))
		n = (n + 1u) & (SPOTS - 1u);
	spots[n].at = at;
	spots[n].size = size;
	return &spots[n];
}

/* Returns whether it is known to be shared. */
static bool use(struct spot *s, bool writes)
{
	s->users |= 1u << race_running;
	s->writers |= writes ? 1u << race_running : 0;
	if (!s->shared && s->users & (s->users - 1u) && s->writers) {
		s->shared = true;
		learnt = true;
		s->number = s->size ? NOTHING : shared_words++;
		if (shared_words > PLAIN)
			race_fail("the machine has no room for so many plain words");
		return false;
	}
	return s->shared && (!s->size || s->number != NOTHING);
}

/* ---- what a scenario says ---- */

void race_region(void *at, size_t size)
{
	if (regions == REGIONS)
		race_fail("too many regions");
	region[regions].at = at;
	region[regions++].size = size;
}

void race_ignore(const void *at, size_t size)
{
	ignored.at = (uintptr_t)at;
	ignored.size = size;
}

uint32_t race_self(void)
{
	return race_running;
}

void race_fail(const char *what)
{
	failure = what;
	_longjmp(race_running == RACE_THREADS ? out : scheduler, 1);
}

void race_check(bool holds, const char *what)
{
	if (!holds)
		race_fail(what);
}

/* ---- steps ---- */

/* Apart, and its frame the lowest: what lies above `mark` is the thread's, and nothing below. */
static __attribute__((noinline)) void wait_for_turn(void)
{
	unsigned char mark = 0;

	race_thread[race_running].stack = &mark;
	if (!_setjmp(race_thread[race_running].context))
		_longjmp(scheduler, 1);
}

static uint64_t step(const struct op *op)
{
	race_thread[race_running].next = *op;
	wait_for_turn();
	return race_thread[race_running].result;
}

void race_lock(void)
{
	if (race_running != RACE_THREADS)
		step(&(struct op){.kind = LOCK});
}

bool race_sleep(void)
{
	return step(&(struct op){.kind = SLEEP}) != 0;
}

void race_rest(void)
{
	step(&(struct op){.kind = REST});
}

/* All that was late must have been done. */
static void flush(void)
{
	if (race_thread[race_running].lates)
		step(&(struct op){.kind = FLUSH});
}

/* Letting go and kicking only let others go on: they are no steps. */
void race_unlock(void)
{
	if (race_running == RACE_THREADS)
		return;
	flush();
	memory_unlock(race_running);
}

void race_kick(uint32_t thread)
{
	if (race_running == RACE_THREADS)
		return;
	flush();
	memory_kick(race_running, thread);
}

static bool is_shared(const volatile void *at)
{
	for (uint32_t n = 0; n < regions; n++)
		if ((uintptr_t)at - (uintptr_t)region[n].at < region[n].size)
			return (uintptr_t)at - ignored.at >= ignored.size;
	return false;
}

uint64_t race_access(struct op *op, const volatile void *at, int order, int fails)
{
	struct spot *s;

	if (race_running == RACE_THREADS || !is_shared(at))
		return memory_direct(op, (void *)(uintptr_t)at);
	s = spot_of((uintptr_t)at, op->size);
	if (!use(s, op->kind != LOAD))
		return memory_direct(op, (void *)(uintptr_t)at);
	op->location = (uint8_t)s->number;
	op->order = (uint8_t)site_order(op, at, order);
	op->fails = order == fails ? op->order : (uint8_t)fails;
	return step(op);
}

void race_fence(int order, const void *from)
{
	struct op op = {.kind = FENCE, .from = from};

	if (order == memory_order_seq_cst)
		race_fail("the machine knows no seq_cst fence");
	if (race_running == RACE_THREADS)
		return;
	order = site_order(&op, NULL, order);
	if (order == memory_order_release || order == memory_order_acq_rel)
		flush();
	memory_fence(race_running, order);
}

void race_plain(const volatile void *at, size_t size, bool write)
{
	uintptr_t last = ((uintptr_t)at + size - 1u) & ~(uintptr_t)3;

	if (race_running == RACE_THREADS || !size || !is_shared(at))
		return;
	for (uintptr_t word = (uintptr_t)at & ~(uintptr_t)3; word <= last; word += 4) {
		struct spot *s = spot_of(word, 0);

		if (use(s, write) && !memory_plain(race_running, s->number, write))
			race_fail("plain accesses race");
	}
}

/* ---- a thread's turn ---- */

static void entry(void)
{
	step(&(struct op){.kind = START});
	scenario->run[race_running]();
	race_thread[race_running].done = true;
	_longjmp(scheduler, 1);
}

static void begin(uint32_t thread)
{
	struct thread *t = &race_thread[thread];

	memset(stacks[thread], 0, STACK);
	getcontext(&starting);
	starting.uc_stack.ss_sp = stacks[thread];
	starting.uc_stack.ss_size = STACK;
	starting.uc_link = NULL;
	makecontext(&starting, entry, 0);
	t->done = false;
	race_running = thread;
	if (!_setjmp(scheduler))
		swapcontext(&starter, &starting);
	race_running = RACE_THREADS;
}

static void go_on(uint32_t thread)
{
	race_running = thread;
	if (!_setjmp(scheduler))
		_longjmp(race_thread[thread].context, 1);
	race_running = RACE_THREADS;
}

/* ---- states ---- */

static void walk_thread(struct thread *t, size_t slack, race_each *each)
{
	unsigned char *top = stacks[t - race_thread] + STACK;

	each(&t->done, sizeof(t->done));
	each(&t->now, sizeof(t->now));
	each(&t->lates, sizeof(t->lates));
	each(t->late, t->lates * sizeof(t->late[0]));
	if (t->done)
		return;
	each(&t->next, sizeof(t->next));
	each(&t->read, sizeof(t->read));
	each(&t->released, sizeof(t->released));
	each(&t->context, sizeof(t->context));
	each(&t->stack, sizeof(t->stack));
	each(t->stack - slack, (size_t)(top - t->stack) + slack);
}

static void walk_regions(race_each *each)
{
	for (uint32_t n = 0; n < regions; n++)
		each(region[n].at, region[n].size);
}

static void walk(size_t slack, race_each *each)
{
	walk_regions(each);
	for (uint32_t n = 0; n < race_nthreads; n++)
		walk_thread(&race_thread[n], slack, each);
	memory_walk(each);
}

/* What governs what comes next. */
static void walk_state(race_each *each)
{
	walk(0, each);
}

/* … and what longjmp() needs. */
static void walk_all(race_each *each)
{
	walk(SLACK, each);
}

static uint32_t probed;

/* What a thread has made of a result: memory, whom it kicked, what it does next, its stack. */
static void walk_result(race_each *each)
{
	struct thread *t = &race_thread[probed];

	walk_regions(each);
	memory_walk(each);
	each(&t->now, sizeof(t->now));
	each(&t->done, sizeof(t->done));
	if (t->done)
		return;
	each(&t->next, sizeof(t->next));
	if (t->next.frame)
		each(t->next.frame, (size_t)(stacks[probed] + STACK - t->next.frame));
}

/* ---- depth first ---- */

struct frame {
	unsigned char *state;
	uint32_t thread, way; /* to be tried next */
	uint32_t did;         /* what was tried last: whose step, and */
	struct op op;
	uint64_t result;
	enum did done;
};

static struct frame *frames;
static size_t depth, frame_room;

static void push(void)
{
	if (depth == frame_room) {
		frame_room = frame_room * 2 + 64;
		frames = realloc(frames, frame_room * sizeof(*frames));
		if (!frames)
			abort();
	}
	frames[depth++] = (struct frame){.state = states_copy(walk_all)};
}

static void load_top(void)
{
	states_load(frames[depth - 1].state, walk_all);
}

/* The thread's next step returns this: how does all look then? */
static uint64_t try_result(uint32_t thread, uint64_t result)
{
	uint64_t key[2];

	probed = thread;
	race_thread[thread].result = result;
	go_on(thread);
	states_digest(walk_result, key);
	load_top();
	return key[0] ^ key[1];
}

static bool is_blind(uint32_t thread)
{
	uint64_t none = try_result(thread, 0);

	return try_result(thread, 1) == none && try_result(thread, UINT64_MAX) == none;
}

/* Does it make a difference what the threads' next steps return? */
static void look_for_blind(void)
{
	for (uint32_t n = 0; n < race_nthreads; n++) {
		const struct op *op = &race_thread[n].next;
		enum blind *blind;

		if (race_thread[n].done || !memory_could_be_late(op))
			continue;
		blind = site_blind(op);
		if (*blind == UNKNOWN)
			*blind = is_blind(n) ? BLIND : LOOKED_AT;
		failure = NULL;
	}
}

/* The next way on from the frame's state, which is loaded. */
static bool choose(struct frame *f)
{
	for (; f->thread < race_nthreads; f->thread++, f->way = 0)
		if (f->way < memory_ways(f->thread))
			return true;
	return false;
}

static bool all_done(void)
{
	for (uint32_t n = 0; n < race_nthreads; n++)
		if (!race_thread[n].done || race_thread[n].lates)
			return false;
	return true;
}

static void do_step(struct frame *f)
{
	f->did = f->thread;
	f->op = race_thread[f->thread].next;
	if (_setjmp(out))
		return;
	f->done = memory_do(f->thread, f->way++);
	f->result = race_thread[f->did].result;
	if (f->done != CAUGHT_UP)
		go_on(f->did);
	memory_tidy();
	if (!failure && all_done() && scenario->close)
		scenario->close();
}

/* Nobody can go on and not all are done. */
static bool is_stuck(void)
{
	for (uint32_t n = 0; n < race_nthreads; n++)
		if (memory_ways(n))
			return false;
	return !all_done();
}

static void set_up(void)
{
	if (_setjmp(out))
		return;
	regions = 0;
	ignored.size = 0;
	race_running = RACE_THREADS;
	race_nthreads = 0;
	while (race_nthreads < RACE_THREADS && scenario->run[race_nthreads])
		race_nthreads++;
	scenario->open();
	memset(race_thread, 0, sizeof(race_thread));
	memory_reset(shared_words);
	shared_locations = 0;
	for (uint32_t n = 0; n < SPOTS; n++)
		if (spots[n].shared && spots[n].size)
			spots[n].number =
				memory_add_location((void *)spots[n].at, (uint8_t)spots[n].size);
	for (uint32_t n = 0; n < race_nthreads; n++)
		begin(n);
}

static void tell(const struct frame *f)
{
	static const char *const how[] = {"", "put off: ", "what is late, before "};

	fprintf(stderr, "#   thread %u: %s%s -> %#llx\n", f->did, how[f->done], site_of(&f->op),
		(unsigned long long)f->result);
}

static void search(struct outcome *o)
{
	uint32_t patience = PATIENCE;

	if (failure)
		return;
	states_is_new(walk_state);
	push();
	look_for_blind();
	while (depth && !failure && patience) {
		struct frame *f = &frames[depth - 1];

		load_top();
		if (!choose(f)) {
			free(f->state);
			depth--;
			continue;
		}
		do_step(f);
		o->steps++;
		patience -= learnt;
		if (failure || (f->done == PUT_OFF && memory_waits_for_late(f->did)) ||
		    !states_is_new(walk_state))
			continue;
		o->states++;
		if (is_stuck())
			failure = "nobody can go on";
		push();
		if (!failure)
			look_for_blind();
	}
}

static void clean_up(bool story)
{
	for (size_t n = 0; story && failure && !learnt && n < depth; n++)
		tell(&frames[n]);
	while (depth)
		free(frames[--depth].state);
	states_end();
}

struct outcome race_explore(const struct race *which, bool story)
{
	struct outcome o;

	if (scenario != which) {
		memset(spots, 0, sizeof(spots));
		shared_words = 0;
	}
	scenario = which;
	do {
		o = (struct outcome){0};
		failure = NULL;
		learnt = false;
		states_begin();
		set_up();
		search(&o);
		clean_up(story);
	} while (learnt);
	o.held = !failure;
	o.what = failure;
	return o;
}

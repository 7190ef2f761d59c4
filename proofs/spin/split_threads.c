/* SPDX-License-Identifier: MIT */
/*
 * How threads run into one another. Where the backend asks for its commit mutex, its thread stops;
 * that it goes on is an event of its own. Where it is inside KVM_SET_GSI_ROUTING, and where it has
 * let go of that mutex, others run in between: SPIN chooses who, and that it goes on.
 *
 * Nothing but the commit's own frames is on the stack then, and those can't be saved: the state in
 * which the commit began is, and from there it is done again, each time with one event more.
 */
#include "split_world.h"

#include <setjmp.h>

static struct {
	uint8_t thread;
	bool settles;
} here;

static unsigned depth, next;
static bool commit_taken, lock_taken;
static jmp_buf door, suspended;

void threads_by(uint32_t thread, bool settles)
{
	here.thread = (uint8_t)thread;
	here.settles = settles;
}

bool threads_busy(uint32_t thread)
{
	return sw.out.owes >> thread & 1 || (sw.window.point && sw.window.thread == thread);
}

/* ---- the mutexes: the linker leads them here ---- */

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

static void take(bool *taken)
{
	if (*taken)
		world_breaks("a mutex is taken by who has it");
	*taken = true;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (mutex == &sw.split->commit_lock) {
		if (sw.threads && !here.settles)
			longjmp(door, 1);
		take(&commit_taken);
	} else if (mutex == &sw.split->lock) {
		take(&lock_taken);
		if (commit_taken)
			sw.out.force = (uint8_t)sw.split->force;
	}
	return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (mutex == &sw.split->lock)
		lock_taken = false;
	if (mutex == &sw.split->commit_lock) {
		commit_taken = false;
		sw.out.force = 0;
		threads_point(COMMITTED);
	}
	return 0;
}

/* ---- events ---- */

/* One thread's event, to its end or to where it has to wait. */
static void run(unsigned n)
{
	const struct event *e = world_at(n);

	depth++;
	if (!setjmp(door))
		e->act(e->a, e->b);
	else
		sw.out.owes |= (uint8_t)(1u << here.thread);
	depth--;
	look_after_event();
}

void threads_point(enum point point)
{
	if (!sw.threads || depth != 1)
		return;
	sw.window.point = (uint8_t)point;
	sw.window.thread = here.thread;
	for (;;) {
		uint8_t thread = here.thread;
		unsigned n;

		if (next == sw.window.length)
			longjmp(suspended, 1);
		n = sw.window.script[next++];
		if (n == world_goes_on())
			return;
		sw.window.others++;
		run(n);
		threads_by(thread, true);
	}
}

bool threads_run(unsigned n)
{
	struct window *w = &sw.window;

	if (w->point) {
		if (w->length == SCRIPT)
			abort();
		w->script[w->length++] = (uint8_t)n;
	} else {
		memset(w, 0, sizeof(*w));
		w->event = (uint8_t)n;
	}
	w->point = NO_COMMIT;
	w->others = 0;
	depth = next = kernel_repeats = 0;
	commit_taken = lock_taken = false;
	if (setjmp(suspended))
		return false;
	run(w->event);
	memset(w, 0, sizeof(*w));
	return true;
}

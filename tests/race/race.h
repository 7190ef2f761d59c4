/* SPDX-License-Identifier: MIT */
/*
 * What a scenario says: some memory, two or three threads, what must hold. The library's sources
 * and the scenario are compiled with -fsanitize=thread, whose calls end in the machine of this
 * folder instead of TSan's runtime: so each atomic access is a step, and where a step leaves a
 * choice, of who is next or of which value is read, all are tried.
 */
#ifndef LAPWING_RACE_H
#define LAPWING_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RACE_THREADS 4u

enum race_size {
	RACE_SMALL,
	RACE_MIDDLING, /* not in a quick run */
	RACE_LARGE     /* only where one has the time */
};

struct race {
	const char *name;
	enum race_size size;
	void (*open)(void);
	void (*run[RACE_THREADS])(void); /* up to the first null */
	void (*close)(void);             /* when all have ended; null: nothing */
};

/* ---- for `open` ---- */

/* All that threads share lies in such memory, and nothing in it points to a stack. */
void race_region(void *at, size_t size);

/* Relaxed counters in there, which nothing hangs on: adding to them is no step. */
void race_ignore(const void *at, size_t size);

/* What an atomic is called in stories and in the table of orders. An array's: of each element. */
void race_name(const volatile void *at, size_t size, const char *name);

/* ---- for threads ---- */

/* RACE_THREADS: none, as in `open` and `close`, where locks and kicks do nothing. */
uint32_t race_self(void);

void race_lock(void);
void race_unlock(void);

/* Kicks order memory, as a signal, a futex or an eventfd does. */
void race_kick(uint32_t thread);

/* Sleep until kicked. False: nobody is left who could, and everything is seen. */
bool race_sleep(void);

/* Wait until the others have ended or sleep: for one that could go on for ever. */
void race_rest(void);

/* Ends the run with a story if it does not hold. */
void race_check(bool holds, const char *what);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A backend's calls against each other, at every instant at which one of them holds no lock: there
 * the other thread's whole call comes in between. All of what threads share is behind the locks, so
 * these are all the places where it can. For programs that wrap pthread_mutex_lock and _unlock.
 */
#ifndef LAPWING_INSTANTS_H
#define LAPWING_INSTANTS_H

#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

static _Thread_local uint32_t held;
static _Thread_local pthread_mutex_t *outermost;
static uint32_t instants;
static uint32_t chosen; /* which instant, from 1; 0: none */
static void (*intruder)(void);

/* Another thread does not come past this mutex before it may. */
static pthread_mutex_t *barrier;
static _Thread_local bool stops;
static atomic_bool stopped, may_go;

/* Whether this thread waits for a mutex that another has. */
static _Thread_local bool is_watched;
static atomic_bool waits;

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (stops && mutex == barrier) {
		atomic_store(&stopped, true);
		while (!atomic_load(&may_go))
			sched_yield();
	}
	if (held++ == 0)
		outermost = mutex;
	if (is_watched) {
		if (pthread_mutex_trylock(mutex) == 0)
			return 0;
		atomic_store(&waits, true);
	}
	return __real_pthread_mutex_lock(mutex);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	int err = __real_pthread_mutex_unlock(mutex);

	if (--held == 0 && intruder && ++instants == chosen) {
		void (*act)(void) = intruder;

		intruder = NULL;
		act();
	}
	return err;
}

/* The program's: a backend made anew for each round. */
static void open_round(void);
static void close_round(void);

/* Plays it with the other thread at each instant in turn: returns how many there were. */
static inline uint32_t at_every_instant(void (*prepare)(void), void (*call)(void),
					void (*other)(void), void (*check)(void))
{
	uint32_t n = 1;
	bool came;

	do {
		open_round();
		prepare();
		instants = 0;
		chosen = n++;
		intruder = other;
		call();
		came = !intruder;
		intruder = NULL;
		if (!came)
			other();
		check();
		close_round();
	} while (came);
	return n - 2;
}

#endif

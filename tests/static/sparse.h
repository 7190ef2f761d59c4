/* SPDX-License-Identifier: MIT */
/*
 * What sparse has to be told before each source: which calls take a lock and which give it back.
 * It then sees whether every way through a function gives back what was taken.
 */
#include <pthread.h>

int lint_take(pthread_mutex_t *m) __attribute__((context(lock, 0, 1)));
int lint_give(pthread_mutex_t *m) __attribute__((context(lock, 1, 0)));

#define pthread_mutex_lock(m)   lint_take(m)
#define pthread_mutex_unlock(m) lint_give(m)

/* SPDX-License-Identifier: MIT */
/*
 * The inside. memory.c is C11's memory, hooks.c where instrumented code comes in, machine.c has
 * threads and goes through all schedules, states.c keeps states, sites.c knows the places in the
 * source and weakens them.
 */
#ifndef LAPWING_RACE_MACHINE_H
#define LAPWING_RACE_MACHINE_H

#include <setjmp.h>

#include "race.h"

#define LOCATIONS 64u /* atomics that several threads use, and one of them writes */
#define MESSAGES  32u /* values of one that somebody may still read */
#define PLAIN     512u
#define LATE      3u

enum kind { LOAD, STORE, ADD, AND, OR, XOR, EXCHANGE, CAS, FENCE, LOCK, SLEEP, REST, FLUSH, START };

struct op {
	enum kind kind;
	uint8_t location;
	uint8_t size;
	uint8_t order, fails; /* memory_order; CAS: where it fails */
	uint64_t value, expected;
	const void *from;     /* the address in the code */
	unsigned char *frame; /* the caller's stack begins here */
	struct call *call;    /* what sites.c knows of it */
};

/* How far somebody has seen: of each location, up to which of its values; of each thread, up to
 * which of its releases. */
struct view {
	uint8_t seen[LOCATIONS];
	uint16_t clock[RACE_THREADS];
};

/* A read-modify-write that nobody waits for: it is done later than others that come after it. */
struct late {
	struct op op;
	struct view now, released; /* the thread's when it came to it */
};

struct thread {
	bool done;
	uint32_t lates;
	struct op next;  /* what it is about to do */
	uint64_t result; /* of the last */
	struct view now;
	struct view read;     /* what an acquire fence would add */
	struct view released; /* what a relaxed store passes on: `now` at the last release fence */
	struct late late[LATE];
	jmp_buf context;
	unsigned char *stack; /* what is in use begins here */
};

extern struct thread race_thread[RACE_THREADS];
extern uint32_t race_nthreads, race_running; /* RACE_THREADS: none, and all accesses are direct */

/* Over all that makes up a state, piece by piece, in the same order each time. */
typedef void race_each(void *at, size_t size);
typedef void race_walk(race_each *each);

/* ---- states.c ---- */

/* In memory of its own. */
unsigned char *states_copy(race_walk *walk);
void states_load(const unsigned char *copy, race_walk *walk);
/* 128 bits that stand for it. */
void states_digest(race_walk *walk, uint64_t key[2]);
/* Of a search: those it has met. */
void states_begin(void);
void states_end(void);
bool states_is_new(race_walk *walk);

/* ---- memory.c ---- */

void memory_reset(uint32_t words);
uint8_t memory_add_location(void *at, uint8_t size);
/* In how many ways can the thread do what it is about to? 0: it must wait. */
uint32_t memory_ways(uint32_t thread);
/* Do it in one of them. */
enum did { DID_NEXT, PUT_OFF, CAUGHT_UP /* with something late: the thread does not go on */ };
enum did memory_do(uint32_t thread, uint32_t way);
/* Can it go on only when something late is done? Then that might as well not be late. */
bool memory_waits_for_late(uint32_t thread);
/* If nobody looks at what it returns. */
bool memory_could_be_late(const struct op *op);
void memory_fence(uint32_t thread, int order);
void memory_unlock(uint32_t thread);
void memory_kick(uint32_t from, uint32_t to);
/* A plain access to a word that several threads use. False: it races. */
bool memory_plain(uint32_t thread, uint32_t word, bool write);
/* Forget what nobody can read any more. */
void memory_tidy(void);
race_walk memory_walk;

uint64_t memory_direct(const struct op *op, void *at);
uint64_t memory_combine(const struct op *op, uint64_t before);

/* ---- machine.c ---- */

struct outcome {
	bool held;
	uint64_t states, steps;
	const char *what; /* if it did not hold */
};

/* Go through all schedules. `story`: print the first that fails. */
struct outcome race_explore(const struct race *scenario, bool story);

_Noreturn void race_fail(const char *what);

/* What hooks.c calls: `op` has all but location and orders. Returns what was there before. */
uint64_t race_access(struct op *op, const volatile void *at, int order, int fails);
void race_plain(const volatile void *at, size_t size, bool write);
void race_fence(int order, const void *from);

/* ---- sites.c ---- */

/* A place in the source: a function's access to an atomic, with an order; in machine code it may
 * be several, where it was inlined. */
struct site {
	char name[120]; /* "function: access location" */
	char place[60]; /* "file:line" */
	enum kind kind;
	int order;
	uint32_t scenarios; /* a bit for each in which it was met */
};

/* The order that an access is to be tried with. */
int site_order(struct op *op, const volatile void *at, int order);
/* Does anybody look at what the access returns? */
enum blind { UNKNOWN, BLIND, LOOKED_AT };
enum blind *site_blind(const struct op *op);
/* Sites that are met from now on are this scenario's. */
void site_scenario(uint32_t number);
/* Give names to all that have been met; null where it can't be done. Those that are one in the
 * source are one here. */
const struct site *site_list(size_t *count);
/* Let one of them have another order. Null: none. */
void site_weaken(const struct site *site, int order);
/* What an op's place is called, for stories. */
const char *site_of(const struct op *op);
const char *site_order_name(int order);
/* Has a call that returns to there been met? */
bool site_is_met(const void *at);

/* ---- unmet.c ---- */

/* Each place of an atomic in what is tried that no scenario has come to: "file function: access".
 * False: they can't be found out. */
bool site_unmet(void (*tell)(const char *site, const char *line));

#endif

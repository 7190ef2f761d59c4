/* SPDX-License-Identifier: MIT */
/* Every place of the machine code that calls hooks.c for an atomic, and which of them no scenario
 * has come to; objdump and addr2line come with the compiler. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define PLACES 1024u

static struct place {
	uintptr_t at; /* where the call returns to, from the beginning of the program */
	char function[80], line[60];
	const char *access;
	bool met;
} places[PLACES];
static size_t nplaces;

/* What is called, as sites.c says it; null: no atomic. */
static const char *access_of(const char *call)
{
	static const char *const said[][2] = {
		{"_load>", "load"},
		{"_store>", "store"},
		{"_exchange>", "xchg"},
		{"_fetch_add>", "add"},
		{"_fetch_sub>", "add"},
		{"_fetch_and>", "and"},
		{"_fetch_or>", "or"},
		{"_fetch_xor>", "xor"},
		{"_compare_exchange_val>", "cas"},
		{"_compare_exchange_strong>", "cas"},
		{"_thread_fence>", "fence"},
	};
	const char *name = strstr(call, "<__tsan_atomic");

	/* The longest that fits: compare_exchange's name ends in no other's. */
	for (size_t n = 0; name && n < sizeof(said) / sizeof(*said); n++)
		if (strstr(name, said[n][0]))
			return said[n][1];
	return NULL;
}

/* False: a jump there would hide the place that it comes from. */
static bool read_code(FILE *code)
{
	const char *access = NULL;
	bool sound = true;
	char text[300];

	while (fgets(text, sizeof(text), code)) {
		char *end;
		uintptr_t at = (uintptr_t)strtoull(text, &end, 16);

		if (*end != ':' || text[0] != ' ')
			continue;
		if (access && nplaces < PLACES)
			places[nplaces++] = (struct place){.at = at, .access = access};
		access = access_of(end);
		if (access && !strstr(end, "call"))
			sound = false;
	}
	return sound && nplaces && nplaces < PLACES;
}

static bool find_places(void)
{
	char command[80];
	FILE *code;
	bool sound;

	snprintf(command, sizeof(command), "objdump -d --no-show-raw-insn /proc/%d/exe",
		 (int)getpid());
	code = popen(command, "r");
	if (!code)
		return false;
	sound = read_code(code);
	return pclose(code) == 0 && sound;
}

static bool name_places(void)
{
	char *command = malloc(64 + 20 * nplaces);
	size_t at = (size_t)sprintf(command, "addr2line -f -s -e /proc/%d/exe", (int)getpid());
	FILE *said;

	for (size_t n = 0; n < nplaces; n++)
		at += (size_t)sprintf(command + at, " %#lx", (unsigned long)places[n].at - 1);
	said = popen(command, "r");
	free(command);
	if (!said)
		return false;
	for (size_t n = 0; n < nplaces; n++) {
		struct place *p = &places[n];

		if (!fgets(p->function, sizeof(p->function), said) ||
		    !fgets(p->line, sizeof(p->line), said))
			break;
		p->function[strcspn(p->function, "\n")] = 0;
		p->line[strcspn(p->line, " \n")] = 0;
	}
	return pclose(said) == 0;
}

static bool is_same(const struct place *a, const struct place *b)
{
	return !strcmp(a->access, b->access) && !strcmp(a->line, b->line) &&
	       !strcmp(a->function, b->function);
}

/* Inlined twice, it is one place of the source: met in one of them, it is met. */
static bool is_met(const struct place *p)
{
	for (size_t n = 0; n < nplaces; n++)
		if (places[n].met && is_same(&places[n], p))
			return true;
	return false;
}

static bool was_seen(size_t n)
{
	for (size_t m = 0; m < n; m++)
		if (is_same(&places[m], &places[n]))
			return true;
	return false;
}

bool site_unmet(void (*tell)(const char *site, const char *line))
{
	Dl_info self;

	if (!dladdr((void *)(uintptr_t)site_unmet, &self) || !find_places() || !name_places())
		return false;
	for (size_t n = 0; n < nplaces; n++)
		places[n].met = site_is_met((const char *)self.dli_fbase + places[n].at);
	for (size_t n = 0; n < nplaces; n++) {
		char site[160];

		if (was_seen(n) || is_met(&places[n]))
			continue;
		snprintf(site, sizeof(site), "%.*s %s: %s", (int)strcspn(places[n].line, ":"),
			 places[n].line, places[n].function, places[n].access);
		tell(site, places[n].line);
	}
	return true;
}

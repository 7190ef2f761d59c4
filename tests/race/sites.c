/* SPDX-License-Identifier: MIT */
/* Places in the source, by the address that a call into hooks.c returns to; their names are what
 * addr2line says, which comes with the compiler. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define CALLS 512u
#define SITES 256u
#define NAMES 32u

/* A site as machine code has it. */
struct call {
	const void *at;
	enum kind kind;
	int order;
	const char *location;
	uint32_t scenarios;
	int forced; /* another order, or -1 */
	enum blind blind;
	char function[80], place[60];
	struct site *site;
};

static struct call calls[CALLS];
static uint32_t ncalls;
static struct site sites[SITES];
static size_t nsites;
static uint32_t scenario_bit;

static struct {
	const volatile unsigned char *at;
	size_t size;
	const char *name;
} names[NAMES];
static uint32_t nnames;

void race_name(const volatile void *at, size_t size, const char *name)
{
	for (uint32_t n = 0; n < nnames; n++)
		if (names[n].at == at && names[n].name == name)
			return;
	if (nnames == NAMES)
		abort();
	names[nnames].at = at;
	names[nnames].size = size;
	names[nnames++].name = name;
}

static const char *name_of(const volatile void *at)
{
	for (uint32_t n = nnames; n-- > 0;)
		if ((uintptr_t)at - (uintptr_t)names[n].at < names[n].size)
			return names[n].name;
	return at ? "?" : "";
}

void site_scenario(uint32_t number)
{
	scenario_bit = 1u << number;
	nnames = 0;
}

static struct call *call_at(const void *at, const char *location)
{
	for (uint32_t n = 0; n < ncalls; n++)
		if (calls[n].at == at && calls[n].location == location)
			return &calls[n];
	return NULL;
}

bool site_is_met(const void *at)
{
	for (uint32_t n = 0; n < ncalls; n++)
		if (calls[n].at == at)
			return true;
	return false;
}

int site_order(struct op *op, const volatile void *at, int order)
{
	const char *location = name_of(at);
	struct call *c = call_at(op->from, location);

	if (!c) {
		if (ncalls == CALLS)
			race_fail("the machine has no room for so many places");
		c = &calls[ncalls++];
		*c = (struct call){.at = op->from,
				   .kind = op->kind,
				   .order = order,
				   .location = location,
				   .forced = -1};
	}
	c->scenarios |= scenario_bit;
	op->call = c;
	return c->forced < 0 ? order : c->forced;
}

enum blind *site_blind(const struct op *op)
{
	return &op->call->blind;
}

/* ---- names ---- */

const char *site_order_name(int order)
{
	static const char *const said[] = {
		[memory_order_relaxed] = "relaxed", [memory_order_consume] = "consume",
		[memory_order_acquire] = "acquire", [memory_order_release] = "release",
		[memory_order_acq_rel] = "acq_rel", [memory_order_seq_cst] = "seq_cst",
	};

	return said[order];
}

static const char *kind_name(enum kind kind)
{
	static const char *const said[] = {"load",  "store", "add",   "and",   "or",
					   "xor",   "xchg",  "cas",   "fence", "lock",
					   "sleep", "rest",  "flush", "start"};

	return said[kind];
}

/* The function and the place of one address, the innermost of those inlined there. */
static void read_source(FILE *said, struct call *c)
{
	char place[400] = "";
	const char *line;

	if (!fgets(c->function, sizeof(c->function), said) || !fgets(place, sizeof(place), said))
		return;
	c->function[strcspn(c->function, "\n")] = 0;
	line = strrchr(place, '/');
	line = line ? line + 1 : place;
	snprintf(c->place, sizeof(c->place), "%.*s", (int)strcspn(line, " \n"), line);
}

/* A return address lies after the call. */
static bool ask_for_sources(void)
{
	char *command = malloc(64 + 20 * (size_t)ncalls);
	size_t at = (size_t)sprintf(command, "addr2line -f -e /proc/%d/exe", (int)getpid());
	Dl_info self;
	FILE *said;

	if (!dladdr((void *)(uintptr_t)ask_for_sources, &self)) {
		free(command);
		return false;
	}
	for (uint32_t n = 0; n < ncalls; n++)
		at += (size_t)sprintf(
			command + at, " %#lx",
			(unsigned long)((uintptr_t)calls[n].at - 1u - (uintptr_t)self.dli_fbase));
	said = popen(command, "r");
	free(command);
	if (!said)
		return false;
	for (uint32_t n = 0; n < ncalls; n++)
		read_source(said, &calls[n]);
	return pclose(said) == 0;
}

static struct site *site_named(const struct call *c)
{
	struct site one = {.kind = c->kind, .order = c->order};
	size_t n = 0;

	snprintf(one.name, sizeof(one.name), "%s: %s%s%s", c->function, kind_name(c->kind),
		 c->location[0] ? " " : "", c->location);
	memcpy(one.place, c->place, sizeof(one.place));
	while (n < nsites && (strcmp(sites[n].name, one.name) ||
			      strcmp(sites[n].place, one.place) || sites[n].order != one.order))
		n++;
	if (n == SITES)
		abort();
	if (n == nsites)
		sites[nsites++] = one;
	sites[n].scenarios |= c->scenarios;
	return &sites[n];
}

static long line_of(const struct site *s)
{
	const char *colon = strchr(s->place, ':');

	return colon ? strtol(colon + 1, NULL, 10) : 0;
}

/* Those of one name and several lines are numbered. */
static void tell_apart(void)
{
	uint32_t before[SITES] = {0};

	for (size_t n = 0; n < nsites; n++)
		for (size_t m = 0; m < nsites; m++)
			before[n] += !strcmp(sites[m].name, sites[n].name) &&
				     line_of(&sites[m]) < line_of(&sites[n]);
	for (size_t n = 0; n < nsites; n++) {
		size_t end = strlen(sites[n].name);

		if (before[n])
			snprintf(sites[n].name + end, sizeof(sites[n].name) - end, " (%u)",
				 before[n] + 1u);
	}
}

const struct site *site_list(size_t *count)
{
	if (!ask_for_sources())
		return NULL;
	nsites = 0;
	for (uint32_t n = 0; n < ncalls; n++)
		calls[n].site = site_named(&calls[n]);
	tell_apart();
	*count = nsites;
	return sites;
}

void site_weaken(const struct site *site, int order)
{
	for (uint32_t n = 0; n < ncalls; n++)
		calls[n].forced = site && calls[n].site == site ? order : -1;
}

const char *site_of(const struct op *op)
{
	static char text[200];
	struct call *c = op->call;

	if (!c)
		return kind_name(op->kind);
	if (!c->function[0])
		ask_for_sources();
	snprintf(text, sizeof(text), "%s %s: %s %s %s", c->place, c->function, kind_name(op->kind),
		 c->location, site_order_name(op->order));
	return text;
}

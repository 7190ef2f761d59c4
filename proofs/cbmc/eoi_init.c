/* SPDX-License-Identifier: MIT */
/*
 * Setting an EOI engine up, from storage of any content and with any configuration, for up to two
 * vCPUs; the engine lies in its storage as it does in use.
 */
#include <errno.h>

#include "eoi/engine.h"
#include "prove.h"

#define VCPUS 2u

struct vcpu nondet_vcpu(void);
struct lw_eoi_env nondet_env(void);

static struct {
	struct lw_eoi e;
	struct vcpu vcpu[VCPUS];
} storage;

/* Ops that are never called: any, or null. */
static struct lw_eoi_env env;

static void any_content(void)
{
	storage.e.counters.reloads = nondet_u64();
	storage.e.flags = nondet_u32();
	for (uint32_t n = 0; n < VCPUS; n++)
		storage.vcpu[n] = nondet_vcpu();
	env = nondet_env();
}

static struct lw_eoi_config any_config(uint32_t nvcpus)
{
	return (struct lw_eoi_config){.policy = (enum lw_eoi_policy)nondet_u32(),
				      .flags = nondet_u32(),
				      .nvcpus = nvcpus,
				      .env = nondet_bool() ? &env : NULL};
}

static void set_up(uint32_t nvcpus)
{
	struct lw_eoi_config config = any_config(nvcpus);
	struct broken why;

	any_content();
	if (lw_eoi_init(&storage.e, &config) == 0) {
		must_hold(lw_eoi_holds(&storage.e, &why), "the invariants hold at the start");
		reached();
	}
}

/* The storage is as large as the configuration wants it. */
void prove_lw_eoi_init_one(void)
{
	set_up(1);
}

void prove_lw_eoi_init_two(void)
{
	set_up(2);
}

static void is_refused(void *at, uint32_t nvcpus)
{
	struct lw_eoi_config config = any_config(nvcpus);

	must_hold(lw_eoi_init(at, &config) == -EINVAL, "what is amiss is refused");
}

void prove_lw_eoi_init_refuses(void)
{
	is_refused(NULL, 1);
	is_refused(&storage, 0);
	is_refused(&storage, 65537);
	must_hold(lw_eoi_init(&storage.e, NULL) == -EINVAL, "so is no configuration");
	reached();
}

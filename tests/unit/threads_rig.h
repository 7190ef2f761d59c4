/* SPDX-License-Identifier: MIT */
/*
 * A controller among real threads: one lock, kicks that are flags for the vCPU's thread to look at,
 * and threads that know whose they are.
 */
#ifndef LAPWING_THREADS_RIG_H
#define LAPWING_THREADS_RIG_H

#include <lapwing/lapwing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define CREW_VCPUS   2u
#define CREW_PINS    24u
#define CREW_ENABLED (LW_SVR_ENABLE | 0xffu)

/* Whose thread this is; CREW_EVERYBODY's once the others have been joined. */
#define CREW_NOBODY    CREW_VCPUS
#define CREW_EVERYBODY (CREW_VCPUS + 1u)

static struct {
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	pthread_mutex_t lock;
	atomic_bool kicked[CREW_VCPUS], stop;
} crew = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local uint32_t crew_self = CREW_NOBODY;

static inline void crew_lock(void *ctx)
{
	(void)ctx;
	pthread_mutex_lock(&crew.lock);
}

static inline void crew_unlock(void *ctx)
{
	(void)ctx;
	pthread_mutex_unlock(&crew.lock);
}

static inline void crew_kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	atomic_store(&crew.kicked[vcpu], true);
}

/* For vCPUs that look by themselves in guest mode, as posted-interrupt hardware does. */
static inline void crew_notify_nobody(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
}

static inline bool crew_owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	return crew_self == vcpu || crew_self == CREW_EVERYBODY;
}

#define CREW_OPS .lock = crew_lock, .unlock = crew_unlock, .kick = crew_kick, .owned = crew_owned

/* Returns whether there is a controller now, its LAPICs enabled. */
static inline bool crew_open(const struct lw_chip_ops *ops, enum lw_eoi_policy policy,
			     uint32_t flags, bool pic)
{
	static const struct lw_chip_ioapic ioapic = {.pins = CREW_PINS, .version = 0x20};
	struct lw_chip_config config = {.ops = ops,
					.hooks = lw_eoi_hooks(),
					.nvcpus = CREW_VCPUS,
					.nioapics = 1,
					.ioapic = &ioapic,
					.gsis = CREW_PINS + 1u,
					.pic = pic};
	struct lw_eoi_config eoi = {
		.policy = policy, .flags = flags, .nvcpus = CREW_VCPUS, .env = lw_chip_env()};
	size_t size = lw_eoi_size(CREW_VCPUS) + LW_EOI_ALIGN - 1u;

	crew.chip = aligned_alloc(LW_CHIP_ALIGN, lw_chip_size(&config));
	crew.eoi = aligned_alloc(LW_EOI_ALIGN, size - size % LW_EOI_ALIGN);
	eoi.ctx = crew.chip;
	config.eoi = crew.eoi;
	if (!crew.chip || !crew.eoi || lw_eoi_init(crew.eoi, &eoi) ||
	    lw_chip_init(crew.chip, &config))
		return false;
	for (uint32_t n = 0; n < CREW_VCPUS; n++)
		lw_lapic_write(lw_chip_lapic(crew.chip, n), LW_LAPIC_SVR, CREW_ENABLED);
	atomic_store(&crew.stop, false);
	return true;
}

static inline void crew_close(void)
{
	free(crew.chip);
	free(crew.eoi);
}

/* A linear congruence: each thread has one of its own. */
static inline uint32_t crew_below(uint32_t *random, uint32_t n)
{
	*random = *random * 1664525u + 1013904223u;
	return (*random >> 8) % n;
}

#endif

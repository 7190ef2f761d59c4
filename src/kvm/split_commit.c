/* SPDX-License-Identifier: MIT */
/*
 * When KVM is given a new table. It is built and installed under one mutex, so that two threads
 * can't install in the wrong order; the I/O APIC's lock is not held across the ioctl, so that
 * devices and vCPUs go on. A pin whose route is changing only latches its line until then.
 */
#include <errno.h>
#include <time.h>

#include "kvm/split_priv.h"

#define TOKENS 16u
#define ROUNDS 8u /* of commits in one call, while other threads make more due */

/* ---- is there anything to install? ---- */

bool lw_split_forced(const struct lw_split *s)
{
	return (s->held ? s->force & ~(uint32_t)FORCE_MSI : s->force) != 0;
}

bool lw_split_anything_due(const struct lw_split *s)
{
	if (lw_split_forced(s))
		return true;
	for (uint32_t w = 0; w < PIN_WORDS; w++)
		for (uint64_t left = s->dirty[w]; left; left &= left - 1)
			if (lw_split_due(s, w * 64u + lw_word_low(left)))
				return true;
	return false;
}

/* ---- install it ---- */

static void count(struct lw_split *s, uint32_t why)
{
	s->counters.commits++;
	if (why & (FORCE_MSI | FORCE_IRQFD))
		s->counters.msi_commits++;
	if (why & FORCE_RECOMMIT)
		s->counters.recommits++;
	if (why & FORCE_LEFT)
		s->counters.left_over++;
	/* Only what is new to KVM can have caught vectors that were clean before. */
	if (!(why & (FORCE_RECOMMIT | FORCE_LEFT)))
		s->epoch++;
}

/* With the commit mutex. Returns 1 if there was nothing to do. */
static int commit(struct lw_split *s)
{
	uint32_t why;
	int err;

	pthread_mutex_lock(&s->lock);
	if (!lw_split_anything_due(s)) {
		pthread_mutex_unlock(&s->lock);
		return 1;
	}
	why = s->force;
	s->force &= FORCE_ALL; /* until KVM has one */
	lw_split_build(s);
	pthread_mutex_unlock(&s->lock);

	err = lw_split_ioctl(s, s->vm_fd, KVM_SET_GSI_ROUTING, s->table);
	err = err < 0 ? err : 0;

	pthread_mutex_lock(&s->lock);
	lw_split_built(s, err == 0);
	if (err == 0) {
		s->force &= ~(why & FORCE_ALL);
		count(s, why);
	} else {
		s->counters.failed++;
		/* A recommit comes again with the vector's exits; the rest with the next call. */
		s->force |= why & ~(uint32_t)(FORCE_RECOMMIT | FORCE_LEFT);
	}
	pthread_mutex_unlock(&s->lock);
	return err;
}

static bool enter(struct lw_split *s)
{
	bool due;

	pthread_mutex_lock(&s->lock);
	due = lw_split_anything_due(s);
	s->installers += due;
	pthread_mutex_unlock(&s->lock);
	return due;
}

/* What is still due may be left to a thread that has yet to come here: others could make more of it
 * for ever, and the last one stays. */
static bool leave(struct lw_split *s, uint32_t rounds, int err)
{
	bool done;

	pthread_mutex_lock(&s->lock);
	done = err < 0 || !lw_split_anything_due(s) || (rounds >= ROUNDS && s->installers > 1);
	s->installers -= done;
	pthread_mutex_unlock(&s->lock);
	return done;
}

int lw_split_install(struct lw_split *s)
{
	uint32_t rounds = 0;
	int err, installed = 0;

	if (!enter(s))
		return 0;
	do {
		pthread_mutex_lock(&s->commit_lock);
		err = commit(s);
		pthread_mutex_unlock(&s->commit_lock);
		if (err == 0) {
			lw_ioapic_retry(s->io);
			installed = 1;
		} else if (err > 0) {
			err = 0; /* another thread was here first */
		}
	} while (!leave(s, ++rounds, err));
	return err < 0 ? err : installed;
}

int lw_split_tell(struct lw_split *s, int err, int commit_err)
{
	pthread_mutex_lock(&s->lock);
	if (err < 0) {
		if (commit_err < 0)
			s->trouble = commit_err;
	} else if (commit_err < 0) {
		err = commit_err;
	} else {
		err = s->trouble;
		s->trouble = 0;
	}
	pthread_mutex_unlock(&s->lock);
	return err;
}

int lw_split_settle_after(struct lw_split *s, int err)
{
	return lw_split_tell(s, err, lw_split_install(s));
}

int lw_split_settle(struct lw_split *s)
{
	return lw_split_settle_after(s, 0);
}

int lw_split_retry_and_settle(struct lw_split *s)
{
	lw_ioapic_retry(s->io);
	return lw_split_settle(s);
}

int lw_split_retry(struct lw_split *split)
{
	return lw_split_retry_and_settle(split);
}

/* ---- how often ---- */

static uint64_t now_ns(const struct lw_split *s)
{
	struct timespec t;

	if (s->ops->now)
		return s->ops->now(s->ctx);
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool lw_split_take_token(struct lw_split *s)
{
	uint64_t now = now_ns(s), earned = (now - s->refilled_at) / s->recommit_ns;

	if (earned) {
		s->tokens = earned > TOKENS - s->tokens ? TOKENS : s->tokens + (uint32_t)earned;
		s->refilled_at = now;
	}
	if (!s->tokens)
		return false;
	s->tokens--;
	return true;
}

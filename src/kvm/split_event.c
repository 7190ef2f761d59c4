/* SPDX-License-Identifier: MIT */
/*
 * Eventfds of pins, read here and not by KVM: an irqfd on a pin's GSI would bypass the mask and
 * remote IRR, and KVM refuses irqfds with a resampler in split mode.
 *
 * Whose a source is and what drives it go together: an eventfd's source is driven with event_lock
 * held, so that what one attachment does to a line never befalls who has the source after it. What
 * that queues in the I/O APIC runs without event_lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "kvm/split_priv.h"

#define AT_ONCE 64

int lw_split_events_init(struct lw_split *s)
{
	lw_events_init(&s->events);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return s->epoll_fd < 0 ? -errno : 0;
}

/* ---- places; with event_lock ---- */

static struct split_event *find(struct lw_split *s, uint32_t gsi, uint32_t source)
{
	for (uint32_t n = 0; n < s->max_events; n++)
		if (s->event[n].trigger >= 0 && s->event[n].gsi == gsi &&
		    s->event[n].source == source)
			return &s->event[n];
	return NULL;
}

static struct split_event *find_free(struct lw_split *s)
{
	for (uint32_t n = 0; n < s->max_events; n++)
		if (s->event[n].trigger < 0)
			return &s->event[n];
	return NULL;
}

static void release(struct lw_split *s, struct split_event *e)
{
	(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, e->trigger, NULL);
	close(e->trigger);
	if (e->resample >= 0)
		close(e->resample);
	e->trigger = e->resample = -1;
	e->generation++;
}

static int check(struct lw_split *s, int trigger, int resample)
{
	int err = lw_event_check(trigger);

	if (err == 0 && resample >= 0)
		err = lw_event_check(resample);
	return err < 0 ? err : lw_events_open(&s->events);
}

static int take_place(struct lw_split *s, struct split_event *e, int trigger, int resample)
{
	struct epoll_event event = {.events = EPOLLIN};
	int err = check(s, trigger, resample);

	if (err < 0)
		return err;
	event.data.u64 = (uint64_t)e->generation << 32 | (uint64_t)(e - s->event);
	e->trigger = fcntl(trigger, F_DUPFD_CLOEXEC, 0);
	if (e->trigger < 0)
		return -errno;
	if (resample >= 0)
		e->resample = fcntl(resample, F_DUPFD_CLOEXEC, 0);
	if ((resample >= 0 && e->resample < 0) ||
	    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, e->trigger, &event) < 0) {
		err = -errno;
		release(s, e);
	}
	return err;
}

void lw_split_events_close(struct lw_split *s)
{
	for (uint32_t n = 0; n < s->max_events; n++)
		if (s->event[n].trigger >= 0)
			release(s, &s->event[n]);
	lw_events_close(&s->events);
	close(s->epoll_fd);
}

/* ---- who wants to hear of an EOI ---- */

static bool is_wanted(struct lw_split *s, uint32_t gsi)
{
	bool wanted;

	pthread_mutex_lock(&s->lock);
	wanted = s->pin[gsi].told || s->pin[gsi].resamplers;
	pthread_mutex_unlock(&s->lock);
	return wanted;
}

/* Whoever says last what he saw sees that it is still so. */
void lw_split_set_notify(struct lw_split *s, uint32_t gsi)
{
	bool on;

	do {
		on = is_wanted(s, gsi);
		(void)lw_ioapic_notify(s->io, gsi, on);
	} while (on != is_wanted(s, gsi));
}

int lw_split_notify(struct lw_split *split, uint32_t gsi, bool on)
{
	if (gsi >= split->pins || (on && !split->ops->resample))
		return -EINVAL;
	pthread_mutex_lock(&split->lock);
	split->pin[gsi].told = on;
	pthread_mutex_unlock(&split->lock);
	lw_split_set_notify(split, gsi);
	return 0;
}

/* The lines fall before anybody is told, so that whoever signals again raises his anew. With
 * event_lock. */
static uint32_t lower_resampled(struct lw_split *s, uint32_t gsi)
{
	uint32_t sources;

	pthread_mutex_lock(&s->lock);
	sources = s->pin[gsi].resamplers;
	for (uint32_t left = sources; left; left &= left - 1)
		(void)lw_ioapic_line_locked(s->io, gsi, lw_word_low(left), false);
	pthread_mutex_unlock(&s->lock);
	return sources;
}

static void tell_resamplers(struct lw_split *s, uint32_t gsi)
{
	uint32_t sources;

	pthread_mutex_lock(&s->event_lock);
	sources = lower_resampled(s, gsi);
	for (uint32_t n = 0; sources && n < s->max_events; n++) {
		const struct split_event *e = &s->event[n];
		int err;

		if (e->resample < 0 || e->gsi != gsi)
			continue;
		sources &= ~(1u << e->source);
		err = lw_event_tell(&s->events, e->resample);
		if (err < 0) {
			pthread_mutex_lock(&s->lock);
			lw_split_trouble(s, err);
			pthread_mutex_unlock(&s->lock);
		}
	}
	pthread_mutex_unlock(&s->event_lock);
}

void lw_split_resampled(void *ctx, uint32_t gsi)
{
	struct lw_split *s = ctx;
	bool told, eventfds;

	pthread_mutex_lock(&s->lock);
	told = s->pin[gsi].told;
	eventfds = s->pin[gsi].resamplers != 0;
	pthread_mutex_unlock(&s->lock);
	if (eventfds)
		tell_resamplers(s, gsi);
	if (told)
		s->ops->resample(s->ctx, gsi);
}

/* ---- attach and detach ---- */

static void set_resampler(struct lw_split *s, const struct split_event *e)
{
	if (e->resample < 0)
		return;
	pthread_mutex_lock(&s->lock);
	s->pin[e->gsi].resamplers |= 1u << e->source;
	pthread_mutex_unlock(&s->lock);
}

/* With event_lock. */
static void take_out(struct lw_split *s, struct split_event *e)
{
	pthread_mutex_lock(&s->lock);
	s->pin[e->gsi].resamplers &= ~(1u << e->source);
	(void)lw_ioapic_line_locked(s->io, e->gsi, e->source, false);
	pthread_mutex_unlock(&s->lock);
	release(s, e);
}

int lw_split_attach(struct lw_split *split, uint32_t gsi, uint32_t source, int trigger,
		    int resample)
{
	struct split_event *e;
	int err = 0;

	if (gsi >= split->pins || source > LW_SPLIT_MAX_SOURCE)
		return -EINVAL;
	pthread_mutex_lock(&split->event_lock);
	e = find_free(split);
	if (find(split, gsi, source))
		err = -EBUSY;
	else if (!e)
		err = -ENOSPC;
	else
		err = take_place(split, e, trigger, resample);
	if (err == 0) {
		e->gsi = gsi;
		e->source = source;
		set_resampler(split, e);
	}
	pthread_mutex_unlock(&split->event_lock);
	if (err == 0)
		lw_split_set_notify(split, gsi);
	return err;
}

int lw_split_detach(struct lw_split *split, uint32_t gsi, uint32_t source)
{
	struct split_event *e;

	if (gsi >= split->pins || source > LW_SPLIT_MAX_SOURCE)
		return -EINVAL;
	pthread_mutex_lock(&split->event_lock);
	e = find(split, gsi, source);
	if (e)
		take_out(split, e);
	pthread_mutex_unlock(&split->event_lock);
	if (!e)
		return -ENOENT;
	lw_split_set_notify(split, gsi);
	lw_ioapic_drain(split->io);
	return lw_split_settle(split);
}

/* ---- serve ---- */

int lw_split_poll_fd(const struct lw_split *split)
{
	return split->epoll_fd;
}

static void signalled(struct lw_split *s, const struct split_event *e)
{
	pthread_mutex_lock(&s->lock);
	(void)lw_ioapic_line_locked(s->io, e->gsi, e->source, true);
	if (e->resample < 0)
		(void)lw_ioapic_line_locked(s->io, e->gsi, e->source, false);
	pthread_mutex_unlock(&s->lock);
}

static int serve_one(struct lw_split *s, uint64_t name)
{
	struct split_event *e = &s->event[(uint32_t)name];
	uint32_t gsi = 0;
	int got = 0;

	pthread_mutex_lock(&s->event_lock);
	if (e->trigger >= 0 && e->generation == name >> 32) {
		gsi = e->gsi;
		got = lw_event_take(&s->events, e->trigger);
		if (got > 0)
			signalled(s, e);
		else if (got < 0)
			take_out(s, e);
	}
	pthread_mutex_unlock(&s->event_lock);
	if (got < 0)
		lw_split_set_notify(s, gsi);
	lw_ioapic_drain(s->io);
	return got;
}

int lw_split_serve(struct lw_split *split)
{
	struct epoll_event events[AT_ONCE];
	int ready = epoll_wait(split->epoll_fd, events, AT_ONCE, 0);
	int served = 0, err = ready < 0 ? -errno : 0;

	for (int n = 0; n < ready; n++) {
		int got = serve_one(split, events[n].data.u64);

		if (got < 0)
			err = got;
		else
			served += got;
	}
	if (served || err < 0)
		err = lw_split_settle_after(split, err);
	return err < 0 ? err : served;
}

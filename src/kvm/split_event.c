/* SPDX-License-Identifier: MIT */
/*
 * Eventfds of pins, read here and not by KVM: an irqfd on a pin's GSI would bypass the mask and
 * remote IRR, and KVM refuses irqfds with a resampler in split mode.
 *
 * No call into the I/O APIC is made with event_lock held. A signal that is read while its eventfd
 * is being detached may therefore assert the line after the detachment has lowered it; who asserted
 * it looks again, and lowers it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "kvm/split_priv.h"

#define AT_ONCE 64

int lw_split_events_init(struct lw_split *s)
{
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

static int take_place(struct lw_split *s, struct split_event *e, int trigger, int resample)
{
	struct epoll_event event = {.events = EPOLLIN};

	event.data.u64 = (uint64_t)e->generation << 32 | (uint64_t)(e - s->event);
	e->trigger = fcntl(trigger, F_DUPFD_CLOEXEC, 0);
	if (e->trigger < 0)
		return -errno;
	if (resample >= 0)
		e->resample = fcntl(resample, F_DUPFD_CLOEXEC, 0);
	if ((resample >= 0 && e->resample < 0) ||
	    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, e->trigger, &event) < 0) {
		int err = -errno;

		release(s, e);
		return err;
	}
	return 0;
}

void lw_split_events_close(struct lw_split *s)
{
	for (uint32_t n = 0; n < s->max_events; n++)
		if (s->event[n].trigger >= 0)
			release(s, &s->event[n]);
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

/* With event_lock, so that it goes with who has the source. */
static void set_resampler(struct lw_split *s, uint32_t gsi, uint32_t source, bool on)
{
	pthread_mutex_lock(&s->lock);
	if (on)
		s->pin[gsi].resamplers |= 1u << source;
	else
		s->pin[gsi].resamplers &= ~(1u << source);
	pthread_mutex_unlock(&s->lock);
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

static void signal_resamplers(struct lw_split *s, uint32_t gsi, uint32_t sources)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&s->event_lock);
	for (uint32_t n = 0; n < s->max_events; n++) {
		const struct split_event *e = &s->event[n];

		if (e->resample < 0 || e->gsi != gsi || !(sources >> e->source & 1u))
			continue;
		/* Full: it is signalled as it is. */
		if (write(e->resample, &one, sizeof(one)) < 0 && errno != EAGAIN) {
			pthread_mutex_lock(&s->lock);
			lw_split_trouble(s, -errno);
			pthread_mutex_unlock(&s->lock);
		}
	}
	pthread_mutex_unlock(&s->event_lock);
}

/* The lines fall before anybody is told, so that whoever signals again raises his anew. */
void lw_split_resampled(void *ctx, uint32_t gsi)
{
	struct lw_split *s = ctx;
	uint32_t sources;
	bool told;

	pthread_mutex_lock(&s->lock);
	sources = s->pin[gsi].resamplers;
	told = s->pin[gsi].told;
	pthread_mutex_unlock(&s->lock);
	for (uint32_t left = sources; left; left &= left - 1)
		(void)lw_ioapic_line(s->io, gsi, lw_word_low(left), false);
	if (sources)
		signal_resamplers(s, gsi, sources);
	if (told)
		s->ops->resample(s->ctx, gsi);
}

/* ---- attach and detach ---- */

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
		set_resampler(split, gsi, source, resample >= 0);
	}
	pthread_mutex_unlock(&split->event_lock);
	if (err == 0)
		lw_split_set_notify(split, gsi);
	return err;
}

static int detach(struct lw_split *s, uint32_t gsi, uint32_t source)
{
	struct split_event *e;

	pthread_mutex_lock(&s->event_lock);
	e = find(s, gsi, source);
	if (e) {
		release(s, e);
		set_resampler(s, gsi, source, false);
	}
	pthread_mutex_unlock(&s->event_lock);
	if (!e)
		return -ENOENT;
	lw_split_set_notify(s, gsi);
	return lw_ioapic_line(s->io, gsi, source, false);
}

int lw_split_detach(struct lw_split *split, uint32_t gsi, uint32_t source)
{
	int err;

	if (gsi >= split->pins || source > LW_SPLIT_MAX_SOURCE)
		return -EINVAL;
	err = detach(split, gsi, source);
	return err < 0 ? err : lw_split_settle(split);
}

/* ---- serve ---- */

int lw_split_poll_fd(const struct lw_split *split)
{
	return split->epoll_fd;
}

/* What is at a place: a copy, or nothing if it is another attachment by now. */
static bool still_there(struct lw_split *s, uint64_t name, struct split_event *copy)
{
	const struct split_event *e = &s->event[(uint32_t)name];
	bool same;

	pthread_mutex_lock(&s->event_lock);
	same = e->trigger >= 0 && e->generation == name >> 32;
	if (same)
		*copy = *e;
	pthread_mutex_unlock(&s->event_lock);
	return same;
}

/* Returns 1 if it was signalled, 0 if somebody else has read that. */
static int consume(struct lw_split *s, uint64_t name)
{
	struct split_event *e = &s->event[(uint32_t)name];
	int got = 0;

	pthread_mutex_lock(&s->event_lock);
	if (e->trigger >= 0 && e->generation == name >> 32) {
		struct pollfd ready = {.fd = e->trigger, .events = POLLIN};
		uint64_t count;

		if (poll(&ready, 1, 0) == 1 && ready.revents & (POLLIN | POLLERR | POLLHUP))
			got = read(e->trigger, &count, sizeof(count)) < 0 ? -errno : 1;
		if (got == -EAGAIN)
			got = 0;
	}
	pthread_mutex_unlock(&s->event_lock);
	return got;
}

static int serve_one(struct lw_split *s, uint64_t name)
{
	struct split_event e, later;
	int got;

	if (!still_there(s, name, &e))
		return 0;
	got = consume(s, name);
	if (got < 0) {
		(void)detach(s, e.gsi, e.source);
		return got;
	}
	if (!got)
		return 0;
	(void)lw_ioapic_line(s->io, e.gsi, e.source, true);
	if (e.resample < 0 || !still_there(s, name, &later))
		(void)lw_ioapic_line(s->io, e.gsi, e.source, false);
	return 1;
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

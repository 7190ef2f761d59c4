/* SPDX-License-Identifier: MIT */
/*
 * Eventfds of pins. Whose a source is and what drives it go together: an eventfd's source is driven
 * with event_lock held and the chips' inside it, so that what one attachment does to a line never
 * befalls who has the source after it. What that queues runs without either.
 */
#include "kvm/user_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PIN_WORDS 4u /* 240 pins in words of 64 */

static struct lw_ioapic *ioapic(struct lw_user *user)
{
	return lw_chip_ioapic(user->chip, 0);
}

/* Pin `gsi` of each, wherever the VMM has led the GSI. With event_lock. */
static void drive(struct lw_user *user, uint32_t gsi, uint32_t source, bool level)
{
	struct lw_pic *pic = lw_chip_pic(user->chip);

	pthread_mutex_lock(&user->lock);
	(void)lw_ioapic_line_locked(ioapic(user), gsi, source, level);
	if (pic && gsi < LW_PIC_PINS && gsi != LW_PIC_CASCADE_PIN)
		(void)lw_pic_line_locked(pic, gsi, source, level);
	pthread_mutex_unlock(&user->lock);
}

/* ---- places; with event_lock ---- */

static int find_place(const struct lw_user *user, uint32_t gsi, uint32_t source)
{
	int found = -ENOSPC;

	for (int i = LW_USER_EVENTFDS - 1; i >= 0; i--) {
		if (!user->event[i].used)
			found = i;
		else if (user->event[i].gsi == gsi && user->event[i].source == source)
			return -EBUSY;
	}
	return found;
}

static int check(struct lw_user *user, int trigger, int resample)
{
	int err = lw_event_check(trigger);

	if (err == 0)
		err = lw_event_check(resample);
	return err < 0 ? err : lw_events_open(&user->events);
}

static int duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

static int take_place(struct lw_user *user, uint32_t place, int trigger, int resample)
{
	struct user_eventfd *event = &user->event[place];
	struct epoll_event wanted = {.events = EPOLLIN};
	int err = check(user, trigger, resample);

	if (err < 0)
		return err;
	wanted.data.u64 = (uint64_t)event->generation << 32 | place;
	event->trigger = duplicate(trigger);
	if (event->trigger < 0)
		return event->trigger;
	event->resample = duplicate(resample);
	if (event->resample < 0)
		err = event->resample;
	else if (epoll_ctl(user->epoll, EPOLL_CTL_ADD, event->trigger, &wanted) < 0)
		err = -errno;
	if (err < 0) {
		close(event->trigger);
		if (event->resample >= 0)
			close(event->resample);
	}
	return err;
}

static void take_out(struct lw_user *user, struct user_eventfd *event)
{
	event->used = false;
	event->generation++;
	drive(user, event->gsi, event->source, false);
	(void)epoll_ctl(user->epoll, EPOLL_CTL_DEL, event->trigger, NULL);
	close(event->trigger);
	close(event->resample);
}

/* ---- who wants to hear of an EOI ---- */

static void find_wanted(struct lw_user *user, uint64_t pins[PIN_WORDS])
{
	pthread_mutex_lock(&user->event_lock);
	for (unsigned i = 0; i < LW_USER_EVENTFDS; i++)
		if (user->event[i].used)
			pins[user->event[i].gsi / 64] |= 1ull << user->event[i].gsi % 64;
	pthread_mutex_unlock(&user->event_lock);
}

static bool is_wanted(struct lw_user *user, uint32_t gsi)
{
	uint64_t pins[PIN_WORDS] = {0};

	find_wanted(user, pins);
	return pins[gsi / 64] >> gsi % 64 & 1;
}

/* Whoever says last what he saw sees that it is still so. With an op of the VMM's, it is the VMM
 * who ends it. */
static void set_notify(struct lw_user *user, uint32_t gsi)
{
	bool on;

	do {
		on = is_wanted(user, gsi);
		if (on || !user->config.resample)
			(void)lw_ioapic_notify(ioapic(user), gsi, on);
	} while (on != is_wanted(user, gsi));
}

void user_event_wire(struct lw_user *user)
{
	uint64_t pins[PIN_WORDS] = {0};

	find_wanted(user, pins);
	for (uint32_t gsi = 0; gsi < user->config.pins; gsi++)
		if (pins[gsi / 64] >> gsi % 64 & 1)
			set_notify(user, gsi);
}

/* ---- attach and detach ---- */

int lw_user_attach(struct lw_user *user, uint32_t gsi, uint32_t source, int trigger, int resample)
{
	int place, err;

	if (gsi >= user->config.pins || source >= LW_IOAPIC_MAX_SOURCES)
		return -EINVAL;
	pthread_mutex_lock(&user->event_lock);
	place = find_place(user, gsi, source);
	err = place < 0 ? place : take_place(user, (uint32_t)place, trigger, resample);
	if (err == 0) {
		user->event[place].gsi = gsi;
		user->event[place].source = source;
		user->event[place].used = true;
	}
	pthread_mutex_unlock(&user->event_lock);
	if (err == 0)
		set_notify(user, gsi);
	return err;
}

int lw_user_detach(struct lw_user *user, uint32_t gsi, uint32_t source)
{
	bool found = false;

	pthread_mutex_lock(&user->event_lock);
	for (unsigned i = 0; i < LW_USER_EVENTFDS && !found; i++) {
		struct user_eventfd *event = &user->event[i];

		found = event->used && event->gsi == gsi && event->source == source;
		if (found)
			take_out(user, event);
	}
	pthread_mutex_unlock(&user->event_lock);
	if (!found)
		return -ENOENT;
	set_notify(user, gsi);
	lw_ioapic_drain(ioapic(user));
	return 0;
}

/* ---- serve ---- */

int lw_user_poll_fd(const struct lw_user *user)
{
	return user->epoll;
}

static int serve_one(struct lw_user *user, uint64_t name)
{
	struct user_eventfd *event = &user->event[(uint32_t)name];
	uint32_t gsi = 0;
	int got = 0;

	pthread_mutex_lock(&user->event_lock);
	if (event->used && event->generation == name >> 32) {
		gsi = event->gsi;
		got = lw_event_take(&user->events, event->trigger);
		if (got > 0)
			drive(user, gsi, event->source, true);
		else if (got < 0)
			take_out(user, event);
	}
	pthread_mutex_unlock(&user->event_lock);
	if (got < 0)
		set_notify(user, gsi);
	lw_ioapic_drain(ioapic(user));
	return got;
}

int lw_user_serve(struct lw_user *user)
{
	struct epoll_event ready[LW_USER_EVENTFDS];
	int count = epoll_wait(user->epoll, ready, LW_USER_EVENTFDS, 0), served = 0, err = 0;

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		int got = serve_one(user, ready[i].data.u64);

		if (got < 0)
			err = got;
		else
			served += got;
	}
	return err < 0 ? err : served;
}

/* The lines fall before anybody is told, so that whoever signals again raises his anew. */
void user_event_resample(struct lw_user *user, uint32_t gsi)
{
	pthread_mutex_lock(&user->event_lock);
	for (unsigned i = 0; i < LW_USER_EVENTFDS; i++)
		if (user->event[i].used && user->event[i].gsi == gsi)
			drive(user, gsi, user->event[i].source, false);
	for (unsigned i = 0; i < LW_USER_EVENTFDS; i++)
		if (user->event[i].used && user->event[i].gsi == gsi)
			(void)lw_event_tell(&user->events, user->event[i].resample);
	pthread_mutex_unlock(&user->event_lock);
	/* An 8259's EOI comes without the I/O APIC's. */
	lw_ioapic_drain(ioapic(user));
}
